"""Telling whose answer was too long to keep."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from onemcp.upstream.oversized import Oversized, id_at_end, id_at_start
from onemcp.wire.framing import LineSplitter

LINES = st.lists(st.binary(max_size=40).map(lambda line: line.replace(b"\n", b"n").replace(b"\r", b"r")))


@pytest.mark.parametrize(
    ("head", "expected"),
    [
        (b'{"jsonrpc":"2.0","id":7,"result":{"x":"yyy', 7),
        (b'{ "id" : 12 , "jsonrpc":"2.0","result":', 12),
        (b'{"jsonrpc":"2.0","id":"7","result":{"x":"yyy', None),
        (b'{"jsonrpc":"2.0","result":{"id":3,"x":"yyy', None),
        (b'{"jsonrpc":"2.0","method":"m","params":{"id":3,', None),
        (b'{"jsonrpc":"2.0","id":7', None),
        (b'{"jsonrpc":"2.0","id":7.5,"result":', None),
        (b'{"jsonrpc":"2.0","id":-7,"result":', None),
        (b"xxxx", None),
    ],
)
def test_an_id_before_the_result_is_read(head: bytes, expected: int | None) -> None:
    assert id_at_start(head) == expected


@pytest.mark.parametrize(
    ("tail", "expected"),
    [
        (b'xxx"},"jsonrpc":"2.0","id":7}', 7),
        (b'xxx"},"jsonrpc":"2.0","id" : 7 } ', 7),
        (b'xxx"},"jsonrpc":"2.0","id":"7"}', None),
        (b'"result":{"id":7}}', None),
        (b'"id":7,"result":{"x":"yy"}}', None),
        (b'"text":"\\"id\\":7}"}', None),
        (b'xxx "id":7', None),
    ],
)
def test_an_id_after_the_result_is_read(tail: bytes, expected: int | None) -> None:
    assert id_at_end(tail) == expected


@settings(deadline=None)
@given(st.integers(1, 1 << 60), st.sampled_from(["first", "last"]), st.integers(1, 50))
def test_the_id_is_found_however_the_line_is_cut(number: int, place: str, step: int) -> None:
    ends = {"jsonrpc": "2.0", "id": number}
    result = {"result": {"id": 5, "x": "y" * 300, "z": [{"id": 6}]}}
    line = json.dumps({**ends, **result} if place == "first" else {**result, **ends}).encode() + b"\n"
    oversized = Oversized(200)
    found = [owner for at in range(0, len(line), step) for owner in oversized.feed(line[at : at + step])]
    assert found == [number]


@settings(deadline=None)
@given(LINES, st.integers(1, 50), st.integers(1, 30))
def test_it_agrees_with_the_splitter(lines: list[bytes], step: int, limit: int) -> None:
    stream = b"".join(line + b"\n" for line in lines)
    oversized, splitter = Oversized(limit), LineSplitter(limit)
    found = 0
    for at in range(0, len(stream), step):
        found += len(oversized.feed(stream[at : at + step]))
        splitter.feed(stream[at : at + step])
    assert found == splitter.oversized
