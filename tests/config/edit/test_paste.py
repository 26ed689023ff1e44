"""The text to paste means what was to be said."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from onemcp.config.edit.paste import as_toml, as_yaml
from onemcp.config.node import plain
from onemcp.config.text import scan

TEXTS = st.text(st.characters(codec="utf-8"), max_size=6) | st.sampled_from(
    ["no", "1:30", "022", "a: b", "#", "\x7f\x85\u2028\U000e0001", "${A}", "- x", "true", "", "é"]
)
SCALARS: st.SearchStrategy[Any] = st.booleans() | st.integers(-(2**53), 2**53) | TEXTS
FLOATS = st.floats(allow_nan=False, allow_infinity=False)
VALUES: st.SearchStrategy[Any] = st.recursive(
    SCALARS | FLOATS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=6,
)
ENTRIES = st.dictionaries(TEXTS.filter(lambda name: name != "<<"), VALUES, max_size=4)


@given(TEXTS, ENTRIES)
def test_toml_says_what_was_meant(name: str, entry: dict[str, Any]) -> None:
    root, problems = scan(as_toml(("mcpServers", name), entry), "mcp.toml")
    assert (plain(root), problems) == ({"mcpServers": {name: entry}}, ())


@given(TEXTS.filter(lambda name: name != "<<"), ENTRIES.filter(lambda entry: "<<" not in str(entry)))
def test_yaml_says_what_was_meant(name: str, entry: dict[str, Any]) -> None:
    root, problems = scan(as_yaml({"mcpServers": {name: entry}}), "mcp.yaml")
    assert (plain(root), problems) == ({"mcpServers": {name: entry}}, ())


def test_toml_has_no_null() -> None:
    assert as_toml(("s",), {"a": None, "b": {"c": None, "d": 1}}) == "[s]\nb = { d = 1 }"


@pytest.mark.parametrize("indent", ["", "    "])
def test_yaml_is_laid_out_as_people_write_it(indent: str) -> None:
    entry = {"command": "npx", "args": ["-y", "x"], "env": {"A": "b", "no": ""}, "headers": {}}
    lines = [
        "a:",
        '  command: "npx"',
        '  args: ["-y", "x"]',
        "  env:",
        '    A: "b"',
        '    "no": ""',
        "  headers: {}",
    ]
    assert as_yaml({"a": entry}, indent) == "\n".join(indent + line for line in lines)
