"""Changing a member of JSON with comments leaves everything else as it is written."""

import json
from itertools import islice
from typing import Any, Final

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from onemcp.config.edit.members import member_at, with_member, with_text, without_member
from onemcp.config.jsonc import parse
from onemcp.config.node import Node, plain

NAMES: Final = st.sampled_from(["a", "b", "c", "d e", 'q"', "\\", "é", "//", "/* x */", "{"])
LEAVES: st.SearchStrategy[Any] = st.sampled_from([None, True, 0, -1.5, "", "x // y", 'a"b', ",}", "\u2028"])
OBJECTS: st.SearchStrategy[Any] = st.recursive(
    st.dictionaries(NAMES, LEAVES, max_size=4),
    lambda inner: st.dictionaries(NAMES, inner | st.lists(LEAVES | inner, max_size=3), max_size=4),
    max_leaves=12,
)
VALUES: Final = LEAVES | OBJECTS | st.lists(LEAVES | OBJECTS, max_size=3)
REMARKS: Final = ["// a } ] , remark", "/* one, \n two */", "/**/", '// "old": 1,', "/* , */"]
BLANKS: Final = ["", " ", "\t", "\n", "\n\n", "\n  "]


@st.composite
def texts(draw: st.DrawFn) -> tuple[str, Any]:
    """A text with remarks in all places, and what it means; line ends, commas and indentation are of any kind."""
    newline = draw(st.sampled_from(["\n", "\r\n", "\r"]))
    lean = draw(st.booleans())

    def space() -> str:
        parts = draw(st.lists(st.sampled_from(BLANKS if lean else BLANKS + REMARKS), max_size=3))
        return "".join(f"{part}\n" if part.startswith("//") else part for part in parts)

    def written(value: Any) -> str:
        if not isinstance(value, dict | list) or not value:
            return json.dumps(value) if not isinstance(value, dict | list) else _around(value)
        parts = (
            [
                f"{space()}{json.dumps(key)}{space()}:{space()}{written(part)}{space()}"
                for key, part in value.items()
            ]
            if isinstance(value, dict)
            else [f"{space()}{written(part)}{space()}" for part in value]
        )
        last = f",{space()}" if draw(st.booleans()) else ""
        inner = ",".join(parts) + last
        return f"{{{inner}}}" if isinstance(value, dict) else f"[{inner}]"

    def _around(value: Any) -> str:
        return f"{{{space()}}}" if isinstance(value, dict) else f"[{space()}]"

    value = draw(OBJECTS)
    bom = draw(st.sampled_from(["", "\ufeff"]))
    return bom + (space() + written(value) + space()).replace("\n", newline), value


def paths(value: Any, prefix: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
    """Where all members stand."""
    if not isinstance(value, dict):
        return []
    return [path for key, part in value.items() for path in [(*prefix, key), *paths(part, (*prefix, key))]]


def objects(value: Any) -> list[tuple[str, ...]]:
    """Where all objects stand."""
    return [(), *(path for path in paths(value) if isinstance(at(value, path), dict))]


def at(value: Any, path: tuple[str, ...]) -> Any:
    for key in path:
        value = value[key]
    return value


def meant(value: Any, path: tuple[str, ...], new: Any) -> Any:
    """The value with another one there."""
    first, *rest = path
    return {**value, first: meant(value.get(first) or {}, tuple(rest), new) if rest else new}


def less(value: Any, path: tuple[str, ...]) -> Any:
    """The value without the member there."""
    first, *rest = path
    if rest:
        return {**value, first: less(value[first], tuple(rest))}
    return {key: part for key, part in value.items() if key != first}


def is_part_of(short: str, long: str) -> bool:
    """Whether nothing but characters taken away makes the one of the other."""
    rest = iter(long)
    return all(char in rest for char in short)


def values_of(text: str, without: tuple[str, ...]) -> dict[tuple[str, ...], str]:
    """All values as they are written, but for what is there and all that it stands in."""
    root = parse(text)
    found = {}
    for path in paths(plain(root)):
        if path[: len(without)] != without and path != without[: len(path)]:
            member = member_at(root, path)
            assert member is not None
            found[path] = text[member.value.start : member.value.end]
    return found


@given(texts(), st.data())
def test_a_new_member_is_there_and_taking_it_away_gives_the_text_back(
    given_: tuple[str, Any], data: st.DataObject
) -> None:
    text, value = given_
    path = (*data.draw(st.sampled_from(objects(value))), data.draw(NAMES))
    assume(path not in paths(value))
    new = data.draw(VALUES)
    more = with_member(text, path, new)
    assert plain(parse(more)) == meant(value, path, new)
    assert values_of(more, path) == values_of(text, path)
    assert is_part_of(text, more) or not at(value, path[:-1])
    back = without_member(more, path)
    assert plain(parse(back)) == value
    if at(value, path[:-1]):
        assert back == text
    else:  # the blanks in an object of which nothing else is left are not kept
        assert "".join(back.split()) == "".join(text.split())


@given(texts(), st.data())
def test_a_member_is_taken_away_and_nothing_of_the_others(
    given_: tuple[str, Any], data: st.DataObject
) -> None:
    text, value = given_
    assume(value)
    path = data.draw(st.sampled_from(paths(value)))
    rest = without_member(text, path)
    assert plain(parse(rest)) == less(value, path)
    assert values_of(rest, path) == values_of(text, path)
    assert is_part_of(rest, text)


@given(texts(), st.data(), VALUES)
def test_a_value_is_put_in_the_place_of_another_and_no_other_byte_changes(
    given_: tuple[str, Any], data: st.DataObject, new: Any
) -> None:
    text, value = given_
    assume(value)
    path = data.draw(st.sampled_from(paths(value)))
    other = with_member(text, path, new)
    assert plain(parse(other)) == meant(value, path, new)
    old = member_at(parse(text), path)
    assert old is not None
    assert other.startswith(text[: old.value.start])
    assert other.endswith(text[old.value.end :])


@given(texts(), st.data(), st.lists(NAMES, min_size=1, max_size=3), VALUES)
def test_objects_on_the_way_are_made(
    given_: tuple[str, Any], data: st.DataObject, deeper: list[str], new: Any
) -> None:
    text, value = given_
    path = (*data.draw(st.sampled_from(objects(value))), *deeper)
    node: Any = value
    for key in path:  # null on the way is as good as nothing there
        assume(isinstance(node, dict) or node is None)
        node = node.get(key) if node else None
    assert plain(parse(with_member(text, path, new))) == meant(value, path, new)


def test_something_else_on_the_way_is_refused() -> None:
    with pytest.raises(ValueError, match="a is no object"):
        with_member('{"a": 1}', ("a", "b"), 2)
    with pytest.raises(ValueError, match="the whole is no object"):
        with_member("[]", ("a",), 2)


def test_what_is_not_there_is_not_taken_away_nor_replaced() -> None:
    for path in (("b",), ("a", "b"), ("b", "c")):
        with pytest.raises(ValueError, match="there is no"):
            without_member('{"a": 1}', path)
        with pytest.raises(ValueError, match="there is no"):
            with_text('{"a": 1}', path, "2")


def test_a_text_takes_the_place_of_a_value_as_it_is() -> None:
    assert with_text('{"a": 1, "b": 2}', ("a",), "{ /* x */ }") == '{"a": { /* x */ }, "b": 2}'


SERVER: Final = {"command": "npx", "args": ["-y", "x"], "env": {"A": "b"}}
ADDED: Final = {
    "two blanks": (
        '{\n  "mcpServers": {\n    "a": {} // last\n    // below\n  }\n}\n',
        (
            '{\n  "mcpServers": {\n    "a": {}, // last\n    "n": {\n      "command": "npx",\n      "args": ["-y", "x"],\n'
            '      "env": {\n        "A": "b"\n      }\n    }\n    // below\n  }\n}\n'
        ),
    ),
    "tabs, CRLF and a comma at the end": (
        '{\r\n\t"mcpServers": {\r\n\t\t"a": {},\r\n\t},\r\n}',
        (
            '{\r\n\t"mcpServers": {\r\n\t\t"a": {},\r\n\t\t"n": {\r\n\t\t\t"command": "npx",\r\n\t\t\t"args": ["-y", "x"],'
            '\r\n\t\t\t"env": {\r\n\t\t\t\t"A": "b",\r\n\t\t\t},\r\n\t\t},\r\n\t},\r\n}'
        ),
    ),
    "one line": (
        '{"mcpServers": {"a": {}}}',
        '{"mcpServers": {"a": {}, "n": {"command": "npx", "args": ["-y", "x"], "env": {"A": "b"}}}}',
    ),
    "one line, tight": (
        '{"mcpServers":{"a":{}}}',
        '{"mcpServers":{"a":{},"n":{"command":"npx","args":["-y","x"],"env":{"A":"b"}}}}',
    ),
    "no servers": (
        '\ufeff{"mcpServers": {}}',
        (
            '\ufeff{"mcpServers": {\n  "n": {\n    "command": "npx",\n    "args": ["-y", "x"],\n    "env": {\n      "A": "b"\n'
            "    }\n  }\n}}"
        ),
    ),
    "a remark in the place of servers": (
        '{\n    "mcpServers": { // ours\n        // none yet\n    }\n}',
        (
            '{\n    "mcpServers": { // ours\n        "n": {\n            "command": "npx",\n            "args": ["-y", "x"],\n'
            '            "env": {\n                "A": "b"\n            }\n        }\n        // none yet\n    }\n}'
        ),
    ),
}


@pytest.mark.parametrize(("before", "after"), ADDED.values(), ids=ADDED)
def test_a_member_is_laid_out_like_the_text_around_it(before: str, after: str) -> None:
    assert with_member(before, ("mcpServers", "n"), SERVER) == after
    assert without_member(after, ("mcpServers", "n")) == before


LIST: Final = """{
  // ours
  "mcpServers": { // all

    // about a
    "a": {}, // a too

    // not about b

    // about b
    /* and b */
    "b": {},
    // "old": {},
    // }
    "c": {}, "d": {} /* d */
    // below
  }
}
"""
TAKEN: Final = {
    "a": ('    // about a\n    "a": {}, // a too\n\n', ""),
    "b": ('\n\n    // about b\n    /* and b */\n    "b": {},', ""),
    "c": ('"c": {}, ', ""),
    "d": (', "d": {} /* d */', ""),
}


@pytest.mark.parametrize("name", TAKEN)
def test_what_belongs_to_a_member_goes_with_it(name: str) -> None:
    assert without_member(LIST, ("mcpServers", name)) == LIST.replace(*TAKEN[name])


def test_all_members_can_be_taken_away_one_after_the_other() -> None:
    for names in ("abcd", "dcba", "bdac"):
        text = LIST
        for name in names:
            text = without_member(text, ("mcpServers", name))
        assert plain(parse(text)) == {"mcpServers": {}}
        assert next(line.strip() for line in text.splitlines() if "//" in line) == "// ours"
        assert "// below" in text
        assert '// "old"' in text


def test_a_long_array_has_a_line_for_each_element() -> None:
    args = [f"--option-{number}" for number in islice(range(99), 12)]
    text = with_member('{\n  "a": 1\n}', ("args",), args)
    assert text == json.dumps({"a": 1, "args": args}, indent=2)


def test_a_hundred_levels_down_is_no_different() -> None:
    keys = ["k"] * 100
    text = with_member("{}", [*keys, "a"], 1)
    text = with_member(text, [*keys, "b"], 2)
    node: Node = parse(text)
    member = member_at(node, [*keys, "b"])
    assert member is not None
    assert member.value.value == 2
    assert with_member("{}", [*keys, "a"], 1) == without_member(text, [*keys, "b"])
