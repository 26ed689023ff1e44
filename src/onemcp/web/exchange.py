"""One POST and its answer: JSON at once, or, when the answer is slow in coming, an event stream that is kept alive.

The first byte waits for the answer or for `PATIENCE` seconds; then silence would make proxies give up, and the
answer comes as the last event of a stream.
"""

import asyncio
from types import TracebackType
from typing import Final, Self

from onemcp.web.http.response import JSON, Response
from onemcp.wire import sse
from onemcp.wire.envelope import one_line

PATIENCE: Final = 10.0
KEEP_ALIVE: Final = 15.0
"""Seconds between two comments on a stream that has nothing to say."""
TICK: Final = 1.0

EVENT_STREAM: Final = (
    b"content-type: text/event-stream\r\ncache-control: no-cache, no-transform\r\nx-accel-buffering: no\r\n"
)
"""Headers of every event stream; the last two keep proxies from holding it back."""


class Exchange:
    """The response side of one POST."""

    __slots__ = ("_response", "_spoke", "_streaming", "headers", "streams_only", "takes_stream")

    def __init__(self, response: Response, now: float, *, takes_json: bool, takes_stream: bool) -> None:
        self._response = response
        self._streaming = False
        self._spoke = now
        self.takes_stream = takes_stream
        """The client takes an event stream for an answer."""
        self.streams_only = not takes_json
        """It takes nothing else."""
        self.headers = b""
        """Further header lines of the answer."""

    def finish(self, message: bytes, status: int = 200) -> None:
        """Send the answer, in whichever form the response has taken."""
        if not self._streaming:
            if not self.streams_only:
                self._response.send(status, message, JSON + self.headers)
                return
            self._begin()
        self._response.write(sse.encode(one_line(message)))
        self._response.end()

    def abandon(self) -> None:
        """The client has cancelled its request: there is no answer (basic/utilities/cancellation)."""
        if self._streaming:
            self._response.end()
        else:
            self._response.send(202, b"", self.headers)

    def emit(self, message: bytes) -> bool:
        """Send a message that comes before the answer; False if the client is gone or too slow to read it."""
        response = self._response
        if response.gone or response.finished or response.is_clogged:
            return False
        if not self._streaming:
            self._begin()
        response.write(sse.encode(one_line(message)))
        return True

    def break_silence(self, now: float) -> None:
        """Turn the response into an event stream, or say on it that we are still here, if it is time for that."""
        if now - self._spoke < (KEEP_ALIVE if self._streaming else PATIENCE):
            return
        self._spoke = now
        if not self._streaming:
            self._begin()
        self._response.write(sse.COMMENT)

    def _begin(self) -> None:
        self._streaming = True
        self._response.begin(200, EVENT_STREAM + self.headers)


class SlowExchanges:
    """Looks once a second for exchanges whose answer is slow; cheaper than a timer for each call."""

    def __init__(self) -> None:
        self._open: set[Exchange] = set()
        self._loop = asyncio.get_running_loop()
        self._timer: asyncio.TimerHandle | None = None

    def __enter__(self) -> Self:
        """Begin to look."""
        self._timer = self._loop.call_later(TICK, self._look)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop looking."""
        if self._timer is not None:
            self._timer.cancel()

    def add(self, exchange: Exchange) -> None:
        """An exchange whose client takes event streams has begun."""
        self._open.add(exchange)

    def remove(self, exchange: Exchange) -> None:
        """It has ended."""
        self._open.discard(exchange)

    def _look(self) -> None:
        now = self._loop.time()
        for exchange in self._open:
            exchange.break_silence(now)
        self._timer = self._loop.call_later(TICK, self._look)
