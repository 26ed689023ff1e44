"""The response side of one POST."""

import asyncio

import pytest

from onemcp.web.exchange import KEEP_ALIVE, PATIENCE, Exchange
from onemcp.web.http.response import Response

pytestmark = pytest.mark.anyio


class Wire:
    """A connection that keeps what was written."""

    keeps = True
    is_head = False
    is_http11 = True
    is_clogged = False
    date = b""

    def __init__(self) -> None:
        self.written = b""
        self.writable = asyncio.Event()

    def write(self, data: bytes) -> None:
        self.written += data

    def abort(self) -> None:
        self.written += b"(aborted)"

    def hang_up(self) -> None:
        self.written += b"(hung up)"


def exchange(wire: Wire) -> tuple[Exchange, Response]:
    response = Response(wire)
    return Exchange(response, 0.0, takes_json=True, takes_stream=True), response


async def test_silence_is_broken_by_a_stream_that_is_then_kept_alive() -> None:
    wire = Wire()
    it, _ = exchange(wire)
    it.break_silence(PATIENCE - 1)
    assert wire.written == b""
    it.break_silence(PATIENCE)
    assert wire.written.count(b"HTTP/1.1 200") == 1
    before = len(wire.written)
    it.break_silence(PATIENCE + KEEP_ALIVE)
    assert len(wire.written) > before
    assert wire.written.count(b"HTTP/1.1") == 1


async def test_a_response_that_somebody_else_writes_is_left_alone() -> None:
    wire = Wire()
    it, response = exchange(wire)
    it.leave()
    response.begin(200, b"content-type: text/event-stream\r\n")
    before = wire.written
    it.break_silence(1e9)
    assert wire.written == before
