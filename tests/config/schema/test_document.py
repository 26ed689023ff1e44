"""The JSON Schema, held to what the readers take and to the examples of the pages."""

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator  # type: ignore[import-untyped]
from tests.support.gateway import onemcp
from tests.support.guide import DOCS

from onemcp.config import alerts, keys, webhooks
from onemcp.config.document import read
from onemcp.config.node import plain
from onemcp.config.schema.document import schema
from onemcp.config.setting import Kind, Setting
from onemcp.config.table import TABLE
from onemcp.config.templates import EXTEND, PARAMETERS
from onemcp.config.text import scan
from onemcp.core.alerts import FOLLOWS
from onemcp.core.events import ALERT_KINDS
from onemcp.errors import ConfigError

SCHEMA: Final = schema()
VALIDATOR: Final = Draft202012Validator(SCHEMA)
PAGES: Final = ("configuration.md", "secrets.md", "alerts.md")
ENVIRON: Final = {"A": "a", "PORT": "4000", "YES": "true"}


def mistakes(document: object) -> list[str]:
    """What a validator says of it."""
    return [f"{error.json_path}: {error.message}"[:300] for error in VALIDATOR.iter_errors(document)]


def blocks(page: str) -> Iterator[Any]:
    """The configurations in the blocks of a page; several in a block have a line `// name.json` each."""
    text = (DOCS / page).read_text(encoding="utf-8")
    for language, block in re.findall(
        r"^```(jsonc?|yaml|toml)\b[^\n]*\n(.*?)^```$", text, re.MULTILINE | re.DOTALL
    ):
        for part in re.split(r"^// \S+\.json$", block, flags=re.MULTILINE):
            whole = f"{{{part}}}" if part.startswith('"') else part
            document = plain(scan(whole, f"mcp.{language}")[0]) if part.strip() else {}
            if document.keys() & SCHEMA["properties"].keys():
                yield document


def test_it_is_a_schema() -> None:
    Draft202012Validator.check_schema(SCHEMA)


def test_the_reference_and_the_command_have_it(tmp_path: Path) -> None:
    done = onemcp("config", "schema", folder=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads(done.stdout) == SCHEMA
    assert done.stdout == (DOCS / "reference" / "mcp.schema.json").read_text(encoding="utf-8")


@pytest.mark.parametrize("page", PAGES)
def test_the_examples_of_a_page_are_valid(page: str) -> None:
    found = list(blocks(page))
    assert found
    for document in found:
        assert mistakes(document) == [], document


def test_the_keys_of_entries_are_those_that_are_read() -> None:
    server = SCHEMA["$defs"]["server"]
    assert server["properties"].keys() == keys.ENTRY | {EXTEND, PARAMETERS}
    assert SCHEMA["properties"][keys.DEFAULTS]["properties"].keys() == keys.COMMON
    assert SCHEMA["$defs"]["webhook"]["properties"].keys() == set(webhooks._WEBHOOK)
    rules = SCHEMA["properties"][keys.ALERTS]["properties"]["rules"]["properties"]
    assert rules.keys() == ALERT_KINDS.keys() - FOLLOWS.keys()
    assert all(rule["properties"].keys() == set(alerts._RULE) for rule in rules.values())


@pytest.mark.parametrize("setting", [row for row in TABLE if row.key], ids=lambda row: row.name)
def test_every_setting_that_can_stand_in_a_file_is_described(setting: Setting) -> None:
    found: Any = SCHEMA
    for name in setting.key.split("."):
        found = found["properties"][name]
    assert setting.help[1:] in found["description"]
    assert setting.variable in found["description"]
    usual = found.get("default", "")
    assert usual == (list(setting.default) if isinstance(setting.default, tuple) else setting.default)


@pytest.mark.parametrize("setting", [row for row in TABLE if row.former], ids=lambda row: row.name)
def test_a_former_key_is_known_and_marked(setting: Setting) -> None:
    for key in setting.former:
        found: Any = SCHEMA
        for name in key.split("."):
            found = found["properties"][name]
        assert found["deprecated"] is True
        assert setting.key in found["description"]


def test_whatever_a_person_can_see_has_a_description() -> None:
    missing = [
        path
        for path, part in described(SCHEMA["properties"], "")
        if "description" not in part and "properties" not in part and part != {"type": "null"}
    ]
    assert missing == []


def described(properties: Mapping[str, Any], path: str) -> Iterator[tuple[str, Any]]:
    for name, part in properties.items():
        yield f"{path}.{name}", part
        yield from described(part.get("properties", {}), f"{path}.{name}")


PROVIDERS: Final[dict[str, dict[str, Any]]] = {
    "env": {},
    "exec": {
        "command": ["pass", "show", "{path}"],
        "env": {"A": "b"},
        "envFilter": ["X"],
        "missingExitCodes": [1],
    },
    "folder": {"path": "/run/secrets"},
    "sealed": {"file": "s", "keyFile": "k"},
    "vault": {
        "address": "https://vault:8200",
        "allowHttp": False,
        "caFile": "c",
        "mount": "kv",
        "namespace": "n",
        "kubernetes": {"role": "r", "mount": "k", "tokenFile": "t"},
    },
}


@pytest.mark.parametrize("kind", PROVIDERS)
def test_a_provider_has_the_keys_of_its_type(kind: str) -> None:
    good = {"type": kind, "timeout": 100, "_": "a remark", **PROVIDERS[kind]}
    document: dict[str, Any] = {"mcpServers": {}, "secrets": {"providers": {"own": good}}}
    assert read(json.dumps(document), "mcp.json", {}).specs == ()
    assert mistakes(document) == []
    for others in PROVIDERS.values():
        for name, value in others.items():
            if name not in good:
                document["secrets"] = {"providers": {"own": {**good, name: value}}}
                assert mistakes(document) != []
                with pytest.raises(ConfigError, match=f"own.{name}: unknown key"):
                    read(json.dumps(document), "mcp.json", {})


WRONG: Final[list[dict[str, Any]]] = [
    {"mcpserver": {}},
    {"mcpServers": []},
    {"mcpServers": {"a": "x"}},
    {"mcpServers": {"a": {"command": "x", "arg": []}}},
    {"mcpServers": {"a": {"command": 1}}},
    {"mcpServers": {"a": {"command": "x", "args": "y"}}},
    {"mcpServers": {"a": {"command": "x", "args": [1]}}},
    {"mcpServers": {"a": {"command": "x", "env": {"A": 1}}}},
    {"mcpServers": {"a": {"command": "x", "env": ["A", 1]}}},
    {"mcpServers": {"a": {"command": "x", "requestTimeout": "1s"}}},
    {"mcpServers": {"a": {"command": "x", "requestTimeout": 0}}},
    {"mcpServers": {"a": {"command": "x", "requestTimeout": "${A}"}}},
    {"mcpServers": {"a": {"command": "x", "maxRestarts": 1.5}}},
    {"mcpServers": {"a": {"command": "x", "required": "yes"}}},
    {"mcpServers": {"a": {"command": "x", "disabled": "maybe"}}},
    {"mcpServers": {"a": {"command": "x", "isolation": "none"}}},
    {"mcpServers": {"a": {"command": "x", "roots": ["/tmp"]}}},
    {"mcpServers": {"a": {"command": "x", "roots": [{"name": "n"}]}}},
    {"mcpServers": {"a": {"command": "x", "protocol": "2025-12-24"}}},
    {"mcpServers": {"a": {"url": "http://h", "type": "htp"}}},
    {"mcpServers": {"a": {"url": "h:8080"}}},
    {"serverDefaults": {"command": "x"}},
    {"port": "4000"},
    {"port": 70000},
    {"port": 1.5},
    {"port": True},
    {"transport": "tcp"},
    {"asyncLoading": True},
    {"asyncLoading": {"enable": True}},
    {"asyncLoading": {"enabled": "yes"}},
    {"allowedHosts": "a,b"},
    {"allowedHosts": [1]},
    {"externalUrl": "mcp.example.com"},
    {"host": ""},
    {"alerts": {"webhook": []}},
    {"alerts": {"webhooks": {}}},
    {"alerts": {"webhooks": [{}]}},
    {"alerts": {"webhooks": [{"url": "https://h", "secret": "short"}]}},
    {"alerts": {"webhooks": [{"url": "https://h", "format": "xml"}]}},
    {"alerts": {"webhooks": [{"url": "https://h", "severities": ["bad"]}]}},
    {"alerts": {"rules": {"server_dwon": {}}}},
    {"alerts": {"rules": {"server_down": {"threshold": 1}}}},
    {"alerts": {"rules": {"server_down": {"for": -1}}}},
    {"secrets": {"providers": {"a": {"type": "file"}}}},
    {"secrets": {"chain": "env"}},
    {"secrets": {"cacheSeconds": 0}},
]  # fmt: skip


@pytest.mark.parametrize("wrong", WRONG, ids=json.dumps)
def test_what_the_reader_refuses_for_its_shape_is_not_valid(wrong: dict[str, Any]) -> None:
    document = {"mcpServers": {}, **wrong}
    assert not is_taken(document)
    assert mistakes(document) != []


RIGHT: Final[list[dict[str, Any]]] = [
    {"$schema": "./mcp.schema.json", "_remark": 1, "//": [], "inputs": []},
    {"port": "${PORT}", "strict": "${YES}", "allowedHosts": "${A}", "host": "${A}"},
    {"transport": "HTTP", "logging": {"level": "Warn"}, "stateDir": None},
    {"mcpServers": {"a": {"url": "HTTP://h", "type": "Streamable-HTTP", "autoApprove": [], "disabled": " No "}}},
    {"mcpServers": {"a": {"command": ["x", "y"], "env": ["A=b", "C"], "roots": True, "protocol": " 2025-06-18 "}}},
    {"mcpServers": {"a": {"command": "x", "enabled": 1, "isActive": "${YES}", "_x": {}}}},
    {
        "templates": {"t": {"command": "${param:c}", "requestTimeout": "${param:ms}", "parameters": {"c": None, "ms": 5}}},
        "mcpServers": {"a": {"extend": "t", "parameters": {"c": ["x"]}, "tags": "${param:c}"}},
    },
]  # fmt: skip


@pytest.mark.parametrize("right", RIGHT, ids=json.dumps)
def test_what_the_reader_takes_is_valid(right: dict[str, Any]) -> None:
    document = {"mcpServers": {}, **right}
    assert is_taken(document)
    assert mistakes(document) == []


def test_an_overlay_may_take_away_whatever_there_is() -> None:
    overlay = {
        "mcpServers": {"a": None, "b": {"env": {"A": None}, "headers": None, "type": None, "disabled": None}},
        "templates": {"t": None},
        "serverDefaults": None,
        "port": None,
        "logging": {"level": None, "file": None},
        "alerts": {"rules": {"server_down": None}, "webhooks": None},
        "secrets": {"providers": {"v": {"address": "https://v", "token": None}}, "chain": None},
    }
    assert mistakes(overlay) == []


def is_taken(document: Mapping[str, Any]) -> bool:
    """Whether the reader has nothing against it; entries that are switched off are judged like the others."""
    try:
        found = read(json.dumps(document), "mcp.json", ENVIRON)
    except ConfigError:
        return False
    return all(spec.fault is None for spec in found.specs)


NUMBERS: Final = st.sampled_from([0, 1, 5, 1000, 70000, 2.5, 3.0, -1])
TEXTS: Final = st.sampled_from(
    [
        *("", "x", "${A}", "${YES}", "${PORT}", "${", "$${A}", "A=b", "h:1", " on ", "true", "Yes", "file:///a"),
        *("http://h/mcp", "https://h", "stdio", "SSE", "2025-06-18", "session", "info", "WARN", "json"),
        *("critical", "env", "always"),
    ]
)  # fmt: skip
LOOSE: Final = st.none() | st.booleans() | NUMBERS | TEXTS | st.lists(TEXTS, max_size=2) | st.dictionaries(TEXTS, TEXTS, max_size=2)  # fmt: skip
NAMES: Final = st.sampled_from([*sorted(keys.ENTRY), "_remark", "autoApprove", "comand"])


@st.composite
def fitting(draw: st.DrawFn, part: Mapping[str, Any], depth: int = 3) -> Any:
    """A value that a schema mostly takes, and sometimes not."""
    if draw(st.integers(0, 11)) == 0 or depth == 0:
        return draw(LOOSE)
    if "$ref" in part:
        return draw(fitting(SCHEMA["$defs"][part["$ref"].rpartition("/")[2]], depth))
    if "anyOf" in part and "type" not in part:
        return draw(fitting(draw(st.sampled_from(part["anyOf"])), depth))
    if "enum" in part:
        return draw(st.sampled_from(part["enum"]))
    kind = part.get("type", "any")
    kind = draw(st.sampled_from(kind)) if isinstance(kind, list) else kind
    match kind:
        case "object":
            return draw(members(part, depth))
        case "array":
            return draw(st.lists(fitting(part.get("items", {}), depth - 1), max_size=2))
        case "boolean":
            return draw(st.booleans())
        case "number" | "integer":
            return draw(NUMBERS)
        case "string":
            return draw(TEXTS)
    return None if kind == "null" else draw(LOOSE)


@st.composite
def members(draw: st.DrawFn, part: Mapping[str, Any], depth: int) -> dict[str, Any]:
    """An object with some of the members that it may have."""
    if part.get("properties"):
        names = draw(st.lists(st.sampled_from(sorted(part["properties"])), max_size=4, unique=True))
        return {name: draw(fitting(part["properties"][name], depth - 1)) for name in names}
    inner = part.get("additionalProperties", {})
    return draw(
        st.dictionaries(TEXTS, fitting(inner if isinstance(inner, dict) else {}, depth - 1), max_size=2)
    )


ENTRIES: Final = st.dictionaries(
    st.sampled_from(["a", "b"]),
    st.tuples(
        st.sampled_from([{"command": "x"}, {"url": "http://h"}, {}]), fitting(SCHEMA["$defs"]["server"], 2)
    ).map(lambda pair: {**pair[0], **pair[1]} if isinstance(pair[1], dict) else pair[1]),
    max_size=2,
)
DOCUMENTS: Final = st.tuples(ENTRIES, fitting({**SCHEMA, "type": "object"}, 4)).map(
    lambda pair: {**pair[1], "mcpServers": pair[0]} if isinstance(pair[1], dict) else pair[1]
)


def judged(document: Any) -> Any:
    """The document without what the reader does not look at: switched-off entries, templates that nobody extends."""
    if not isinstance(document, dict):
        return document
    found = {name: value for name, value in document.items() if name not in ("templates", "servers")}
    entries = found.get("mcpServers")
    if isinstance(entries, dict):
        switches = (*keys.SWITCHES_OFF, *keys.SWITCHES_ON)
        found["mcpServers"] = {
            name: {key: value for key, value in entry.items() if key not in switches}
            if isinstance(entry, dict)
            else entry
            for name, entry in entries.items()
        }
    return found


@given(DOCUMENTS)
@settings(max_examples=400, deadline=None)
def test_whatever_the_reader_takes_is_valid(document: Any) -> None:
    document = judged(document)
    if is_taken(document):
        assert mistakes(document) == []


@given(st.sampled_from(TABLE), LOOSE)
@settings(max_examples=300, deadline=None)
def test_a_value_of_a_setting_that_is_taken_is_valid(setting: Setting, value: Any) -> None:
    if not setting.key:
        return
    document: Any = {"mcpServers": {}}
    inner = document
    *heads, tail = setting.key.split(".")
    for head in heads:
        inner = inner.setdefault(head, {})
    inner[tail] = value
    if is_taken(document):
        assert mistakes(document) == []
    elif setting.kind in (Kind.BOOLEAN, Kind.INTEGER) and not isinstance(value, str):
        assert mistakes(document) != []
