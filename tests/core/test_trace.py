import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from onemcp.core.trace import MAX_STATE, is_parent, joined_state, parent, span_id, trace_id

TRACE = "0af7651916cd43dd8448eb211c80319c"
SPAN = "b7ad6b7169203331"
GOOD = f"00-{TRACE}-{SPAN}-01"

hexadecimal = st.sampled_from(string.digits + "abcdef")


def digits(count: int) -> st.SearchStrategy[str]:
    return st.text(hexadecimal, min_size=count, max_size=count).filter(lambda text: text.strip("0") != "")


@given(digits(32), digits(16), st.booleans())
def test_what_is_formatted_is_accepted_and_has_the_same_ids(trace: str, span: str, sampled: bool) -> None:
    text = parent(trace, span, sampled=sampled)
    assert is_parent(text)
    assert (trace_id(text), span_id(text), text[-2:]) == (trace, span, "01" if sampled else "00")


@pytest.mark.parametrize(
    "text",
    [
        "",
        GOOD[:-1],
        GOOD + "0",
        GOOD + "-what",
        GOOD.upper(),
        GOOD.replace("-", "_"),
        f"ff-{TRACE}-{SPAN}-01",
        f"00-{'0' * 32}-{SPAN}-01",
        f"00-{TRACE}-{'0' * 16}-01",
        f"0g-{TRACE}-{SPAN}-01",
        f"00-{TRACE}-{SPAN}-0x",
        f"01-{TRACE}-{SPAN}-01.more",
        f"01-{TRACE}-{SPAN}-01-a\nb",
        f"01-{TRACE}-{SPAN}-01-{'x' * 600}",
        f"00-{TRACE[:-1]}é-{SPAN}-01",
        f" {GOOD}",
    ],
)
def test_what_is_malformed_is_no_traceparent(text: str) -> None:
    assert not is_parent(text)


@pytest.mark.parametrize("text", [f"01-{TRACE}-{SPAN}-01", f"cc-{TRACE}-{SPAN}-09-what the future brings"])
def test_a_later_version_counts_for_what_version_00_has(text: str) -> None:
    assert is_parent(text)
    assert (trace_id(text), span_id(text)) == (TRACE, SPAN)


@given(st.text(max_size=80) | st.text(hexadecimal | st.just("-"), min_size=50, max_size=60))
def test_any_text_is_judged_and_what_is_accepted_fits_into_a_header(text: str) -> None:
    if is_parent(text):
        assert text.isascii()
        assert text.isprintable()


@given(st.integers(0, 54), st.characters(exclude_characters=string.digits + "abcdef-"))
def test_one_wrong_character_is_enough(at: int, character: str) -> None:
    assert not is_parent(GOOD[:at] + character + GOOD[at + 1 :])


def test_there_are_no_ids_in_nothing() -> None:
    assert trace_id("") == span_id("") == ""


@pytest.mark.parametrize(
    ("values", "joined"),
    [
        ([], ""),
        (["a=1"], "a=1"),
        (["a=1", "b=2"], "a=1,b=2"),
        (["a=1 , ,\tb=2,"], "a=1,b=2"),
        (
            ["rojo=00f067aa0ba902b7,congo@vendor=t61rc WkgMzE"],
            "rojo=00f067aa0ba902b7,congo@vendor=t61rc WkgMzE",
        ),
        (["a"], ""),
        (["=1"], ""),
        (["a="], ""),
        (["A=1"], ""),
        (["-a=1"], ""),
        (["a=1=2"], ""),
        (["a=1", "a=2"], ""),
        (["a=é"], ""),
        (["a=\n"], ""),
        ([f"{'a' * 257}=1"], ""),
        ([f"a={'1' * 257}"], ""),
        ([",".join(f"k{n}=1" for n in range(32))], ",".join(f"k{n}=1" for n in range(32))),
        ([",".join(f"k{n}=1" for n in range(33))], ""),
        ([" " * (MAX_STATE + 1)], ""),
    ],
)
def test_lines_of_tracestate_are_one_list_or_ignored(values: list[str], joined: str) -> None:
    assert joined_state(values) == joined


@given(st.lists(st.text(max_size=40), max_size=5))
def test_whatever_comes_as_tracestate_what_is_carried_is_carried_unchanged(values: list[str]) -> None:
    joined = joined_state(values)
    assert joined_state([joined]) == joined
    assert joined.isascii()
