"""What comes back: `Response`, whole or with a `Stream` for its body."""

import asyncio
from collections import deque
from typing import Final, Protocol, Self

from onemcp.net.fault import HttpError

HIGH_WATER: Final = 256 * 1024
"""Bytes that wait for the reader of a stream before the connection is no longer read."""


class Response:
    """One response. `headers` has lower-case names; of repeated ones the values are joined by a comma."""

    __slots__ = ("body", "headers", "status", "stream")

    def __init__(
        self, status: int, headers: dict[bytes, bytes], body: bytes = b"", stream: "Stream | None" = None
    ) -> None:
        self.status = status
        self.headers = headers
        self.body = body
        """The complete body; empty where there is a stream."""
        self.stream = stream
        """The body on its way, for a 2xx answer of the type text/event-stream; whoever gets it closes it."""

    def __repr__(self) -> str:
        """Status and size in one line."""
        return f"<Response {self.status} {'stream' if self.stream else f'{len(self.body)} bytes'}>"

    def header(self, name: bytes) -> str:
        """The value of a header by its lower-case name; empty if it is not there."""
        return self.headers.get(name, b"").decode("latin-1")

    def close(self) -> None:
        """Give up a body that is still coming."""
        if self.stream is not None:
            self.stream.close()


class Valve(Protocol):
    """What a stream can do to the connection that fills it."""

    def pause(self) -> None:
        """Stop reading for now."""

    def resume(self) -> None:
        """Read again."""

    def abort(self) -> None:
        """Close the connection at once."""

    def drain(self) -> None:
        """Discard what is left of the response, which should be next to nothing; then the connection is free."""


class Stream:
    """A body as it arrives: `async for chunk in stream`. For one reader, whose cancellation closes it.

    Iterating raises HttpError where the connection fails before the body ends.
    """

    __slots__ = ("_chunks", "_error", "_paused", "_size", "_valve", "_waiter")

    def __init__(self, valve: Valve) -> None:
        self._valve: Valve | None = valve
        self._chunks: deque[bytes] = deque()
        self._size = 0
        self._paused = False
        self._error: HttpError | None = None
        self._waiter: asyncio.Future[None] | None = None

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> bytes:
        while not self._chunks:
            if self._error is not None:
                raise self._error
            if self._valve is None:
                raise StopAsyncIteration
            self._waiter = asyncio.get_running_loop().create_future()
            try:
                await self._waiter
            except asyncio.CancelledError:
                self.close()
                raise
        chunk = self._chunks.popleft()
        self._size -= len(chunk)
        if self._paused and self._size <= HIGH_WATER // 2 and self._valve is not None:
            self._paused = False
            self._valve.resume()
        return chunk

    def close(self) -> None:
        """Give up what has not arrived, by closing the connection: to the server that is a cancellation."""
        valve, self._valve = self._valve, None
        if valve is not None:
            valve.abort()
        self._wake()

    def leave(self) -> None:
        """Want no more of a body that is about to end by itself, so that its connection can be used again."""
        valve, self._valve = self._valve, None
        if valve is not None:
            if self._paused:
                valve.resume()
            valve.drain()

    def feed(self, chunk: bytes) -> None:
        """Called by the connection: more of the body."""
        self._chunks.append(chunk)
        self._size += len(chunk)
        if self._size > HIGH_WATER and not self._paused and self._valve is not None:
            self._paused = True
            self._valve.pause()
        self._wake()

    def end(self, error: HttpError | None = None) -> None:
        """Called by the connection: nothing more will come."""
        valve, self._valve = self._valve, None
        self._error = error
        if self._paused and error is None and valve is not None:
            valve.resume()
        self._wake()

    def _wake(self) -> None:
        waiter, self._waiter = self._waiter, None
        if waiter is not None and not waiter.done():
            waiter.set_result(None)
