"""Finding the answer to one request among what an HTTP upstream sends back."""

from typing import Final

from onemcp.errors import RpcError
from onemcp.net.fault import Fault, HttpError
from onemcp.net.response import Stream
from onemcp.upstream.channel import Inbound, Reply
from onemcp.wire.envelope import Envelope, is_batch, parse, parse_batch
from onemcp.wire.sse import Event, EventParser

RETRY: Final = 1.0
"""Seconds until a stream is resumed whose server did not say how long to wait."""
MAX_BATCH: Final = 1000


def open_messages(data: bytes) -> list[Envelope]:
    """The messages in one body or event: one, or those of a batch (2025-03-26 allows them in answers).

    Raises:
        RpcError: what is not JSON-RPC, as a whole or in part.
    """
    if is_batch(data):
        return [parse(entry) for entry in parse_batch(data)[:MAX_BATCH]]
    return [parse(data)]


def is_message(event: Event) -> bool:
    """Whether an event carries MCP messages; others only set ids and times, or are of kinds that we do not know."""
    return bool(event.data) and event.event in ("", "message")


class Answer:
    """Waits for the answer to one request; messages that come before it go to `deliver`.

    Remembers what is needed to resume a stream that ends too early (streamable HTTP, resumability, 2025-11-25).
    """

    __slots__ = ("_deliver", "_id", "_max_bytes", "last_event_id", "retry", "strays")

    def __init__(self, request_id: int, deliver: Inbound, max_bytes: int) -> None:
        self._id = b"%d" % request_id
        self._deliver = deliver
        self._max_bytes = max_bytes
        self.strays = 0
        """Messages that were none, and answers to something else."""
        self.last_event_id = ""
        self.retry = RETRY
        """Seconds to wait before the stream is resumed."""

    def take(self, data: bytes) -> Reply | None:
        """Open one body or event; the answer if it is in there."""
        try:
            messages = open_messages(data)
        except RpcError:
            self.strays += 1
            return None
        reply: Reply | None = None
        for message in messages:
            if message.method:
                self._deliver(message)
            elif bytes(message.id) == self._id and reply is None:
                reply = Reply(message.result, message.error)
            else:
                self.strays += 1
        return reply

    async def follow(self, stream: Stream) -> Reply | None:
        """Read a stream up to the answer; None if it ends or breaks off without one.

        Raises:
            HttpError: the deadline has passed, or an event was too large.
        """
        parser = EventParser(self._max_bytes)
        try:
            async for chunk in stream:
                for event in parser.feed(chunk):
                    reply = self._take_event(event)
                    if reply is not None:
                        stream.leave()
                        return reply
                self._refuse_oversized(parser)
        except HttpError as error:
            if error.fault is not Fault.LOST:
                raise
        finally:
            stream.close()
        return None

    def _refuse_oversized(self, parser: EventParser) -> None:
        """An event that was dropped may have been the answer: do not wait for it."""
        if parser.oversized:
            raise HttpError(Fault.TOO_LARGE, f"answered with more than {self._max_bytes} bytes")

    def _take_event(self, event: Event) -> Reply | None:
        if event.id is not None:
            self.last_event_id = event.id
        if event.retry is not None:
            self.retry = event.retry / 1000
        return self.take(event.data) if is_message(event) else None
