"""JSON with comments, and where its values stand."""

import json
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from onemcp.config.jsonc import MAX_DEPTH, parse, scan
from onemcp.config.node import Member, Node, plain
from onemcp.errors import ConfigError, Problem

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=20,
)
GAPS: st.SearchStrategy[Any] = st.lists(
    st.sampled_from(
        [" ", "\t", "\n", "\r\n", "\r", "// a } ] remark\n", "/* one, \n two */", "/**/", "/*/ */"]
    ),
    max_size=3,
).map("".join)
FLAGS: st.SearchStrategy[Any] = st.booleans()
SNIPPETS = st.lists(
    st.sampled_from(
        [
            *'{}[]:,"\\/*-+.eE01 \n\r\t',
            "true",
            "nul",
            "NaN",
            "\\u",
            "d83d",
            "\ufeff",
            "//",
            '"a"',
            "é",
            "\x00",
            "\ud800",
        ]
    )
).map("".join)


def fault_of(text: str) -> Problem:
    with pytest.raises(ConfigError) as caught:
        parse(text, "mcp.json")
    return caught.value.problems[0]


def written(value: Any, data: st.DataObject) -> str:
    """The value as JSON with comments and commas in all places that may have them."""

    def space() -> str:
        return str(data.draw(GAPS))

    def last(items: list[str]) -> str:
        return "," + space() if items and data.draw(FLAGS) else ""

    def text(part: Any) -> str:
        if isinstance(part, dict):
            members = [
                f"{space()}{json.dumps(key)}{space()}:{space()}{text(inner)}{space()}"
                for key, inner in part.items()
            ]
            return "{" + space() + ",".join(members) + last(members) + "}"
        if isinstance(part, list):
            items = [f"{space()}{text(inner)}{space()}" for inner in part]
            return "[" + space() + ",".join(items) + last(items) + "]"
        return json.dumps(part, ensure_ascii=data.draw(FLAGS))

    return space() + text(value) + space()


@given(VALUES, st.none() | st.integers(0, 4), FLAGS)
def test_what_json_writes_comes_back(value: Any, indent: int | None, ascii_only: Any) -> None:
    assert plain(parse(json.dumps(value, indent=indent, ensure_ascii=ascii_only))) == value


@given(VALUES, st.data())
def test_comments_and_trailing_commas_change_nothing(value: Any, data: st.DataObject) -> None:
    assert plain(parse(written(value, data))) == value


@given(st.text() | SNIPPETS)
@example("1" * 5000)
@example("1e999")
@example("[" * 1000)
@example("[" * 100_000)
@example('{"a":' * 1000)
@example("/*" * 1000)
@example('"\\ud800')
@example('"\\ud83d\\u0041"')
@example("\ufeff")
def test_any_text_is_a_value_or_an_error_with_a_place_in_the_text(text: str) -> None:
    try:
        parse(text)
    except ConfigError as error:
        lines = text.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n").split("\n")
        for problem in error.problems:
            assert problem.what
            assert 1 <= problem.line <= len(lines)
            assert 1 <= problem.column <= len(lines[problem.line - 1]) + 2


@given(st.text() | SNIPPETS)
def test_nothing_is_taken_that_json_does_not_take_once_comments_and_commas_are_out(text: str) -> None:
    if "/" in text or "," in text:
        return
    try:
        value = plain(parse(text))
    except ConfigError:
        return
    assert json.loads(text.removeprefix("\ufeff")) == value


@given(VALUES, st.data())
def test_every_value_stands_where_its_node_says(value: Any, data: st.DataObject) -> None:
    text = written(value, data)
    lines = text.replace("\r\n", "\n\0").replace("\r", "\n").replace("\0", "").split("\n")

    def check(node: Node) -> None:
        piece = text[node.start : node.end]
        assert plain(parse(piece)) == plain(node)
        assert lines[node.line - 1][node.column - 1] == piece[0]
        if isinstance(node.value, dict):
            for name, member in node.value.items():
                assert json.loads(text[member.key.start : member.key.end]) == name
                check(member.value)
        elif isinstance(node.value, list):
            for inner in node.value:
                check(inner)

    check(parse(text))


def test_columns_count_characters_and_the_byte_order_mark_is_none() -> None:
    node = parse('\ufeff{"é😀": 1,\r\n "b": 2}')
    assert isinstance(node.value, dict)
    assert (node.line, node.column) == (1, 1)
    first, second = node.value.values()
    assert isinstance(first, Member)
    assert (first.value.line, first.value.column) == (1, 8)
    assert (second.key.line, second.key.column) == (2, 2)


def test_a_surrogate_pair_is_one_character() -> None:
    assert plain(parse('"\\ud83d\\ude00"')) == "😀"


def test_a_repeated_key_is_told_with_both_places() -> None:
    text = '{"a": 1,\n "b": {"c": 1, "c": 2},\n "a": 3}'
    with pytest.raises(ConfigError) as caught:
        parse(text, "mcp.json")
    assert [str(problem) for problem in caught.value.problems] == [
        "mcp.json:2:16: c: the key stands here a second time, first at 2:8; keep one",
        "mcp.json:3:2: a: the key stands here a second time, first at 1:2; keep one",
    ]


def test_scanning_keeps_the_last_of_repeated_keys_and_tells_of_them() -> None:
    node, repeated = scan('{"a": 1, "\\u0061": 2}')
    assert plain(node) == {"a": 2}
    assert [problem.key for problem in repeated] == ["a"]


def test_nesting_goes_as_deep_as_said_and_no_deeper() -> None:
    assert plain(parse("[" * MAX_DEPTH + "{}" + "]" * MAX_DEPTH))
    assert (
        fault_of("[" * (MAX_DEPTH + 1) + "1" + "]" * (MAX_DEPTH + 1)).what == "nested deeper than 200 levels"
    )


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", '1:1: there is nothing in it; an empty configuration is {"mcpServers": {}}'),
        ("// only a remark", '1:17: there is nothing in it; an empty configuration is {"mcpServers": {}}'),
        ("{} {}", "1:4: { after the end of the value; one file holds one value"),
        ("{'a': 1}", '1:2: expected a key, found \'; keys stand in double quotes, as "key"'),
        ("{a: 1}", '1:2: expected a key, found a; keys stand in double quotes, as "key"'),
        ("['a']", "1:2: expected a value, found '; strings stand in double quotes"),
        ('{"a" 1}', "1:6: expected : after the key, found 1"),
        ('{"a": }', "1:7: expected a value, found }"),
        ('{"a": 1 "b": 2}', '1:9: expected , or } in the object, found "'),
        ("[1 2]", "1:4: expected , or ] in the array, found 2"),
        ("[,]", "1:2: expected a value, found ,"),
        ("[1,,2]", "1:4: expected a value, found ,"),
        ("{,}", '1:2: expected a key, found ,; keys stand in double quotes, as "key"'),
        ('{\n"a": [1,', "2:9: the text ends inside the array that begins at 2:6"),
        ('{"a": {}', "1:9: the text ends inside the object that begins at 1:1"),
        ('["a\n"]', '1:2: the string does not end on its line, " is missing'),
        ('["a', '1:2: the string does not end on its line, " is missing'),
        ('"a\tb"', "1:3: control character U+0009 in a string; write it as \\u0009"),
        ('"C:\\dir"', "1:4: \\d is no escape; a backslash itself is written \\\\"),
        ('"\\u12g4"', "1:2: \\u is no escape; a backslash itself is written \\\\"),
        ('"\\ude00"', "1:2: \\ude00 is half of a surrogate pair"),
        ("NaN", "1:1: NaN is no value; strings stand in double quotes"),
        ("-Infinity", "1:1: -Infinity is no number"),
        ("[True]", "1:2: True is no value; write true"),
        ("[None]", "1:2: None is no value; write null"),
        ("[hello]", "1:2: hello is no value; strings stand in double quotes"),
        ("[01]", "1:2: 01 is no number"),
        ("[1.]", "1:2: 1. is no number"),
        ("[.5]", "1:2: .5 is no value; strings stand in double quotes"),
        ("[1e999]", "1:2: the number is too large"),
        ("/* never", "1:1: the comment does not end, */ is missing"),
        ("[1, / 2]", "1:5: expected a value, found /"),
        ("\u00a0{}", "1:1: expected a value, found '\\xa0'"),
    ],
)
def test_an_error_says_what_is_wrong_where_and_what_to_write(text: str, sentence: str) -> None:
    assert str(fault_of(text)) == f"mcp.json:{sentence}"


@pytest.mark.parametrize("word", ["sk-live-4242", "ghp_abc", "c4n4ry", "abcdefghijklmnop"])
def test_what_may_be_a_secret_without_its_quotes_is_not_repeated(word: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse(f'{{"API_KEY": {word}}}', "mcp.json")
    assert word not in str(caught.value)
    assert "strings stand in double quotes" in str(caught.value)
