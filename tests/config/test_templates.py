"""What alike servers have in common, written once."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from onemcp.config.document import read
from onemcp.config.jsonc import parse
from onemcp.config.node import plain
from onemcp.config.templates import MAX_CHAIN, instantiated
from onemcp.core.spec import StdioTransport
from onemcp.errors import ConfigError, Problem

FILES = {
    "command": "npx",
    "args": ["server-files", "${param:root}", "--mode=${param:mode}"],
    "env": {"A": "1"},
    "parameters": {"root": None, "mode": "ro"},
}


def written(templates: object, **servers: object) -> tuple[dict[str, Any], list[Problem]]:
    problems: list[Problem] = []
    text = json.dumps({"templates": templates, "mcpServers": servers})
    result = plain(instantiated(parse(text, "mcp.json"), problems))
    assert "templates" not in result
    return result["mcpServers"], problems


def test_twenty_alike_servers_are_twenty_lines() -> None:
    lines = {f"s{n}": {"extend": "files", "parameters": {"root": f"/srv/{n}"}} for n in range(20)}
    servers, problems = written({"files": FILES}, **lines)
    assert not problems
    assert servers["s7"] == {
        "command": "npx",
        "args": ["server-files", "/srv/7", "--mode=ro"],
        "env": {"A": "1"},
    }
    assert len(servers) == 20


def test_an_entry_is_laid_over_its_template() -> None:
    entry = {
        "extend": "files",
        "parameters": {"root": "/", "mode": "rw"},
        "env": {"B": "${param:mode}"},
        "tags": ["x"],
    }
    servers, problems = written({"files": FILES}, a=entry, plain={"command": "y"})
    assert not problems
    assert servers["a"]["env"] == {"A": "1", "B": "rw"}
    assert servers["a"]["tags"] == ["x"]
    assert servers["plain"] == {"command": "y"}


def test_a_template_extends_another_one() -> None:
    templates = {
        "base": {"command": "x", "args": ["${param:a}", "${param:b}"], "parameters": {"a": None, "b": "1"}},
        "middle": {"extend": "base", "parameters": {"b": "2", "c": None}, "cwd": "${param:c}"},
    }
    servers, problems = written(templates, s={"extend": "middle", "parameters": {"a": "A", "c": "/c"}})
    assert not problems
    assert servers["s"] == {"command": "x", "args": ["A", "2"], "cwd": "/c"}


@pytest.mark.parametrize("value", [["a", "b"], {"x": "y"}, 5, True, "text"])
def test_a_text_that_is_one_parameter_becomes_its_value(value: object) -> None:
    template = {"command": "x", "args": "${param:all}", "parameters": {"all": None}}
    servers, problems = written({"t": template}, s={"extend": "t", "parameters": {"all": value}})
    assert (servers["s"]["args"], problems) == (value, [])


def test_what_a_parameter_brings_is_not_looked_at_again() -> None:
    template = {"command": "x", "args": ["-${param:a}", "$${param:a}"], "parameters": {"a": None, "b": "no"}}
    servers, problems = written({"t": template}, s={"extend": "t", "parameters": {"a": "${param:b}"}})
    assert (servers["s"]["args"], problems) == (["-${param:b}", "$${param:a}"], [])


@given(st.text(max_size=20))
def test_any_text_arrives_as_it_is(value: str) -> None:
    template = {"command": "x", "args": ["<${param:a}>"], "parameters": {"a": None}}
    servers, problems = written({"t": template}, s={"extend": "t", "parameters": {"a": value}})
    assert (servers["s"]["args"], problems) == ([f"<{value}>"], [])


@pytest.mark.parametrize(
    ("templates", "entry", "key", "what"),
    [
        ({"files": FILES}, {"extend": "fiels"}, "mcpServers.s.extend", "there is no template fiels; did you mean files?"),
        ({}, {"extend": 5}, "mcpServers.s.extend", "there is no template 5"),
        ({"files": FILES}, {"extend": "files"}, "mcpServers.s", 'the template wants the parameter root; add "parameters": {"root": ...}'),
        ({"files": FILES}, {"extend": "files", "parameters": {"root": "/", "mod": "x"}}, "mcpServers.s.parameters.mod", "the template has no parameter mod; did you mean mode?"),
        ({"t": {"command": "${param:x}"}}, {"extend": "t"}, "mcpServers.s.command", "there is no parameter x; declare it in the template's parameters"),
        ({"t": {"command": "-${param:x}", "parameters": {"x": None}}}, {"extend": "t", "parameters": {"x": []}}, "mcpServers.s.command", "the parameter x is no text that could stand in another"),
        ({"a": {"extend": "b"}, "b": {"extend": "a"}}, {"extend": "a"}, "templates.b.extend", "templates extend each other without end: a > b > a"),
        ({"t": 5}, {"extend": "t"}, "templates.t", "expected an object"),
        ([], {"extend": "t"}, "templates", "expected an object"),
        ({"t": {"command": "x", "parameters": {"a": "b"}}}, {"extend": "t", "parameters": ["c"]}, "mcpServers.s.parameters", "expected an object"),
        ({"t": {"command": "x", "parameters": 5}}, {"command": "y"}, "templates.t.parameters", "expected an object"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_told_with_its_place(templates: object, entry: object, key: str, what: str) -> None:
    _, problems = written(templates, s=entry)
    first = problems[0]
    assert (first.file, first.line, first.key) == ("mcp.json", 1, key)
    assert "; ".join(filter(None, (first.what, first.fix))) == what


def test_null_is_as_if_nothing_were_said() -> None:
    template = {"command": "x", "extend": None, "parameters": None}
    servers, problems = written({"t": template}, s={"extend": "t", "parameters": None}, u={"extend": None})
    assert (servers, problems) == ({"s": {"command": "x"}, "u": {}}, [])
    assert written(None, s={"command": "x"}) == ({"s": {"command": "x"}}, [])


def test_a_long_chain_ends() -> None:
    templates: dict[str, object] = {f"t{n}": {"extend": f"t{n + 1}"} for n in range(MAX_CHAIN + 5)}
    _, problems = written(templates, s={"extend": "t0"})
    assert "without end" in problems[0].what


def test_references_in_a_parameter_are_resolved_once_with_the_rest() -> None:
    text = json.dumps(
        {
            "templates": {"files": FILES},
            "mcpServers": {"s": {"extend": "files", "parameters": {"root": "${HOME}"}}},
        }
    )
    (spec,) = read(text, "mcp.json", {"HOME": "/h/${X}"}).specs
    assert isinstance(spec.transport, StdioTransport)
    assert spec.transport.argv == ("npx", "server-files", "/h/${X}", "--mode=ro")


def test_an_unknown_key_in_a_template_is_told_where_it_stands() -> None:
    text = '{"templates": {"t": {\n"comand": "x"}}, "mcpServers": {"s": {"extend": "t", "command": "y"}}}'
    with pytest.raises(ConfigError) as caught:
        read(text, "mcp.json", {})
    assert [(p.line, p.key) for p in caught.value.problems] == [(2, "mcpServers.s.comand")]
