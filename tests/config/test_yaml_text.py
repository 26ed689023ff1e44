"""YAML: what it means, where its values stand, and what is refused."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any, Final

import pytest
import yaml
from hypothesis import example, given
from hypothesis import strategies as st
from tests.support.golden import compare

from onemcp.config.jsonc import MAX_DEPTH
from onemcp.config.node import Node, plain
from onemcp.config.yaml_text import scan
from onemcp.config.yaml_tree import MAX_ADDED, tree
from onemcp.errors import ConfigError

GOLDEN: Final = Path(__file__).parent / "golden"
LOADERS: Final = [
    pytest.param(loader, id=loader.__name__)
    for loader in (yaml.SafeLoader, *([yaml.CSafeLoader] if yaml.__with_libyaml__ else []))
]
"""The library with and without its C part."""
TEXTS = st.text(max_size=12) | st.text(
    st.sampled_from(" \t\n:#-?&*!|>'\"%@`{}[],~<=\\0178.eExon"), max_size=8
)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXTS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4),
    max_leaves=20,
)
SNIPPETS = st.lists(
    st.sampled_from(
        [
            *" \n\t\r:-?,[]{}#&*!|>'\"%@`\\~.0=<",
            *(
                "\n  ",
                "\n    ",
                "\n- ",
                "\n  - ",
                ": ",
                "a",
                "b: ",
                "&x ",
                "*x",
                "<<: ",
                "<<: *x\n",
                "!!str ",
                "!t ",
            ),
            *(
                "---\n",
                "...\n",
                "%YAML 1.2\n",
                "|+2\n",
                ">-\n",
                "'x'",
                '"y"',
                "012",
                ".nan",
                "1e999",
                "null",
                "true",
            ),
            *(
                '"\\ud800"',
                '"\\x4"',
                '"\\U00110000"',
                "é",
                "😀",
                "\ufeff",
                "\x00",
                "\x85",
                "\u2028",
                "\ud800",
            ),
        ]
    ),
    max_size=25,
).map("".join)


class Writer(yaml.SafeDumper):
    """The library's writer knows what a plain string is in YAML 1.1; those of 1.2's numbers are put in quotes."""


def _text(writer: yaml.SafeDumper, value: str) -> yaml.ScalarNode:
    style = '"' if value[:1] in frozenset("+-.0123456789") or not value.isascii() else None
    return writer.represent_scalar("tag:yaml.org,2002:str", value, style=style)


Writer.add_representer(str, _text)


def refused(text: str) -> str:
    with pytest.raises(ConfigError) as caught:
        scan(text, "mcp.yaml")
    assert len(caught.value.problems) == 1
    return str(caught.value).removeprefix("mcp.yaml:")


def beside(text: str) -> list[str]:
    return [str(problem).removeprefix("mcp.yaml:") for problem in scan(text, "mcp.yaml")[1]]


def nodes(node: Node) -> list[Node]:
    """The node and all in it."""
    found = [node]
    if isinstance(node.value, dict):
        for member in node.value.values():
            found += [member.key, *nodes(member.value)]
    elif isinstance(node.value, list):
        for item in node.value:
            found += nodes(item)
    return found


@given(VALUES, st.booleans() | st.none(), st.booleans(), st.sampled_from(["\n", "\r\n", "\r"]))
def test_what_the_library_writes_comes_back_with_the_place_of_every_value(
    value: Any, flow: Any, ascii_only: Any, end: Any
) -> None:
    text = yaml.dump(
        value, Dumper=Writer, default_flow_style=flow, allow_unicode=not ascii_only, line_break=end
    )
    node, problems = scan(text)
    assert problems == ()
    assert plain(node) == value
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    for inner in nodes(node):
        assert 0 <= inner.start <= inner.end <= len(text)
        piece = text[inner.start : inner.end]
        assert lines[inner.line - 1][inner.column - 1 :].startswith(piece[:1].strip())
        if not isinstance(inner.value, (dict, list)):
            assert yaml.safe_load(piece) == inner.value or plain(scan(piece)[0]) == inner.value


@given(VALUES, st.none() | st.integers(1, 4))
def test_json_is_yaml(value: Any, indent: int | None) -> None:
    text = json.dumps(value, indent=indent, ensure_ascii=False)
    try:
        node, problems = scan(text)
    except ConfigError as error:
        (problem,) = error.problems
        assert "cannot stand in YAML" in problem.what
        return
    assert (plain(node), problems) == (value, ())


@pytest.mark.parametrize("loader", LOADERS)
@given(text=SNIPPETS | st.text())
@example(text="[" * 5000)
@example(text="- " * 5000)
@example(text="? " * 5000)
@example(text="{a: " * 5000)
@example(text="\ufeff\ufeff")
@example(text="a: !")
@example(text="1" * 5000)
def test_any_text_is_a_tree_or_an_error_with_a_place_in_the_text(text: str, loader: Any) -> None:
    lines = text.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n").split("\n")
    try:
        scan(text)  # what it refuses at once the library is never given
        node, problems = tree(text, "", loader)
    except ConfigError as error:
        problems = error.problems
    else:
        assert all(0 <= inner.start <= inner.end <= len(text) for inner in nodes(node))
        json.dumps(plain(node), allow_nan=False).encode()
    for problem in problems:
        assert problem.what
        assert 1 <= problem.line <= len(lines)
        assert 1 <= problem.column <= len(lines[problem.line - 1]) + 2


@given(text=SNIPPETS)
def test_with_and_without_its_c_part_the_library_says_the_same(text: str) -> None:
    found = []
    for loader in (yaml.SafeLoader, yaml.CSafeLoader if yaml.__with_libyaml__ else yaml.SafeLoader):
        try:
            scan(text)
            found.append(tree(text, "", loader))
        except ConfigError:
            return  # both refuse most of what one of them does, in words and at places that differ a little
    assert found[0] == found[1]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        *[(word, word) for word in ("no", "No", "off", "on", "yes", "y", "n", "NO", "tRue", "nULL", "None")],
        *[
            (word, word)
            for word in ("1:30", "12:30:45", "2025-06-18", "2025-06-18 10:00:00", "1_000", "0b11")
        ],
        *[(word, word) for word in ("=", "0o8", "0xg", "-0x1", "1e", "1.2.3", ".", "+", "e5", "inf", "NaN")],
        *[(word, None) for word in ("null", "Null", "NULL", "~")],
        *[(word, True) for word in ("true", "True", "TRUE")],
        *[(word, False) for word in ("false", "False", "FALSE")],
        *[("0", 0), ("-1", -1), ("+12", 12), ("0o17", 15), ("0x1F", 31), ("-0", 0)],
        *[("1.", 1.0), (".5", 0.5), ("-1.5e3", -1500.0), ("1e5", 1e5), ("01.5", 1.5), ("1E-2", 0.01)],
        *[('"no"', "no"), ("'1'", "1"), ('"null"', "null"), ("'<<'", "<<"), ('""', ""), ("''", "")],
    ],
)
def test_a_scalar_means_what_yaml_1_2_says(text: str, value: object) -> None:
    node, problems = scan(f"[{text}]")
    assert problems == ()
    (read,) = plain(node)
    assert read == value
    assert type(read) is type(value)
    assert plain(scan(f"key: {text}\n")[0]) == {"key": value}


def test_strings_of_several_lines_are_what_yaml_says() -> None:
    text = "a: |\n  x\n   y\n\nb: >-\n  x\n  y\nc: x\n  y\nd: 'x\n\n  y'\n"
    assert plain(scan(text)[0]) == {"a": "x\n y\n", "b": "x y", "c": "x y", "d": "x\ny"}


def test_places_are_counted_in_characters_and_the_byte_order_mark_is_none() -> None:
    node, _ = scan("\ufeffé😀: 1\r\n# remark\r\nlist:\r\n  - {a: b}  # remark\r\n\r\nlast:", "mcp.yaml")
    assert isinstance(node.value, dict)
    first, items, last = node.value.values()
    assert (node.line, node.column, node.start, node.file) == (1, 1, 1, "mcp.yaml")
    assert (first.value.line, first.value.column) == (1, 5)
    assert (items.value.line, items.value.column) == (4, 3)
    assert isinstance(items.value.value, list)
    (inner,) = items.value.value
    assert (inner.line, inner.column, inner.end) == (4, 5, items.value.end)
    assert (last.value.value, last.value.line, last.value.column) == (None, 6, 6)


def test_a_block_ends_with_its_last_value() -> None:
    text = "a:\n  b: 1  # remark\n\n# remark\nc: 2\n"
    node, _ = scan(text)
    assert isinstance(node.value, dict)
    block = node.value["a"].value
    assert text[block.start : block.end] == "b: 1"


def test_an_alias_is_a_node_of_its_own_with_the_value_of_its_anchor() -> None:
    node, problems = scan("a: &x {b: 1}\nc: *x\n? &k d\n: 2\n")
    assert problems == ()
    assert plain(node) == {"a": {"b": 1}, "c": {"b": 1}, "d": 2}
    assert isinstance(node.value, dict)
    alias = node.value["c"].value
    assert (alias.line, alias.column, alias.end - alias.start) == (2, 4, 2)
    assert isinstance(alias.value, dict)
    assert (alias.value["b"].value.line, alias.value["b"].value.column) == (1, 11)


def test_an_anchor_can_be_set_again() -> None:
    assert plain(scan("[&x 1, *x, &x 2, *x]")[0]) == [1, 1, 2, 2]


def test_what_is_merged_in_gives_way_to_what_is_there() -> None:
    text = "x: &x {a: 1, b: 2}\ny: &y {b: 3, c: 4}\none:\n  b: 0\n  <<: *x\n  a: 9\nmany: {<<: [*x, *y, {d: 5}]}\n"
    node, problems = scan(text)
    assert problems == ()
    read = plain(node)
    assert read["one"] == {"b": 0, "a": 9}
    assert read["many"] == {"a": 1, "b": 2, "c": 4, "d": 5}
    assert isinstance(node.value, dict)
    assert isinstance(node.value["many"].value.value, dict)
    assert node.value["many"].value.value["c"].value.line == 2


def test_aliases_may_stand_for_as_much_as_a_file_has_and_for_no_more() -> None:
    fits = MAX_ADDED // 1002
    text = f"- &x {'a' * 1000}\n" + "- *x\n" * fits
    assert len(plain(scan(text)[0])) == fits + 1
    assert (
        refused(f"{text}- *x\n") == f"{fits + 2}:3: the aliases up to here stand for more than 10 MiB of text"
    )


def test_a_few_lines_that_stand_for_a_billion_values_are_refused() -> None:
    text = "l0: &l0 lol\n" + "".join(
        f"l{i}: &l{i} [{', '.join([f'*l{i - 1}'] * 10)}]\n" for i in range(1, 12)
    )
    assert refused(text).endswith("the aliases up to here stand for more than 10 MiB of text")
    merged = text.replace("l0 lol", "l0 {a: b}").replace("&l1 [", "&l1 {<<: [").replace("0]", "0]}")
    assert refused(merged).endswith("the aliases up to here stand for more than 10 MiB of text")


def test_nesting_goes_as_deep_as_in_json_and_no_deeper() -> None:
    fits = "[" * MAX_DEPTH + "1" + "]" * MAX_DEPTH
    assert plain(scan(fits)[0])
    assert refused(f"[{fits}]") == "1:202: nested deeper than 200 levels"
    assert refused("- " * 201 + "1") == "1:403: nested deeper than 200 levels"
    assert refused("[" * 100_000).endswith("nested deeper than 200 levels")
    half = "[" * 150 + "1" + "]" * 150
    assert (
        refused(f"a: &x {half}\nb: {'[' * 100}*x{']' * 100}") == "2:104: nested deeper than 200 levels by *x"
    )


def test_repeated_keys_are_told_beside_the_tree_and_the_last_counts() -> None:
    node, problems = scan("a: 1\nb:\n  c: 1\n  'c': 2\na: 3\n", "mcp.yaml")
    assert plain(node) == {"a": 3, "b": {"c": 2}}
    assert [str(problem) for problem in problems] == [
        "mcp.yaml:4:3: c: the key stands here a second time, first at 3:3; keep one",
        "mcp.yaml:5:1: a: the key stands here a second time, first at 1:1; keep one",
    ]


def test_what_is_wrong_with_single_keys_and_values_is_told_at_once() -> None:
    text = (GOLDEN / "faulty_values.yaml").read_text(encoding="utf-8")
    compare(GOLDEN / "faulty_values_yaml.txt", "".join(f"{line}\n" for line in beside(text)))


@pytest.mark.parametrize("loader", LOADERS)
@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "1:1: there is nothing in it; an empty configuration is mcpServers: {}"),
        ("# only a remark\n", "2:1: there is nothing in it; an empty configuration is mcpServers: {}"),
        ("---\n...\n", "3:1: there is nothing in it; an empty configuration is mcpServers: {}"),
        ("a: 1\n---\nb: 2", "2:1: a second document begins here; one file holds one document"),
        ("a:\n\tb: 1", "2:1: a tab stands where only spaces may; indent with spaces"),
        (
            "run: npx foo: bar",
            "1:13: a : cannot stand here; is the line indented rightly, and text with ': ' in it in quotes?",
        ),
        (
            "a: 1\n  b: 2",
            "2:4: a : cannot stand here; is the line indented rightly, and text with ': ' in it in quotes?",
        ),
        ("a: 1\nb\nc: 2", "2:1: expected : after the key; is the line indented rightly?"),
        ("a: - b", "1:4: a - cannot stand here; is the line indented rightly?"),
        (
            "a:\n  - b\n c: d",
            (
                "3:2: the object that begins at 1:1 does not go on like this;"
                " is the line indented rightly, or does a quote end too early?"
            ),
        ),
        (
            "- a\nb: 1",
            (
                "2:1: the array that begins at 1:1 does not go on like this;"
                " is the line indented rightly, or does a quote end too early?"
            ),
        ),
        (
            "a: 'it's'",
            (
                "1:8: the object that begins at 1:1 does not go on like this;"
                " is the line indented rightly, or does a quote end too early?"
            ),
        ),
        ("a: [1, 2", "1:9: the text ends inside the array that begins at 1:4"),
        ("a: {b: 1", "1:9: the text ends inside the object that begins at 1:4"),
        (
            "a: {b: ${X}}",
            (
                "1:9: expected , or } in the object that begins at 1:4;"
                " text with a character in it that YAML uses itself stands in quotes"
            ),
        ),
        ("a: [", "1:5: the text ends where a value must stand"),
        ("a: ]", "1:4: expected a value; text with a character in it that YAML uses itself stands in quotes"),
        ("a: @x", "1:4: a value cannot begin with @; text that begins so stands in quotes"),
        ("a: %x", "1:4: a value cannot begin with %; text that begins so stands in quotes"),
        ("a: *", "1:5: expected a name after *; text that begins with * stands in quotes"),
        ("a: *.log", "1:5: expected a name after *; text that begins with * stands in quotes"),
        ("a: *b", "1:4: there is no &b before *b; text that begins with * stands in quotes"),
        ("a: &", "1:5: expected a name after &; text that begins with & stands in quotes"),
        ("a: &x [1, *x]", "1:11: *x stands inside of &x, so that it has no end"),
        ("a: !e!x 1", "1:4: tags are not taken; text that begins with ! stands in quotes"),
        ("a: 'x\nb: 1", "1:4: the quotes that begin here do not end"),
        ('a: "x\n---\n', "1:4: the quotes that begin here do not end"),
        (
            'a: "C:\\dir"',
            "1:7: \\d is no escape; a backslash itself is written \\\\, or the text stands in single quotes",
        ),
        (
            'a: "\\\\ud83d \\ud83d\\ude00"',
            (
                "1:13: \\ud83d is no character;"
                " a character beyond U+FFFF is written as it is, or as \\U and eight digits"
            ),
        ),
        (
            'a: "\\U00110000"',
            (
                "1:5: \\U00110000 is no character;"
                " a character beyond U+FFFF is written as it is, or as \\U and eight digits"
            ),
        ),
        (
            "a: |3x\n b",
            "1:6: expected the end of the line after | or >; text that begins so stands in quotes",
        ),
        ("%YAML 2.0\n---\na", "1:1: this is a later version of YAML; leave the line out"),
    ],
)
def test_an_error_says_what_is_wrong_where_and_what_to_write(text: str, sentence: str, loader: Any) -> None:
    with pytest.raises(ConfigError) as caught:
        tree(text, "mcp.yaml", loader)
    assert str(caught.value) == f"mcp.yaml:{sentence}"


@pytest.mark.parametrize(
    ("char", "what"),
    [
        ("\x00", 'the character U+0000 cannot stand in YAML; write it as "\\u0000", in double quotes'),
        ("\x7f", 'the character U+007F cannot stand in YAML; write it as "\\u007f", in double quotes'),
        ("\x85", 'the character U+0085 cannot stand in YAML; write it as "\\u0085", in double quotes'),
        ("\u2028", 'the character U+2028 cannot stand in YAML; write it as "\\u2028", in double quotes'),
        ("\ufeff", 'the character U+FEFF cannot stand in YAML; write it as "\\ufeff", in double quotes'),
        ("\ud83d", "half of a surrogate pair"),
    ],
)
def test_characters_that_yaml_has_no_place_for_are_refused(char: str, what: str) -> None:
    assert refused(f"\ufeffa: 1\r\nb: '{char}'") == f"2:5: {what}"


def test_without_the_library_it_is_said_what_to_install() -> None:
    script = """if True:
        import sys
        sys.modules["yaml"] = None  # what an import finds that is not installed
        from onemcp.config.text import scan
        from onemcp.errors import ConfigError
        assert scan("{}", "mcp.json")
        try:
            scan("a: 1", "conf.d/mcp.yaml")
        except ConfigError as error:
            print(error)
    """
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=30
    )
    assert done.stdout == (
        "conf.d/mcp.yaml: to read YAML a library is needed that is not installed; "
        'pip install "onemcp[yaml]", or write the file as JSON\n'
    )
