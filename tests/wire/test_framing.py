"""Cutting a byte stream into lines."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from onemcp.wire.framing import LineSplitter

STREAMS = st.lists(
    st.sampled_from([b"\n", b"\r\n", b"\r", b"a", b"bc", b"\x00", b"0123456789", b"\xff"])
).map(b"".join)


def cut(data: bytes, places: list[int]) -> list[bytes]:
    edges = [0, *sorted(place % (len(data) + 1) for place in places), len(data)]
    return [data[start:end] for start, end in pairwise(edges)]


def expected(data: bytes, limit: int) -> tuple[list[bytes], bytes, int]:
    lines = [line.removesuffix(b"\r") for line in data.split(b"\n")]
    oversized = sum(len(line) > limit for line in lines)
    *complete, rest = [b"" if len(line) > limit else line for line in lines]
    return [line for line in complete if line], rest, oversized


@given(STREAMS, st.lists(st.integers(0, 10_000)), st.integers(1, 20))
def test_lines_are_the_same_however_the_stream_is_cut(data: bytes, places: list[int], limit: int) -> None:
    splitter = LineSplitter(limit)
    lines = [line for chunk in cut(data, places) for line in splitter.feed(chunk)]
    assert (lines, splitter.finish(), splitter.oversized) == expected(data, limit)


@given(STREAMS, st.lists(st.integers(0, 10_000)), st.integers(1, 20))
def test_no_more_than_the_limit_is_held(data: bytes, places: list[int], limit: int) -> None:
    splitter = LineSplitter(limit)
    for chunk in cut(data, places):
        splitter.feed(chunk)
        assert len(splitter._pending) <= limit + 1


def test_a_whole_line_in_one_chunk_arrives() -> None:
    assert LineSplitter(100).feed(b'{"a":1}\n') == [b'{"a":1}']


def test_a_line_of_exactly_the_limit_arrives_with_either_ending() -> None:
    splitter = LineSplitter(3)
    assert splitter.feed(b"abc\nabc\r\nabcd\nabcd\r\n") == [b"abc", b"abc"]
    assert splitter.oversized == 2


def test_an_oversized_line_is_counted_as_soon_as_it_is_and_the_next_one_arrives() -> None:
    splitter = LineSplitter(10)
    assert splitter.feed(b"x" * 50) == []
    assert splitter.oversized == 1
    for _ in range(1000):
        assert splitter.feed(b"x" * 50) == []
    assert splitter.feed(b"\nnext\n") == [b"next"]
    assert splitter.oversized == 1


def test_a_line_in_very_many_chunks_arrives_whole() -> None:
    splitter = LineSplitter(1 << 20)
    for _ in range(200_000):
        splitter.feed(b"abcd")
    assert splitter.feed(b"\n") == [b"abcd" * 200_000]


def test_finishing_returns_the_unterminated_rest_once() -> None:
    splitter = LineSplitter(10)
    splitter.feed(b"one\ntwo")
    assert splitter.finish() == b"two"
    assert splitter.finish() == b""
