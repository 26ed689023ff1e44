"""The response side of a request: one write for a whole answer, or a chunked stream."""

import asyncio
from collections.abc import Callable
from http import HTTPStatus
from typing import Final, Protocol

from onemcp.gateway.trail import REQUEST_ID, Trail

WRITE_TIMEOUT: Final = 60.0
"""Seconds that a client may leave a stream unread before it is taken for gone."""

JSON: Final = b"content-type: application/json\r\n"

_ERRORS: Final = 400
"""The first status that tells of an error."""
_COPIED: Final = 16 * 1024
"""A body up to this size is copied behind its head, which is cheaper than a second write."""
_STATUS: Final = {
    status.value: b"HTTP/1.1 %d %b\r\n" % (status.value, status.phrase.encode()) for status in HTTPStatus
}


def header(name: bytes, value: bytes) -> bytes:
    """One header line.

    Raises:
        ValueError: a line break in it would begin another header.
    """
    if b"\r" in value or b"\n" in value or b"\0" in value:
        raise ValueError("a header value is one line")
    return b"%b: %b\r\n" % (name, value)


class Line(Protocol):
    """What a response needs of its connection."""

    keeps: bool
    is_head: bool
    is_http11: bool
    is_clogged: bool
    writable: asyncio.Event

    @property
    def date(self) -> bytes:
        """The Date header line."""

    def write(self, data: bytes) -> None:
        """Bytes to the client."""

    def abort(self) -> None:
        """End the connection now."""

    def hang_up(self) -> None:
        """End the connection once what was written is out, whatever is still being answered."""


class Response:
    """What a handler writes to; writing never waits, and after the client has gone it does nothing."""

    __slots__ = (
        "_chunked",
        "_connection",
        "_farewells",
        "_is_named",
        "extra",
        "finished",
        "gone",
        "started",
        "task",
        "trail",
    )

    task: asyncio.Task[None]
    """The task that the handler runs in."""

    def __init__(self, connection: Line, trail: Trail | None = None) -> None:
        self._connection = connection
        self._is_named = False
        self.trail = trail if trail is not None else Trail()
        """What log lines about the request say."""
        self._chunked = False
        self._farewells: list[Callable[[], object]] | None = None
        self.extra = b""
        """Header lines that every answer to this request carries."""
        self.started = False
        self.finished = False
        self.gone = False
        """The client closed its connection."""

    def name_request(self) -> None:
        """Give the answer the request's id, under which the log has it; every status from 400 on has it anyway."""
        if not self._is_named:
            self._is_named = True
            self.extra += header(REQUEST_ID, self.trail.id.encode())

    def send(self, status: int, body: bytes = b"", headers: bytes = b"") -> None:
        """The whole answer in one write; `headers` are complete lines."""
        if status >= _ERRORS:
            self.name_request()
        connection = self._connection
        self.started = self.finished = True
        closing = b"" if connection.keeps else b"connection: close\r\n"
        head = b"%b%b%b%b%bcontent-length: %d\r\n\r\n" % (
            _STATUS[status],
            connection.date,
            self.extra,
            headers,
            closing,
            len(body),
        )
        if connection.is_head:
            connection.write(head)
        elif len(body) <= _COPIED:
            connection.write(head + body)
        else:
            connection.write(head)
            connection.write(body)

    def part(self) -> None:
        """The answer that follows ends the connection."""
        self._connection.keeps = False

    def begin(self, status: int, headers: bytes) -> None:
        """Begin a stream; its end is `end`, or the end of the connection."""
        connection = self._connection
        self.started = True
        self._chunked = connection.is_http11
        framing = b"transfer-encoding: chunked\r\n" if self._chunked else b""
        closing = b"" if connection.keeps else b"connection: close\r\n"
        connection.write(
            b"%b%b%b%b%b%b\r\n" % (_STATUS[status], connection.date, self.extra, headers, framing, closing)
        )

    def write(self, data: bytes) -> None:
        """Some of a stream."""
        if data:
            self._connection.write(b"%x\r\n%b\r\n" % (len(data), data) if self._chunked else data)

    def end(self) -> None:
        """The end of a stream; the connection goes on where it can."""
        self.finished = True
        if self._chunked:
            self._connection.write(b"0\r\n\r\n")
        else:
            self._connection.keeps = False

    def hang_up(self) -> None:
        """The end of a stream whose handler has still to do: the connection ends, for it can take no other request."""
        self.end()
        self._connection.hang_up()

    @property
    def is_clogged(self) -> bool:
        """The client reads more slowly than is written."""
        return self._connection.is_clogged

    async def drained(self) -> None:
        """Wait until the client has read enough for more; one that reads nothing for too long is cut off."""
        if not self.gone and self._connection.is_clogged:
            try:
                async with asyncio.timeout(WRITE_TIMEOUT):
                    await self._connection.writable.wait()
            except TimeoutError:
                self._connection.abort()

    def on_gone(self, farewell: Callable[[], object]) -> None:
        """Call this when the client goes away before the end."""
        if self.gone:
            farewell()
        elif self._farewells is None:
            self._farewells = [farewell]
        else:
            self._farewells.append(farewell)

    def leave(self) -> None:
        """The client has gone."""
        self.gone = True
        for farewell in self._farewells or ():
            farewell()
        self._farewells = None
