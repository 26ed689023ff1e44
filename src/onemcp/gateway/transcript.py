"""The transcript: what is said on one event stream of a request, kept so that the client can resume it.

The number of an event is its place in the stream, and `<stream>-<number>` the id to resume after. An id needs no
seal: a stream's log is only ever looked for under the session that asks, so in another session it leads nowhere.
"""

import re
import time
from collections.abc import Callable
from typing import Final, Protocol

import msgspec
from msgspec import Raw

from onemcp.errors import RpcError
from onemcp.gateway.streams import Event
from onemcp.store.base import Log
from onemcp.wire.envelope import INTERNAL_ERROR, encode, error_object, failure

LARGEST: Final = 2 << 20
"""Bytes of a message that is kept; a log has room for several."""
NOTHING: Final = Raw(b"null")


class Record(msgspec.Struct, array_like=True, frozen=True):
    """One event as the log keeps it; each says all that is needed to go on without those before it."""

    request_id: Raw
    upstream: str
    """Whose word it is; empty for the gateway's own."""
    is_last: bool
    message: Raw
    """Null for an event without a message: the first one, and the end of a request that was cancelled."""

    @property
    def text(self) -> bytes:
        """The message; empty for none."""
        text = bytes(self.message)
        return b"" if text == b"null" else text


read_record: Final = msgspec.json.Decoder(Record).decode


class Outlet(Protocol):
    """Where the client that is there reads."""

    def put(self, event: Event) -> None:
        """Say something."""

    def end(self) -> None:
        """Say no more: it is over, or the client reads elsewhere."""


class Transcript:
    """One request that is being answered on an event stream. Its outlet changes when the client comes back."""

    __slots__ = ("_log", "_number", "_on_over", "is_over", "name", "outlet", "request_id", "upstream")

    def __init__(self, log: Log, name: str, request_id: Raw, on_over: Callable[["Transcript"], None]) -> None:
        """`name` is the stream's in the log; `on_over` hears that nothing more will be said."""
        self._log = log
        self._number = 0
        self._on_over = on_over
        self.name = name
        self.request_id = request_id.copy()  # it would keep the whole request
        self.upstream = ""
        """The upstream that answers; what comes from now on is its word."""
        self.outlet: Outlet | None = None
        self.is_over = False
        """The last message has been said, or never will be."""

    @property
    def event_id(self) -> str:
        """The id of the latest event."""
        return event_id(self.name, self._number)

    def say(self, message: bytes, *, is_last: bool = False) -> None:
        """Keep a message (one line; empty for none) and send it to the client, if that is there."""
        if self.is_over:
            return
        self.is_over = is_last
        self._number += 1
        record = Record(self.request_id, self.upstream, is_last, self._kept(message, is_last=is_last))
        self._log.append(self.name, self._number, encode(record), time.time())
        if self.outlet is not None and message:
            self.outlet.put(Event(message, self.event_id, self.upstream, self._number))
        if is_last:
            self._finish()

    def close(self) -> None:
        """Nothing more will be said; without a last message before it the answer is lost."""
        if not self.is_over:
            self.is_over = True
            self._finish()

    def _finish(self) -> None:
        self._on_over(self)
        self.turn_to(None)

    def turn_to(self, outlet: Outlet | None) -> None:
        """The client reads here from now on; where it read before ends."""
        former, self.outlet = self.outlet, outlet
        if former is not None:
            former.end()

    def _kept(self, message: bytes, *, is_last: bool) -> Raw:
        if len(message) <= LARGEST:
            return Raw(message) if message else NOTHING
        if not is_last:
            return NOTHING
        what = f"The answer has {len(message)} bytes, more than is kept for a client that has gone"
        return Raw(failure(self.request_id, error_object(RpcError(INTERNAL_ERROR, what))))


_ID: Final = re.compile(r"([0-9a-f]{16})-([0-9]{1,18})")


def parse_event_id(text: str) -> tuple[str, int] | None:
    """Stream and number of an event id; None for what cannot be one."""
    found = _ID.fullmatch(text)
    return (found[1], int(found[2])) if found else None


def event_id(name: str, number: int) -> str:
    """The id of an event, by the name of its stream in the log and its number."""
    return f"{name.rpartition('/')[2]}-{number}"
