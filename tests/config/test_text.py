"""Which format a configuration file is read in, and that it says the same in each."""

import json
from typing import Any, Final

import pytest
import yaml
from tests.support.guide import DOCS, examples

from onemcp.config.document import read
from onemcp.config.node import plain
from onemcp.config.text import scan
from onemcp.errors import ConfigError

JSON: Final = '{"port": 3050} // as JSON\n'
YAML: Final = "port: 3050 # as YAML\n"
TOML: Final = "port = 3050 # as TOML\n"


@pytest.mark.parametrize(
    ("file", "text"),
    [
        *[
            (file, JSON)
            for file in (
                "",
                "mcp",
                "mcp.json",
                "a/mcp.jsonc",
                "mcp.json5",
                "mcp.yaml.bak",
                ".yaml",
                "a.toml/b",
            )
        ],
        *[
            (file, YAML)
            for file in ("mcp.yaml", "a/b.yml", "MCP.YAML", "mcp.production.yml", "mcp.json.yaml")
        ],
        *[(file, TOML) for file in ("config.toml", "/etc/1mcp/Config.TOML", "a.yaml/b.toml")],
    ],
)
def test_the_name_of_a_file_says_what_is_in_it(file: str, text: str) -> None:
    node, problems = scan(text, file)
    assert problems == ()
    assert plain(node) == {"port": 3050}
    assert isinstance(node.value, dict)
    assert node.file == node.value["port"].key.file == node.value["port"].value.file == file
    for other in {JSON, YAML, TOML} - {text}:
        assert not isinstance(_read(other, file), dict)


def test_a_repeated_key_is_told_of_in_every_format() -> None:
    again = "a: the key stands here a second time, first at 1:1; keep one"
    assert str(scan('{"a": 1,\n"a": 2}', "c.json")[1][0]) == f"c.json:2:1: {again.replace('1:1', '1:2')}"
    assert str(scan("a: 1\na: 2", "c.yaml")[1][0]) == f"c.yaml:2:1: {again}"
    with pytest.raises(ConfigError) as caught:
        scan("a = 1\na = 2", "c.toml")
    assert str(caught.value) == f"c.toml:2:1: {again}"


def test_the_samples_of_the_page_say_the_same_as_json() -> None:
    samples = examples(DOCS / "configuration.md")
    wanted = {
        "mcpServers": {
            "files": {
                "command": ["mcp-server-files", "--root", "/srv"],
                "env": {"API_KEY": "${FILES_API_KEY}", "TZ": "UTC"},
                "tags": ["team", "web"],
            }
        },
        "port": 3050,
        "asyncLoading": {"enabled": True},
    }
    for name in ("yaml", "toml"):
        node, problems = scan(samples[f"as-{name}"].text, f"mcp.{name}")
        assert problems == ()
        assert _without_remarks(plain(node)) == wanted


def test_what_the_formats_can_all_say_is_one_document() -> None:
    value = {
        "mcpServers": {"a": {"command": ["a", "-x"], "env": {"A": "no"}, "maxRestarts": 3}},
        "port": 4000,
    }
    toml = 'port = 4000\n[mcpServers.a]\ncommand = ["a", "-x"]\nenv.A = "no"\nmaxRestarts = 3\n'
    roots = [
        plain(scan(text, f"mcp.{ending}")[0])
        for ending, text in (("json", json.dumps(value)), ("yaml", yaml.safe_dump(value)), ("toml", toml))
    ]
    assert roots == [value] * 3
    assert read(json.dumps(value), "mcp.json", {}).specs[0].name == "a"


def _read(text: str, file: str) -> Any:
    """What the text says in the file's format, if it is a text of that format."""
    try:
        return plain(scan(text, file)[0])
    except ConfigError as error:
        (problem,) = error.problems
        assert (problem.file, problem.line) == (file, 1)
        return None


def _without_remarks(value: dict[str, Any]) -> dict[str, Any]:
    return {name: inner for name, inner in value.items() if not name.startswith("_")}
