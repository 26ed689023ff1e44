"""What a variable, a secret or a parameter holds arrives as it is, whatever it looks like and wherever it stands."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from onemcp.config.document import draft, drafted
from onemcp.config.secrets.reference import parse
from onemcp.config.secrets.secret import Secret
from onemcp.config.sources import Source
from onemcp.core.spec import StdioTransport

TRAPS: Final = [
    "${A}",
    "$${A}",
    "${A:-x}",
    "${SECRET:key}",
    "${param:inner}",
    "${param:outer}",
    "${",
    "}",
    "$$",
]
VALUES: Final = st.lists(
    st.sampled_from(TRAPS) | st.text(st.characters(exclude_characters="\0", codec="utf-8")), max_size=4
).map("".join)
OVER: Final = {"mcpServers": {"s": {"env": {"MARK": "over"}}}}


def environment(
    config: Mapping[str, Any], environ: Mapping[str, str], secrets: Mapping[str, str] | None = None
) -> dict[str, str]:
    """What the server `s` is given, with the configuration in two files."""
    sources = [
        Source("mcp.json", json.dumps(config)),
        Source("mcp.test.json", json.dumps(OVER), is_overlay=True),
    ]
    known = {parse(name): Secret(text) for name, text in (secrets or {}).items()}
    (spec,) = drafted(sources, Path("none"), environ).document(secrets=known).specs
    assert spec.fault is None
    assert isinstance(spec.transport, StdioTransport)
    found = dict(spec.transport.env)
    assert found.pop("MARK") == "over"
    return found


def server(**env: str) -> dict[str, Any]:
    return {"command": "x", "env": env}


@given(VALUES)
def test_a_variable(value: str) -> None:
    config = {"mcpServers": {"s": server(V="<${V}>")}}
    assert environment(config, {"V": value, "A": "no"}) == {"V": f"<{value}>"}


@given(VALUES.filter(bool))
def test_a_secret(value: str) -> None:
    config = {"mcpServers": {"s": server(V="<${SECRET:key}>")}}
    assert environment(config, {"A": "no"}, {"key": value}) == {"V": f"<{value}>"}


@given(VALUES)
def test_a_variable_that_comes_by_a_parameter(value: str) -> None:
    config = {
        "templates": {"t": {**server(V="<${param:inner}>"), "parameters": {"inner": None, "outer": "no"}}},
        "mcpServers": {"s": {"extend": "t", "parameters": {"inner": "${V}"}}},
    }
    assert environment(config, {"V": value, "A": "no"}) == {"V": f"<{value}>"}


@pytest.mark.parametrize("value", ["${A}", "$${A}", "${SECRET:key}", "${param:inner}"])
def test_a_value_of_the_file_of_values(tmp_path: Path, value: str) -> None:
    (tmp_path / "mcp.json").write_text(json.dumps({"mcpServers": {"s": server(V="${V}")}}))
    (tmp_path / ".env").write_text(f"V={value}\nA=no\n")
    (spec,) = draft(tmp_path / "mcp.json", {}).document().specs
    assert isinstance(spec.transport, StdioTransport)
    assert dict(spec.transport.env) == {"V": value}
