"""Tag expressions."""

import re
from collections.abc import Callable
from contextlib import suppress
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from onemcp.core.tags import (
    MAX_DEPTH,
    MAX_LENGTH,
    AllOf,
    AnyOf,
    Expression,
    Node,
    Not,
    Tag,
    TagError,
    from_query,
    parse,
    simple,
)

NAMES = st.sampled_from(["a", "b", "c", "web", "x-1", "v1.2", "_", "nota", "or-1", "android"])
NODES: st.SearchStrategy[Node] = st.recursive(
    st.builds(Tag, NAMES),
    lambda inner: st.one_of(
        st.builds(Not, inner),
        st.builds(lambda parts: AllOf(tuple(parts)), st.lists(inner, min_size=2, max_size=3)),
        st.builds(lambda parts: AnyOf(tuple(parts)), st.lists(inner, min_size=2, max_size=3)),
    ),
    max_leaves=12,
)
TAG_SETS = st.frozensets(NAMES)
WORDS = [
    "a",
    "B",
    "web",
    "x-1",
    ",",
    "or",
    "OR",
    "||",
    "+",
    "and",
    "&&",
    "-",
    "!",
    "not",
    "(",
    ")",
    " ",
    "|",
    "&",
    "é",
    "\n",
]
NEARLY = st.lists(st.sampled_from(WORDS), max_size=15).map("".join)


def spelt(node: Node, draw: st.DataObject) -> str:
    """The node in one of its many spellings, as a Python expression's twin in structure."""
    match node:
        case Tag(name):
            return draw.draw(st.sampled_from([name, name.upper()]))
        case Not(operand):
            return draw.draw(st.sampled_from(["-", "!", "not ", "- "])) + f"({spelt(operand, draw)})"
        case AllOf(operands):
            sign = draw.draw(st.sampled_from(["+", " + ", " and ", "&&", " AND "]))
            return sign.join(f"({spelt(operand, draw)})" for operand in operands)
        case AnyOf(operands):
            sign = draw.draw(st.sampled_from([",", ", ", " or ", "||", " Or "]))
            return sign.join(f"({spelt(operand, draw)})" for operand in operands)


def truth(node: Node, tags: frozenset[str]) -> bool:
    match node:
        case Tag(name):
            return name in tags
        case Not(operand):
            return not truth(operand, tags)
        case AllOf(operands):
            return False not in [truth(operand, tags) for operand in operands]
        case AnyOf(operands):
            return True in [truth(operand, tags) for operand in operands]


@given(NODES)
def test_an_expression_is_written_so_that_it_reads_back(node: Node) -> None:
    expression = Expression(node)
    assert parse(str(expression)) == expression
    assert repr(expression) == f"parse('{expression}')"


@given(NODES, TAG_SETS, st.data())
def test_every_spelling_means_the_same(node: Node, tags: frozenset[str], data: st.DataObject) -> None:
    text = spelt(node, data)
    if len(text) <= MAX_LENGTH:
        assert parse(text).matches(tags) == truth(node, tags)


def flat_truth(text: str, tags: frozenset[str]) -> bool:
    """A naive evaluator for expressions without parentheses and negation: split at the operators."""
    return any(all(word.strip() in tags for word in part.split("+")) for part in text.split(","))


@given(
    st.lists(st.lists(NAMES, min_size=1, max_size=4).map("+".join), min_size=1, max_size=4).map(",".join),
    TAG_SETS,
)
def test_and_binds_tighter_than_or(text: str, tags: frozenset[str]) -> None:
    assert parse(text).matches(tags) == flat_truth(text, tags)


def outcome(read: Callable[[str], Expression], text: str) -> Expression | TagError:
    try:
        return read(text)
    except TagError as error:
        return error


@pytest.mark.parametrize("read", [parse, simple])
@given(text=st.text() | NEARLY)
def test_any_text_is_an_expression_or_a_mistake_with_its_place(
    read: Callable[[str], Expression], text: str
) -> None:
    result = outcome(read, text)
    if isinstance(result, TagError):
        message, shown, caret = str(result).split("\n")
        assert 0 <= result.position <= len(text)
        assert message == result.message
        assert len(shown) == len(text)
        assert caret == " " * result.position + "^"
    else:
        assert parse(str(result)) == result


@given(st.text() | st.binary() | NEARLY.map(lambda text: f"x=1&filter={text}"))
def test_any_query_is_read_or_refused(query: str | bytes) -> None:
    with suppress(TagError):
        from_query(query)


@pytest.mark.parametrize(
    ("text", "tags", "matches"),
    [
        ("a", "a", "yes"),
        ("A", "a", "yes"),
        ("a", "A", "yes"),
        ("a,b", "b", "yes"),
        ("a+b", "b", "no"),
        ("a+b,c", "c", "yes"),
        ("a+(b,c)", "c", "no"),
        ("-a", "b", "yes"),
        ("--a", "a", "yes"),
        ("not a", "a", "no"),
        ("!a && !b", "c", "yes"),
        ("a-b", "a-b", "yes"),
        ("a,-b", "c", "yes"),
        ("not-a", "not-a", "yes"),
        ("nota or b", "nota", "yes"),
        ("  a  ", "a", "yes"),
    ],
)
def test_an_expression_means_what_it_says(text: str, tags: str, matches: str) -> None:
    assert parse(text).matches(frozenset(tags.split())) == (matches == "yes")


@pytest.mark.parametrize(
    ("text", "position", "message"),
    [
        ("", 0, "a tag is missing"),
        ("a b", 2, "an operator is missing"),
        ("a (b)", 2, "an operator is missing"),
        ("a -b", 2, "an operator is missing"),
        ("(a b)", 3, "an operator is missing"),
        ("a,", 2, "a tag is missing"),
        ("a,,b", 2, "a tag is missing"),
        ("a and or b", 6, "a tag is missing"),
        ("not", 3, "a tag is missing"),
        ("()", 1, "a tag is missing"),
        ("(a", 0, "not closed"),
        ("x,(a", 2, "not closed"),
        ("a)", 1, "nothing is open"),
        ("a|b", 1, "not part of a tag"),
        ("a & b", 2, "not part of a tag"),
        ("caf\N{LATIN SMALL LETTER E WITH ACUTE}", 3, "not part of a tag"),
    ],
)
def test_a_mistake_is_pointed_at(text: str, position: int, message: str) -> None:
    with pytest.raises(TagError, match=message) as caught:
        parse(text)
    assert caught.value.position == position


def test_a_mistake_is_shown_with_a_caret_beneath() -> None:
    with pytest.raises(TagError) as caught:
        parse("web + ) db")
    assert str(caught.value) == "a tag is missing here\nweb + ) db\n      ^"


def test_length_and_depth_have_limits() -> None:
    assert parse("(" * MAX_DEPTH + "a" + ")" * MAX_DEPTH) == parse("a")
    for text in ("(" * (MAX_DEPTH + 1) + "a", "-" * (MAX_DEPTH + 1) + "a"):
        with pytest.raises(TagError, match="deep"):
            parse(text)
    assert parse("a" * MAX_LENGTH)
    for read in (parse, simple):
        with pytest.raises(TagError, match="too many"):
            read("a" * (MAX_LENGTH + 1))


def test_both_of_two_expressions_is_what_both_match() -> None:
    both = parse("a,b") & parse("-b")
    assert both.matches(frozenset({"a"}))
    assert not both.matches(frozenset({"a", "b"}))
    assert parse(str(both)) == both


def test_a_plain_list_is_any_of_its_tags() -> None:
    assert simple("a, B ,c") == parse("a,b,c")
    assert simple("a") == parse("a")


@pytest.mark.parametrize(
    ("text", "position"),
    [("", 0), ("a,,b", 2), ("a,", 2), ("a,b c", 2), ("a, -b", 3), ("a+b", 0), ("(a)", 0), ("a,not", 2)],
)
def test_a_plain_list_takes_nothing_but_tags(text: str, position: int) -> None:
    with pytest.raises(TagError) as caught:
        simple(text)
    assert caught.value.position == position


@pytest.mark.parametrize(
    ("query", "text"),
    [
        (b"tags=a,b", "a,b"),
        (b"tags=a,+b", "a,b"),
        ("tags=a%2Cb", "a,b"),
        (b"filter=a+b", "a+b"),
        (b"filter=a%2Bb", "a+b"),
        (b"filter=a%20and%20b", "a+b"),
        (b"filter=a+and+b", "a+b"),
        (b"filter=a+%2B+b", "a+b"),
        (b"filter=not+a", "-a"),
        (b"tag-filter=a%26%26!b", "a+-b"),
        (b"pagination=true&tag-filter=-a&x", "-a"),
        (b"%66ilter=a", "a"),
    ],
)
def test_the_expression_is_found_in_a_query(query: bytes | str, text: str) -> None:
    assert from_query(query) == parse(text)


@given(NODES, st.data())
def test_an_expression_survives_either_way_of_writing_a_query(node: Node, data: st.DataObject) -> None:
    text = spelt(node, data)
    if len(text) <= MAX_LENGTH:
        assert from_query("filter=" + quote_plus(text)) == parse(text)
        assert from_query("filter=" + quote(text, safe="+")) == parse(text)


@pytest.mark.parametrize("query", [b"", "", b"pagination=true", b"a&b=&=c", b"TAGS=a", b"preset=tags"])
def test_a_query_without_an_expression_has_none(query: bytes | str) -> None:
    assert from_query(query) is None


@pytest.mark.parametrize(
    ("query", "position", "message"),
    [
        (b"tags=a&filter=b", 7, "give it once"),
        (b"tags=a&tags=b", 7, "give it once"),
        (b"x&filter=a&%74ag-filter=b", 11, "give it once"),
        (b"tags=", 0, "missing"),
        (b"filter", 0, "missing"),
        (b"filter=a%ff", 1, "not part of a tag"),
        (b"filter=a++b", 2, "a tag is missing"),
        (b"tags=a+b", 0, "not a tag"),
    ],
)
def test_a_query_that_is_wrong_is_refused(query: bytes, position: int, message: str) -> None:
    with pytest.raises(TagError, match=message) as caught:
        from_query(query)
    assert caught.value.position == position


def test_a_clash_far_into_a_query_is_pointed_at_too() -> None:
    with pytest.raises(TagError) as caught:
        from_query("tags=a&x=" + "y" * 5000 + "&tags=b")
    _, shown, caret = str(caught.value).split("\n")
    assert len(shown) == len(caret)


def test_what_cannot_be_printed_does_not_break_the_picture() -> None:
    with pytest.raises(TagError) as caught:
        parse("a\n\x1b[31m b")
    assert re.fullmatch(r"[^\n]+\na\?\?\[31m b\n {2}\^", str(caught.value))
