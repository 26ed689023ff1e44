"""One POST and its answer: JSON at once, or, when the answer is slow in coming, an event stream that is kept alive.

The first byte waits for the answer or for `PATIENCE` seconds; then silence would make proxies give up, and the
answer comes as the last event of a stream. In a session such a stream has a transcript, and its client may come back
for the rest; a client that is gone before the stream begins has no event id to come back with.
"""

import asyncio
import math
from types import TracebackType
from typing import Final, Self

from msgspec import Raw

from onemcp.gateway.context import CallContext
from onemcp.gateway.streams import Event
from onemcp.gateway.transcript import Transcript
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


RETRY: Final = 2000
"""Milliseconds that a client is asked to wait before it comes back. Clients try twice, so that a gateway which is
started anew has twice this time."""
_PRIMED: Final = "2025-11-25"
"""The first revision in which a stream begins with an event without data (SEP-1699); older clients choke on it."""


def opening(revision: str, event_id: str) -> bytes:
    """How a stream that can be resumed begins, in a session of this revision; a comment where events have data."""
    return sse.encode(b"", id=event_id, retry=RETRY) if revision >= _PRIMED else sse.COMMENT


class Exchange:
    """The response side of one POST."""

    request_id: Raw
    """The id of the request; set together with `context`."""

    __slots__ = (
        "_response",
        "_spoke",
        "_streaming",
        "context",
        "headers",
        "request_id",
        "takes_json",
        "takes_stream",
        "transcript",
    )

    def __init__(self, response: Response, now: float, *, takes_json: bool, takes_stream: bool) -> None:
        self._response = response
        self._streaming = False
        self._spoke = now
        self.takes_json = takes_json
        """The client takes a JSON document for an answer."""
        self.takes_stream = takes_stream
        """It takes an event stream."""
        self.headers = b""
        """Further header lines of the answer."""
        self.context: CallContext | None = None
        """The request of a session while it is answered, whose client may come back for the rest; None for others."""
        self.transcript: Transcript | None = None
        """What is kept of the stream."""

    def finish(self, message: bytes, status: int = 200) -> None:
        """Send the answer, in whichever form the response has taken."""
        if not self._streaming:
            if self.takes_json:
                self._response.send(status, message, JSON + self.headers)
                return
            self._open()
        if self.transcript is not None:
            self._say(self.transcript, message, is_last=True)
        else:
            self._response.write(sse.encode(one_line(message)))
            self._response.end()

    def abandon(self) -> None:
        """The client has cancelled its request: there is no answer (basic/utilities/cancellation)."""
        if self.transcript is not None:
            self.transcript.say(b"", is_last=True)
        elif self._streaming:
            self._response.end()
        else:
            self._response.send(202, b"", self.headers)

    def let_go(self) -> None:
        """The request is over; what is kept of its stream stays for a client that comes back."""
        self.context = None  # each holds the other: only the collector would find them
        if self.transcript is not None:
            self.transcript.close()

    def leave(self) -> None:
        """Somebody else writes the response from here on, and keeps it alive."""
        self._spoke = math.inf

    def emit(self, message: bytes) -> bool:
        """Send a message that comes before the answer; False if the client is too slow to read it, or gone for good."""
        response = self._response
        if self.transcript is None:
            if response.gone or response.finished or response.is_clogged:
                return False
            if not self._streaming:
                self._begin()
        if self.transcript is not None:
            self._say(self.transcript, message)
        else:
            response.write(sse.encode(one_line(message)))
        return True

    def break_silence(self, now: float) -> None:
        """Turn the response into an event stream, or say on it that we are still here, if it is time for that."""
        if now - self._spoke < (KEEP_ALIVE if self._streaming else PATIENCE):
            return
        self._spoke = now
        response = self._response
        if response.gone or response.finished or (response.started and not self._streaming):
            return  # the last is a stream of its own, which keeps itself alive
        if not self._streaming:
            self._begin()
        response.write(sse.COMMENT)

    def put(self, event: Event) -> None:
        """Write an event of the transcript; who reads too slowly has to come back, but for the answer."""
        transcript = self.transcript
        if transcript is not None and not transcript.is_over and self._response.is_clogged:
            transcript.turn_to(None)
        else:
            self._response.write(sse.encode(event.message, id=event.id))

    def end(self) -> None:
        """The transcript is complete, or its client reads elsewhere now."""
        if self.transcript is not None and self.transcript.is_over:
            self._response.end()
        else:
            self._response.hang_up()

    def _say(self, transcript: Transcript, message: bytes, *, is_last: bool = False) -> None:
        if self.context is not None:
            transcript.upstream = self.context.upstream
        transcript.say(one_line(message), is_last=is_last)

    def _begin(self) -> None:
        self._open()
        context = self.context
        session = context.session if context is not None else None
        if session is None or session.transcripts is None:
            return
        self.transcript = session.transcripts.open(session.sid, self.request_id)
        if self.transcript is not None:
            self.transcript.outlet = self
            self.transcript.say(b"")
            self._response.write(opening(session.revision, self.transcript.event_id))

    def _open(self) -> None:
        self._streaming = True
        self._response.name_request()  # its answer may yet be an error
        self._response.begin(200, EVENT_STREAM + self.headers)


class SlowExchanges:
    """Looks once a second for exchanges whose answer is slow; cheaper than a timer for each call."""

    def __init__(self) -> None:
        self._open: set[Exchange] = set()
        self.add = self._open.add
        """An exchange whose client takes event streams has begun."""
        self.remove = self._open.discard
        """It has ended."""
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

    def _look(self) -> None:
        now = self._loop.time()
        for exchange in self._open:
            exchange.break_silence(now)
        self._timer = self._loop.call_later(TICK, self._look)
