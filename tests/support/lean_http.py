"""An HTTP connection to a gateway for tests with many clients: no more than they need, and little work per message."""

import asyncio
from collections.abc import Callable, Mapping
from typing import Self, cast
from urllib.parse import urlsplit

import httptools

Take = Callable[[bytes], object]
"""Hears each message of an answer as it comes."""


class Link(asyncio.Protocol):
    """One kept connection, for one request at a time."""

    def __init__(self, url: str) -> None:
        self.is_dropped = False
        self._url = urlsplit(url)
        self._transport: asyncio.Transport
        self._answer: _Answer | None = None
        self._lost: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    @classmethod
    async def open(cls, url: str) -> Self:
        """Connect."""
        self = cls(url)
        host, _, port = self._url.netloc.partition(":")
        await asyncio.get_running_loop().create_connection(lambda: self, host, int(port))
        return self

    async def ask(self, method: str, headers: Mapping[str, str], body: bytes, take: Take) -> int:
        """Send a request; the status, when its answer is complete, or 0 if the link was dropped before that."""
        lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        head = f"{method} {self._url.path} HTTP/1.1\r\nhost: {self._url.netloc}\r\n{lines}"
        self._answer = _Answer(take)
        self._transport.write(f"{head}content-length: {len(body)}\r\n\r\n".encode() + body)
        return await self._answer.complete

    @property
    def headers(self) -> Mapping[bytes, bytes]:
        """The headers of the last answer; names in lower case."""
        return self._answer.headers if self._answer is not None else {}

    def drop(self) -> None:
        """Close the connection, whatever is under way; nothing is heard any more."""
        self.is_dropped = True
        if self._answer is not None:
            self._answer.end(0)
        self._transport.abort()

    async def aclose(self) -> None:
        """Drop it, and wait until that has happened."""
        self.drop()
        await self._lost

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        if self._answer is not None:
            self._answer.feed(data)

    def connection_lost(self, exc: Exception | None) -> None:
        self._lost.set_result(None)
        if self._answer is not None:
            self._answer.lose()


class _Answer:
    """One answer: a JSON body or an event stream, message by message."""

    def __init__(self, take: Take) -> None:
        self.headers: dict[bytes, bytes] = {}
        self.complete: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self._take = take
        self._rest = b""
        self._parser = httptools.HttpResponseParser(self)

    def feed(self, data: bytes) -> None:
        """Bytes of it."""
        if not self.complete.done():
            self._parser.feed_data(data)

    def end(self, status: int) -> None:
        """Nothing more of it is heard."""
        if not self.complete.done():
            self.complete.set_result(status)

    def lose(self) -> None:
        """The connection is gone."""
        if not self.complete.done():
            self.complete.set_exception(ConnectionError("the gateway closed the connection"))

    def on_header(self, name: bytes, value: bytes) -> None:
        self.headers[name.lower()] = value

    def on_body(self, data: bytes) -> None:
        self._rest += data
        if self.headers.get(b"content-type") == b"text/event-stream":
            *events, self._rest = self._rest.split(b"\n\n")
            for event in events:
                self._hear(b"\n".join(_data(line) for line in event.split(b"\n") if line[:5] == b"data:"))

    def on_message_complete(self) -> None:
        self._hear(self._rest)
        self.end(self._parser.get_status_code())

    def _hear(self, message: bytes) -> None:
        if message and not self.complete.done():
            self._take(message)


def _data(line: bytes) -> bytes:
    return line[5:].removeprefix(b" ")
