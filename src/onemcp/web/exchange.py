"""One POST and its answer: JSON at once, or, when the answer is slow in coming, an event stream that is kept alive.

The first byte waits for the answer or for `PATIENCE` seconds; then silence would make proxies give up, and the
answer comes as the last event of a stream.
"""

import asyncio
from contextlib import AbstractAsyncContextManager
from types import TracebackType
from typing import Final, Self

from onemcp.web.asgi import JSON, Send, respond
from onemcp.wire import sse
from onemcp.wire.envelope import one_line

PATIENCE: Final = 10.0
KEEP_ALIVE: Final = 15.0
"""Seconds between two comments on a stream that has nothing to say."""
_TICK: Final = 1.0

EVENT_STREAM: Final = (
    (b"content-type", b"text/event-stream"),
    (b"cache-control", b"no-cache, no-transform"),
    (b"x-accel-buffering", b"no"),
)
"""Headers of every event stream; the last two keep proxies from holding it back."""


class Exchange:
    """The response side of one POST."""

    __slots__ = ("_lock", "_send", "began", "headers", "spoke", "streaming", "streams_only")

    def __init__(self, send: Send, began: float, headers: tuple[tuple[bytes, bytes], ...] = ()) -> None:
        self._send = send
        self._lock: asyncio.Lock | None = None
        self.began = began
        self.headers = headers
        self.streaming = False
        self.spoke = began
        self.streams_only = False
        """The client takes nothing but an event stream."""

    async def finish(self, message: bytes, status: int = 200) -> None:
        """Send the answer, in whichever form the response has taken."""
        if self._lock is None and not self.streams_only:
            await respond(self._send, status, message, JSON, *self.headers)
            return
        await self.stream()
        async with self._guarded():
            await self._send({"type": "http.response.body", "body": sse.encode(one_line(message))})

    async def stream(self, now: float = 0.0) -> None:
        """Turn the response into an event stream, or say on it that we are still here."""
        async with self._guarded():
            self.spoke = now
            if not self.streaming:
                self.streaming = True
                headers = [*EVENT_STREAM, *self.headers]
                await self._send({"type": "http.response.start", "status": 200, "headers": headers})
            await self._send({"type": "http.response.body", "body": sse.COMMENT, "more_body": True})

    def _guarded(self) -> asyncio.Lock:
        if self._lock is None:
            self._lock = asyncio.Lock()
        return self._lock


class SlowExchanges(AbstractAsyncContextManager["SlowExchanges"]):
    """Looks once a second for exchanges whose answer is slow; cheaper than a timer for each call."""

    def __init__(self) -> None:
        self._open: set[Exchange] = set()
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        """Begin to look."""
        self._task = asyncio.create_task(self._watch(), name="slow exchanges")
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop looking."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    def add(self, exchange: Exchange) -> None:
        """An exchange whose client takes event streams has begun."""
        self._open.add(exchange)

    def remove(self, exchange: Exchange) -> None:
        """It has ended."""
        self._open.discard(exchange)

    async def _watch(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(_TICK)
            now = loop.time()
            due = [exchange for exchange in self._open if _is_due(exchange, now)]
            await asyncio.gather(*(exchange.stream(now) for exchange in due), return_exceptions=True)


def _is_due(exchange: Exchange, now: float) -> bool:
    return now - exchange.spoke >= (KEEP_ALIVE if exchange.streaming else PATIENCE)
