"""What is said about faulty configurations, word for word: one folder of files for each, in golden files."""

from collections.abc import Mapping
from pathlib import Path
from typing import Final

import pytest
from tests.support.golden import compare, neutral

from onemcp.config.document import draft
from onemcp.errors import ConfigError

GOLDEN: Final = Path(__file__).parent / "golden" / "faults"
GOOD: Final = '{"mcpServers": {}}'

CASES: Final[Mapping[str, Mapping[str, str]]] = {
    "nothing": {"mcp.json": ""},
    "unterminated_json": {"mcp.json": '{"mcpServers": {\n  "a": {"command": "x"'},
    "unterminated_string": {"mcp.json": '{"mcpServers": {"a\n": {}}}'},
    "unterminated_comment": {"mcp.json": '{"mcpServers": {} /* so\n'},
    "missing_comma": {"mcp.json": '{"mcpServers": {}\n "port": 1}'},
    "single_quotes": {"mcp.json": "{'mcpServers': {}}"},
    "a_python_word": {"mcp.json": '{"mcpServers": {}, "strict": True}'},
    "two_values": {"mcp.json": '{"mcpServers": {}}\n{}'},
    "an_array": {"mcp.json": "[]"},
    "duplicate_keys_json": {"mcp.json": '{"mcpServers": {"a": {"command": "x"},\n "a": {"command": "y"}}, "port": 1, "port": 2}'},
    "duplicate_keys_yaml": {"mcp.yaml": "mcpServers:\n  a: {command: x}\n  a: {command: y}\nport: 1\nport: 2\n"},
    "duplicate_keys_toml": {"mcp.toml": 'port = 1\nport = 2\n[mcpServers.a]\ncommand = "x"\n'},
    "unterminated_yaml": {"mcp.yaml": "mcpServers:\n  a: {command: [x\n"},
    "unterminated_toml": {"mcp.toml": '[mcpServers.a]\ncommand = "x\n'},
    "tabs_in_yaml": {"mcp.yaml": "mcpServers:\n\ta: {command: x}\n"},
    "booleans_yaml": {
        "mcp.yaml": "strict: yes\nasyncLoading: {enabled: on}\nmetrics: {port: '9000'}\nport: '80'\n"
        "mcpServers:\n  a: {command: x, required: no, restartOnExit: Off, inheritParentEnv: 'true', disabled: yes}\n"
    },
    "booleans_toml": {"mcp.toml": 'strict = "yes"\n[mcpServers.a]\ncommand = "x"\nrequired = 1\n'},
    "wrong_types_json": {
        "mcp.json": '{"mcpServers": {\n "a": {"command": 5, "args": {"x": 1}, "env": {"A": 1, "B": null}, "tags": "web"},\n'
        ' "b": {"command": "x", "requestTimeout": "60s", "maxRestarts": 1.5, "roots": 1, "isolation": "all"},\n'
        ' "c": {"command": "x", "headers": ["A: b"], "disabled": [], "disabledTools": [1]}},\n'
        ' "port": "3050x", "logging": {"level": "verbose", "maxSize": -1}, "health": [], "allowedHosts": "a"}'
    },
    "wrong_types_yaml": {
        "mcp.yaml": "mcpServers:\n  a:\n    command: x\n    env: {PORT: 8080, DAY: 2025-06-18, ON: true}\n    args: [1]\nport: 1:30\n"
    },
    "wrong_types_toml": {
        "mcp.toml": 'port = "http"\nallowedHosts = [1]\n[mcpServers.a]\ncommand = ["x", 1]\nenv = { PORT = 8080 }\n'
    },
    "unknown_keys": {
        "mcp.json": '{"mcpServer": {},\n "templats": {},\n "mcpServers": {"a": {"command": "x", "extends": "t", "timeOut": 1, "zzz": 1}},\n'
        ' "logging": {"levle": "info"}, "secrets": {"provider": {}}, "auth": {"enabled": true}}'
    },
    "references": {
        "mcp.json": '{"mcpServers": {\n "unset": {"command": "x", "env": {"A": "${NOT_SET}"}},\n'
        ' "wanted": {"command": "x", "args": ["${NOT_SET:?put it into the vault}"]},\n'
        ' "open": {"command": "${NOT_SET"},\n "odd": {"command": "${a b}"},\n "asked": {"command": "${input:token}"},\n'
        ' "bad": {"command": "${SECRET:}"},\n "default": {"command": "${SECRET:a:-b}"}},\n'
        ' "port": "${NOT_SET}", "host": "${HOST_WITHOUT_END", "strict": "${WORD}"}'
    },
    "secrets": {
        "mcp.json": '{"mcpServers": {}, "secrets": {"chain": ["env", "vaultt"], "cacheSeconds": "1",\n "providers": {\n'
        '  "vault": {"type": "vault", "address": "http://v.example", "token": "t", "tokenFile": "f"},\n'
        '  "Bad": {"type": "env"},\n  "x": {"type": "folders"},\n  "y": {},\n  "z": {"type": "exec", "command": ["pass"]},\n'
        '  "w": {"type": "folder", "file": "x", "timeout": 0}}}}'
    },
    "templates": {
        "mcp.json": '{"templates": {"t": {"command": "x", "args": ["${param:root}", "${param:rot}", "a${param:list}"],\n'
        '   "parameters": {"root": null, "list": ["b"]}},\n  "loop": {"extend": "pool"}, "pool": {"extend": "loop"}, "odd": 5},\n'
        ' "mcpServers": {\n  "a": {"extend": "t"},\n  "b": {"extend": "tt"},\n  "c": {"extend": "loop"},\n'
        '  "d": {"extend": "t", "parameters": {"root": "/", "roof": 1}},\n  "e": {"extend": "t", "parameters": {"root": "/"}},\n'
        '  "f": {"extend": 5},\n  "g": {"command": "x", "parameters": {"root": "/"}}}}'
    },
    "fragments": {
        "mcp.json": '{"mcpServers": {"a": {"command": "x"}}}',
        "conf.d/10-a.json": '{"mcpServers": {"b": {"comand": "x"}}}',
        "conf.d/20-b.yaml": "mcpServers:\n  c: {command: x, args: y}\n",
        "conf.d/30-c.toml": "port = 'x'\n",
    },
    "unreadable_fragments": {
        "mcp.json": '{"mcpServers": {',
        "conf.d/10-a.json": GOOD,
        "conf.d/20-b.yaml": "a: [",
        "conf.d/30-c.toml": "a =",
    },
    "overlay": {
        "mcp.json": '{"mcpServers": {"a": {"command": "x", "url": null}}, "port": 1}',
        "mcp.production.json": '{"mcpServers": {"a": {"url": "http://h"}, "b": {"args": []}}, "port": "1", "mcpServres": {}}',
    },
    "no_such_environment": {"mcp.json": GOOD, "mcp.prodution.json": "{}", "mcp.dev.json": "{}"},
    "an_overlay_that_ends": {"mcp.json": GOOD, "mcp.production.json": '{"port": 1'},
    "no_servers": {"mcp.json": '{"port": 1}'},
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_what_is_wrong_is_told_with_its_place_and_what_to_do(case: str, tmp_path: Path) -> None:
    for name, text in CASES[case].items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text, encoding="utf-8")
    environment = (
        "production" if case == "no_such_environment" or any("production" in n for n in CASES[case]) else ""
    )
    told = told_of(tmp_path / next(iter(CASES[case])), environment)
    compare(GOLDEN / f"{case}.txt", neutral(told, FOLDER=tmp_path))


def told_of(path: Path, environment: str) -> str:
    """All that is said; a line for each thing."""
    try:
        document, problems = draft(path, {"WORD": "perhaps"}, environment).judged()
    except ConfigError as error:
        return f"{error}\n"
    faults = document.faults(problems)
    assert problems or faults
    notices = [f"notice: {notice}" for notice in document.notices]
    return "".join(f"{line}\n" for line in (*problems, *faults, *notices))
