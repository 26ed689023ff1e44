"""The transcripts of all sessions: those that are being written, and what the log has of earlier ones.

The log of a session is the streams `session/<sid>/...`: one for each request that was answered on an event stream,
and one for what was told to the session outside any request.
"""

import os
import time
from typing import Final

from msgspec import Raw

from onemcp.errors import RpcError
from onemcp.gateway.listener import NAME
from onemcp.gateway.streams import Event, Stream
from onemcp.gateway.transcript import NOTHING, Record, Transcript, event_id, read_record
from onemcp.store.base import Log
from onemcp.wire.envelope import INTERNAL_ERROR, encode, error_object, failure, parse

MAX_LIVE: Final = 64
"""Transcripts that one session has open at a time; further requests are answered on streams that cannot be resumed."""
INTERRUPTED: Final = (
    "The gateway was stopped before the answer came; it is not known whether the request was carried out"
)


class Transcripts:
    """Opens transcripts, and finds them for clients that come back."""

    def __init__(self, log: Log) -> None:
        self._log = log
        self._live: dict[str, dict[str, Transcript]] = {}

    def open(self, sid: str, request_id: Raw) -> Transcript | None:
        """A new transcript for a request of a session; None if it has too many open."""
        live = self._live.setdefault(sid, {})
        if len(live) >= MAX_LIVE:
            return None
        name = f"session/{sid}/{os.urandom(8).hex()}"
        transcript = live[name] = Transcript(self._log, name, request_id, self._close)
        return transcript

    def _close(self, transcript: Transcript) -> None:
        sid = transcript.name.split("/")[1]
        live = self._live.get(sid, {})
        live.pop(transcript.name, None)
        if not live:
            self._live.pop(sid, None)

    async def resume(self, sid: str, stream: str, after: int, reader: Stream) -> bool:
        """Hand a reader what was said after an event, and what will be; False if nothing is known of that event.

        The reader ends with the answer. Where there is none, because the gateway was stopped before it came, that is
        what the answer says. Questions of a call that is over are left out: nobody waits for their answers.

        Raises:
            StoreError: the log could not be read.
        """
        name = f"session/{sid}/{stream}"
        live = self._live.get(sid, {}).get(name)
        if live is not None:
            live.turn_to(reader)  # before the log is read, so that nothing is lost in between
        kept = await self._log.read(name, after - 1, time.time())
        records = [(event.number, read_record(event.data)) for event in kept]
        if live is None:
            if not records:
                return False
            number, last = records[-1]
            if not last.is_last:
                records.append((number + 1, self._interrupt(name, number + 1, last)))
            reader.end()
        reader.precede(
            [
                Event(record.text, event_id(name, number), record.upstream, number)
                for number, record in records
                if number > after and record.text and (live is not None or not _asks(record.text))
            ]
        )
        return True

    def _interrupt(self, name: str, number: int, before: Record) -> Record:
        error = RpcError(INTERNAL_ERROR, INTERRUPTED, {"reason": "gateway_restarted"})
        answer = Raw(failure(before.request_id, error_object(error)))
        record = Record(before.request_id, before.upstream, is_last=True, message=answer)
        self._log.append(name, number, encode(record), time.time())
        return record

    def leave(self, sid: str, stream: str, reader: Stream) -> None:
        """The client that read here has gone."""
        live = self._live.get(sid, {}).get(f"session/{sid}/{stream}")
        if live is not None and live.outlet is reader:
            live.turn_to(None)

    def tell(self, sid: str, number: int, upstream: str, message: bytes) -> None:
        """Keep what is told to a session outside any request, until it has heard it."""
        record = Record(NOTHING, upstream, is_last=False, message=Raw(message))
        self._log.append(f"session/{sid}/{NAME}", number, encode(record), time.time())

    async def told(self, sid: str, after: int) -> list[tuple[int, str, bytes]]:
        """Number, upstream and text of what was told after a number.

        Raises:
            StoreError: the log could not be read.
        """
        kept = await self._log.read(f"session/{sid}/{NAME}", after, time.time())
        records = [(event.number, read_record(event.data)) for event in kept]
        return [(number, record.upstream, record.text) for number, record in records]

    async def drop(self, sid: str) -> None:
        """A session has ended: what is still running for it is kept no longer.

        Raises:
            StoreError: the log could not be changed.
        """
        for transcript in list(self._live.get(sid, {}).values()):
            transcript.turn_to(None)  # before it is over: whoever reads is told that it goes on without them
            transcript.close()
        await self._log.drop(f"session/{sid}/")


def _asks(message: bytes) -> bool:
    return parse(message).is_request
