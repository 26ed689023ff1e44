"""TOML: what the standard library reads, with the place of everything."""

import json
import tomllib
from pathlib import Path
from typing import Any, Final

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from tests.support.golden import compare

from onemcp.config.jsonc import MAX_DEPTH
from onemcp.config.node import Node, plain
from onemcp.config.toml_text import scan
from onemcp.errors import ConfigError

GOLDEN: Final = Path(__file__).parent / "golden"
KEYS = st.sampled_from(["a", "b-c", "d_1", "", "é", "x.y", '"', "'", "\\", "a b", "1"]) | st.text(max_size=4)
SCALARS = (
    st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=12)
)
INLINE = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3),
    max_leaves=8,
)
TABLES = st.recursive(
    st.dictionaries(KEYS, INLINE, max_size=3),
    lambda inner: st.dictionaries(KEYS, INLINE | inner | st.lists(inner, min_size=1, max_size=3), max_size=4),
    max_leaves=8,
)
SNIPPETS = st.lists(
    st.sampled_from(
        [
            *" \n\t\r=[]{},.#\"'\\1-+_:eéab",
            *(
                "a = 1\n",
                "b = [",
                "[a]\n",
                "[[a]]\n",
                "[a.b]\n",
                "a.b = ",
                '"""',
                "'''",
                '"x"',
                "'x'",
                "true",
                "inf",
            ),
            *(
                "{a = 1}",
                "1979-05-27",
                "07:32:00",
                "0x1f",
                '"\\ud800"',
                "\ufeff",
                "\x00",
                "\ud800",
                "1e999",
                "# x",
            ),
        ]
    ),
    max_size=25,
).map("".join)


def key_of(name: str) -> str:
    return name if name.isascii() and name.replace("-", "").replace("_", "").isalnum() else _quoted(name)


def _quoted(text: str) -> str:
    return json.dumps(text).replace("\x7f", "\\u007f") if text.isascii() else _quoted_as_it_is(text)


def _quoted_as_it_is(text: str) -> str:
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")


class Writer:
    """A value as TOML, in one of the many ways that there are."""

    def __init__(self, data: st.DataObject) -> None:
        self._data = data
        self.lines: list[str] = []

    def table(self, value: dict[str, Any], path: tuple[str, ...] = ()) -> None:
        later: list[tuple[str, Any]] = []
        for name, inner in value.items():
            tables = isinstance(inner, list) and inner and all(isinstance(item, dict) for item in inner)
            if (tables or isinstance(inner, dict)) and self._drawn(["below", "here"]) == "below":
                later.append((name, inner))
            elif isinstance(inner, dict) and inner and self._drawn(["dotted", "inline"]) == "dotted":
                self.lines += [
                    f"{self._indent()}{key_of(name)} . {key_of(key)}={self.inline(item)}"
                    for key, item in inner.items()
                ]
            else:
                self.lines.append(f"{self._indent()}{key_of(name)} = {self.inline(inner)}{self._remark()}")
        for name, inner in later:
            below = (*path, name)
            header = ".".join(map(key_of, below))
            for item in inner if isinstance(inner, list) else [inner]:
                self.lines.append(
                    f"[[ {header} ]]" if isinstance(inner, list) else f"[{header}]{self._remark()}"
                )
                self.table(item, below)

    def inline(self, value: Any) -> str:
        if isinstance(value, dict):
            return "{ " + ", ".join(f"{key_of(name)} = {self.inline(v)}" for name, v in value.items()) + " }"
        if isinstance(value, list):
            gap = self._drawn(["", "\n", " # ] remark\n "])
            return f"[{gap}" + f",{gap}".join(map(self.inline, value)) + f"{gap}]"
        if isinstance(value, str):
            return self._string(value)
        if isinstance(value, bool):
            return str(value).lower()
        return repr(value)

    def _string(self, value: str) -> str:
        if value.isprintable() and "'" not in value and self._drawn(["single", "double"]) == "single":
            return self._drawn(["'{}'", "'''{}'''", "'''\n{}'''"]).format(value)
        inner = _quoted(value)[1:-1]
        # After a backslash at the end of a line all space is skipped.
        gap = "" if value.startswith(" ") else "\\\n   "
        return self._drawn([f'"{inner}"', f'"""{inner}"""', f'"""{gap}{inner}"""'])

    def _indent(self) -> str:
        return self._drawn(["", "  ", "\n", "# remark [a] = 1\n"])

    def _remark(self) -> str:
        return self._drawn(["", "  # [a]"])

    def _drawn(self, choices: list[str]) -> str:
        return self._data.draw(st.sampled_from(choices))


def refused(text: str) -> str:
    with pytest.raises(ConfigError) as caught:
        scan(text, "mcp.toml")
    assert len(caught.value.problems) == 1
    return str(caught.value).removeprefix("mcp.toml:")


def check(node: Node, text: str) -> None:
    """Everything stands where its node says."""
    lines = text.replace("\r\n", "\n").split("\n")
    piece = text[node.start : node.end]
    assert lines[node.line - 1][node.column - 1 :].startswith(piece.split("\n", maxsplit=1)[0].rstrip("\r"))
    if isinstance(node.value, dict):
        if piece.startswith("{"):
            assert tomllib.loads(f"it = {piece}")["it"] == plain(node)
        for name, member in node.value.items():
            assert tomllib.loads(f"{text[member.key.start : member.key.end]} = 1") == {name: 1}
            check(member.value, text)
    elif isinstance(node.value, list):
        for item in node.value:
            check(item, text)
    else:
        assert tomllib.loads(f"it = {piece}")["it"] == node.value


@given(TABLES, st.data(), st.sampled_from(["\n", "\r\n"]))
def test_what_is_written_comes_back_with_the_place_of_everything(
    value: Any, data: st.DataObject, end: str
) -> None:
    writer = Writer(data)
    writer.table(value)
    text = "\n".join(writer.lines).replace("\n", end)
    assert tomllib.loads(text) == value
    node, problems = scan(text)
    assert problems == ()
    assert plain(node) == value
    assert isinstance(node.value, dict)
    for member in node.value.values():
        check(member.value, text)


@given(SNIPPETS | st.text())
@example("a = " + "[" * 5000)
@example("a = " + "{a = " * 5000)
@example("a = " + "1" * 5000)
@example("\ufeff\ufeff")
@example('a = "' + "\\" * 5001)
def test_any_text_is_a_tree_or_an_error_with_a_place_in_the_text(text: str) -> None:
    lines = text.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n").split("\n")
    try:
        node, problems = scan(text)
    except ConfigError as error:
        problems = error.problems
    else:
        json.dumps(plain(node), allow_nan=False).encode()
    for problem in problems:
        assert problem.what
        assert 1 <= problem.line <= len(lines)
        assert 1 <= problem.column <= len(lines[problem.line - 1]) + 2


def test_keys_values_and_tables_stand_where_they_are_named() -> None:
    text = (
        "\ufeffport = 3050\r\n"
        "[mcpServers.git]\r\n"
        'command = ["git-mcp", "é😀", {x = 1}] # remark\r\n'
        'env."A B".c = """\r\n[no]\r\nheader = 1"""\r\n'
        "[[mcpServers.git.roots]]\r\n"
        "uri = 'a'\r\n"
        "[[mcpServers.git.roots]]\r\n"
        "uri = 'b'\r\n"
    )
    node, problems = scan(text, "mcp.toml")
    places: dict[str, tuple[int, int]] = {}

    def walk(node: Node, path: str) -> None:
        places[path] = (node.line, node.column)
        if isinstance(node.value, dict):
            for name, member in node.value.items():
                places[f"{path}.{name}:key"] = (member.key.line, member.key.column)
                walk(member.value, f"{path}.{name}")
        elif isinstance(node.value, list):
            for index, item in enumerate(node.value):
                walk(item, f"{path}[{index}]")

    walk(node, "")
    assert problems == ()
    assert places == {
        "": (1, 1),
        ".port:key": (1, 1),
        ".port": (1, 8),
        ".mcpServers:key": (2, 2),
        ".mcpServers": (2, 2),
        ".mcpServers.git:key": (2, 13),
        ".mcpServers.git": (2, 1),
        ".mcpServers.git.command:key": (3, 1),
        ".mcpServers.git.command": (3, 11),
        ".mcpServers.git.command[0]": (3, 12),
        ".mcpServers.git.command[1]": (3, 23),
        ".mcpServers.git.command[2]": (3, 29),
        ".mcpServers.git.command[2].x:key": (3, 30),
        ".mcpServers.git.command[2].x": (3, 34),
        ".mcpServers.git.env:key": (4, 1),
        ".mcpServers.git.env": (4, 1),
        ".mcpServers.git.env.A B:key": (4, 5),
        ".mcpServers.git.env.A B": (4, 5),
        ".mcpServers.git.env.A B.c:key": (4, 11),
        ".mcpServers.git.env.A B.c": (4, 15),
        ".mcpServers.git.roots:key": (7, 18),
        ".mcpServers.git.roots": (7, 1),
        ".mcpServers.git.roots[0]": (7, 1),
        ".mcpServers.git.roots[0].uri:key": (8, 1),
        ".mcpServers.git.roots[0].uri": (8, 7),
        ".mcpServers.git.roots[1]": (9, 1),
        ".mcpServers.git.roots[1].uri:key": (10, 1),
        ".mcpServers.git.roots[1].uri": (10, 7),
    }


def test_a_table_above_its_own_header_stands_where_it_is_named_first() -> None:
    node, _ = scan("[a.b]\nx = 1\n[a]\ny = 2\n")
    assert isinstance(node.value, dict)
    assert plain(node) == {"a": {"b": {"x": 1}, "y": 2}}
    assert (node.value["a"].key.line, node.value["a"].value.line) == (1, 1)


def test_an_empty_text_is_an_empty_object() -> None:
    node, problems = scan("# nothing\n")
    assert (node.value, node.line, node.column, problems) == ({}, 1, 1, ())


def test_nesting_goes_as_deep_as_in_json_and_no_deeper() -> None:
    fits = "[" * (MAX_DEPTH - 1) + "1" + "]" * (MAX_DEPTH - 1)
    assert plain(scan(f"a = {fits}")[0])
    assert refused(f"a = [{fits}]") == "1:205: nested deeper than 200 levels"
    path = ".".join("a" * MAX_DEPTH)
    assert plain(scan(f"{path} = 1")[0])
    assert refused(f"{path}.a = 1") == "1:401: nested deeper than 200 levels"
    assert refused(f"[{path}]\nb = 1") == "2:1: nested deeper than 200 levels"
    assert refused(f"[[{path}]]") == "1:1: nested deeper than 200 levels"
    assert refused("a = " + "[" * 100_000) == "1:205: nested deeper than 200 levels"
    assert refused("a." * 100_000) == "1:401: nested deeper than 200 levels"


def test_what_is_wrong_with_single_values_is_told_at_once() -> None:
    text = (GOLDEN / "faulty_values.toml").read_text(encoding="utf-8")
    node, problems = scan(text, "mcp.toml")
    compare(GOLDEN / "faulty_values_toml.txt", "".join(f"{problem}\n" for problem in problems))
    assert plain(node)["expires"] == "2026-01-01 10:00:00Z"
    assert plain(node)["mcpServers"]["git"]["timeout"] is None


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("a = 1\nb = 2\na = 3", "3:1: a: the key stands here a second time, first at 1:1; keep one"),
        (
            "[t]\n'a b' = 1\n\"a b\" = 2",
            "3:1: a b: the key stands here a second time, first at 2:1; keep one",
        ),
        ("a = {b = 1, b = 2}", "1:13: b: the key stands here a second time, first at 1:6; keep one"),
        ("[a]\n[a]", "2:3: the table is here a second time, or its name has a value already; keep one"),
        ("a = {}\n[a.b]", "2:5: the table is here a second time, or its name has a value already; keep one"),
        ("a = {}\na.b = 1", "2:8: nothing can be added to a value that is written whole"),
        (
            "[a.b]\n[a]\nb.c = 1",
            "3:8: the key leads into a table that has a header of its own; write it below that header",
        ),
        ("a", "1:2: expected = after the key"),
        ("a: 1", "1:2: expected = after the key"),
        ("= 1", "1:1: expected a key, or the name of a table in [ ]"),
        ("{}", "1:1: expected a key, or the name of a table in [ ]"),
        ("é = 1", "1:1: expected a key, or the name of a table in [ ]"),
        (
            "a.é = 1",
            "1:3: expected a key; a key with more than letters, digits, - and _ in it stands in quotes",
        ),
        ("[a", "1:3: the name of the table does not end, ] is missing"),
        ("[[a]", "1:4: the name of the table does not end, ] is missing"),
        ("a = ", "1:5: this is no value; text stands in double quotes; there is no null in TOML"),
        ("a = null", "1:5: this is no value; text stands in double quotes; there is no null in TOML"),
        ("\ufeffa = True", "1:5: this is no value; text stands in double quotes; there is no null in TOML"),
        ("a = 1 b = 2", "1:7: expected the end of the line; each key stands on its own line"),
        ("a = 012", "1:6: expected the end of the line; each key stands on its own line"),
        ("a = [1 2]", "1:8: expected , or ] in the array"),
        ("a = {b = 1", "1:11: expected , or } in the inline table"),
        ("a = 'x", "1:7: the string does not end"),
        ('a = "x', "1:7: the string does not end"),
        ('a = """x', "1:9: the string does not end"),
        ('a = "x\n', "1:7: the string does not end on its line"),
        ("a = '''x", "1:9: the string does not end"),
        (
            'a = "C:\\dir"',
            "1:10: this is no escape; a backslash itself is written \\\\, or the text stands in single quotes",
        ),
        ('a = "\\ud83d"', "1:12: the escape is no character; a character beyond U+FFFF is written as it is"),
        ("a = 1\r\nb = '\ud83d'", "2:6: half of a surrogate pair"),
        (f"a = 1\nb = -{'1' * 5000}", "2:5: the number is too large"),
    ],
)
def test_an_error_says_what_is_wrong_where_and_what_to_write(text: str, sentence: str) -> None:
    assert refused(text) == sentence
