"""GET in the handshake era: the stream of a session, and the rest of an answer whose stream was cut.

Which of the two is meant is what `Last-Event-ID` says (transports, "Resumability and Redelivery"). What it cannot
mean is answered so that clients stop asking: they come back at once, and for ever, after a stream that ends without
an answer, and one that asks without an id afterwards takes the place of its own listener. Therefore

- an id of which nothing is known, or no longer, is 400: the SDKs try twice more and then tell their caller;
- the id of the last event there will be is 204, on which no client comes back (WHATWG HTML, "Server-sent events").
"""

from functools import partial
from typing import Final

from onemcp.errors import StoreError
from onemcp.gateway.listener import Listener, Position
from onemcp.gateway.replay import shown
from onemcp.gateway.runtime import Runtime
from onemcp.gateway.sessions import Session
from onemcp.gateway.streams import Stream
from onemcp.gateway.transcript import parse_event_id
from onemcp.ops.drain import Drain
from onemcp.web.answers import refuse, refuse_new
from onemcp.web.exchange import opening
from onemcp.web.http.response import Response
from onemcp.web.streaming import serve_events

_NOTHING_KNOWN: Final = (
    "Last-Event-ID: nothing is kept of this stream (any more); send the request again if you must"
)
_UNREADABLE: Final = "what was kept of this stream cannot be read just now; try again"


class Listening:
    """Serves the event streams that sessions open with GET."""

    def __init__(self, runtime: Runtime, drain: Drain) -> None:
        self._runtime = runtime
        self._drain = drain

    async def serve(self, session: Session, stream: Stream, response: Response, last_event_id: str) -> None:
        """Answer a GET; `stream` is not read yet and says which view it has."""
        position = Position.parse(last_event_id) if last_event_id else session.position
        try:
            if position is not None and self._drain.is_refusing:
                refuse_new(response)
            elif position is not None:
                await self._listen(session, Listener(stream.view, stream.endpoint, position), response)
            else:
                await self._resume(session, stream, response, last_event_id)
        except StoreError as error:
            if response.started:
                raise
            refuse(response, 503, f"{_UNREADABLE}: {error.what}")

    async def _listen(self, session: Session, listener: Listener, response: Response) -> None:
        """What answers no request; a second stream takes the place of the first, whose client is gone or confused."""
        if session.listener is not None:
            session.listener.end()
        session.listener = listener  # before the log is read, so that nothing is lost in between
        first = opening(session.revision, str(listener.position))
        try:
            if session.transcripts is not None:
                listener.recall(await session.transcripts.told(session.sid, listener.position.told))
            with self._runtime.notifier.listening(listener):
                await serve_events(
                    listener, response, first, partial(shown, self._runtime, listener.view, listener.endpoint)
                )
        finally:
            if session.listener is listener:
                session.listener = None
                session.position = listener.heard

    async def _resume(self, session: Session, reader: Stream, response: Response, last_event_id: str) -> None:
        """The rest of an answer: what was said after the event, and what still will be."""
        named = parse_event_id(last_event_id)
        transcripts = session.transcripts
        if named is None or transcripts is None:
            refuse(response, 400, _NOTHING_KNOWN)
            return
        stream, number = named
        try:
            if not await transcripts.resume(session.sid, stream, number, reader):
                refuse(response, 400, _NOTHING_KNOWN)
            elif reader.is_over:
                response.send(204)
            else:
                first = opening(session.revision, last_event_id)
                await serve_events(
                    reader, response, first, partial(shown, self._runtime, reader.view, reader.endpoint)
                )
        finally:
            transcripts.leave(session.sid, stream, reader)
