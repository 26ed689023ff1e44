"""Server-Sent Events in both directions."""

import re
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from onemcp.wire.sse import COMMENT, Event, EventParser, encode

LIMIT = 1 << 20

FIELDS = [
    "data",
    "data:",
    "data: ",
    "event: e",
    "id: 7",
    "id:",
    "id: a\0b",
    "retry: 10",
    "retry: x",
    "unknown: y",
]
PIECES = st.sampled_from(
    [*FIELDS, "\n", "\r", "\r\n", "\n\n", "data: 1\n", ":", ": c", " ", "x", "é", "\ufeff"]
)
STREAMS = st.lists(PIECES, max_size=40).map("".join).map(str.encode)


def cut(data: bytes, places: list[int]) -> list[bytes]:
    edges = [0, *sorted(place % (len(data) + 1) for place in places), len(data)]
    return [data[start:end] for start, end in pairwise(edges)]


def read(chunks: list[bytes], limit: int = LIMIT) -> list[Event]:
    parser = EventParser(limit)
    return [event for chunk in chunks for event in parser.feed(chunk)]


def standard(data: bytes) -> list[Event]:
    """The algorithm of the standard, word for word, over the whole stream."""
    text = data.decode(errors="replace").removeprefix("\ufeff")
    *lines, _ = re.split("\r\n|\r|\n", text)
    events: list[Event] = []
    buffer, kind = "", ""
    last: str | None = None
    retry: int | None = None
    for line in lines:
        if not line:
            if buffer.removesuffix("\n") or last is not None or retry is not None:
                events.append(Event(buffer.removesuffix("\n").encode(), kind, last, retry))
            buffer, kind, last, retry = "", "", None, None
            continue
        field, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if field == "data":
            buffer += value + "\n"
        elif field == "event":
            kind = value
        elif field == "id" and "\0" not in value:
            last = value
        elif field == "retry" and value.isascii() and value.isdigit():
            retry = int(value)
    return events


@given(STREAMS, st.lists(st.integers(0, 10_000), max_size=30))
def test_events_are_those_of_the_standard_however_the_stream_is_cut(data: bytes, places: list[int]) -> None:
    assert read(cut(data, places)) == standard(data)


@given(STREAMS, st.lists(st.integers(0, 10_000), max_size=30), st.integers(1, 8))
def test_dropped_events_are_the_same_however_the_stream_is_cut(
    data: bytes, places: list[int], limit: int
) -> None:
    whole, parser = EventParser(limit), EventParser(limit)
    events = whole.feed(data)
    assert [event for chunk in cut(data, places) for event in parser.feed(chunk)] == events
    assert all(len(event.data) <= limit for event in events)
    assert len(parser._pending) <= limit + len(b"data: ")


@given(st.binary(max_size=200), st.lists(st.integers(0, 10_000), max_size=10))
def test_any_bytes_are_read_without_an_error(data: bytes, places: list[int]) -> None:
    assert read(cut(data, places)) == read([data])


TEXTS = st.text(st.characters(codec="utf-8", exclude_categories=["C", "Z"]), max_size=10)


@given(
    st.binary().filter(lambda data: b"\n" not in data and b"\r" not in data),
    TEXTS,
    TEXTS,
    st.none() | st.integers(0, 10**9 - 1),
)
def test_what_is_encoded_is_read_back(data: bytes, event: str, event_id: str, retry: int | None) -> None:
    events = read([encode(data, event=event, id=event_id, retry=retry)])
    wanted = Event(data, event, event_id or None, retry)
    assert events == ([wanted] if data or event_id or retry is not None else [])


@pytest.mark.parametrize("data", [b"a\nb", b"a\rb", b"\n"])
def test_data_with_a_line_end_is_refused(data: bytes) -> None:
    with pytest.raises(ValueError, match="one line"):
        encode(data)


@pytest.mark.parametrize("bad", ["a\nb", "a\rb", "a\0b"])
def test_a_type_or_an_id_with_a_line_end_or_nul_is_refused(bad: str) -> None:
    with pytest.raises(ValueError, match="one line"):
        encode(b"{}", event=bad)
    with pytest.raises(ValueError, match="one line"):
        encode(b"{}", id=bad)


def test_an_event_is_of_type_message_unless_told_otherwise() -> None:
    assert encode(b"{}") == b"event: message\ndata: {}\n\n"
    assert encode(b"{}", event="", id="4", retry=50) == b"id: 4\nretry: 50\ndata: {}\n\n"


def test_a_priming_event_arrives_with_empty_data() -> None:
    assert read([b"id: 1\ndata:\n\n", b"retry: 5\n\n"]) == [Event(b"", id="1"), Event(b"", retry=5)]


def test_an_event_without_data_id_or_retry_is_none() -> None:
    assert read([b"event: ping\n\n", b"data\n\n", COMMENT]) == []


def test_lines_of_data_are_joined() -> None:
    assert read([b"data: a\ndata\ndata:  b\n\n"]) == [Event(b"a\n\n b")]


def test_an_event_of_exactly_the_limit_arrives() -> None:
    parser = EventParser(4)
    assert parser.feed(b"data: abcd\n\ndata: ab\ndata: d\n\ndata: ab\ndata: de\n\n") == [
        Event(b"abcd"),
        Event(b"ab\nd"),
    ]
    assert parser.oversized == 1


def test_an_oversized_event_is_counted_once_and_the_next_one_arrives() -> None:
    parser = EventParser(10)
    events = parser.feed(b"id: 1\ndata: " + b"x" * 100)
    for _ in range(100):
        events += parser.feed(b"x" * 100)
    events += parser.feed(b"\ndata: " + b"y" * 50 + b"\n\ndata: ok\n\n")
    assert events == [Event(b"ok")]
    assert parser.oversized == 1


def test_a_comment_of_any_length_costs_no_event() -> None:
    parser = EventParser(10)
    parser.feed(b"data: a\n:")
    for _ in range(100):
        assert parser.feed(b"x" * 100) == []
    assert parser.feed(b"\n\n") == [Event(b"a")]
    assert parser.oversized == 0


def test_an_event_cut_off_by_the_end_of_the_stream_does_not_arrive() -> None:
    assert read([b"data: a\n\ndata: b\n"]) == [Event(b"a")]
