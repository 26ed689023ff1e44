"""Server-Sent Events, read and written.

Source: WHATWG HTML, "Server-sent events": parsing and interpreting an event stream.
"""

from dataclasses import dataclass
from typing import Final

COMMENT: Final = b": keep-alive\n\n"
"""Keeps a silent stream open; every reader ignores it."""

_BOM: Final = b"\xef\xbb\xbf"
_FIELD: Final = len(b"data: ")
_RETRY_DIGITS: Final = 9
"""A reconnection time of more digits (over eleven days) is taken for a mistake."""


@dataclass(frozen=True, slots=True)
class Event:
    """One event of a stream; `data` is empty for one that only sets the id or the reconnection time."""

    data: bytes
    event: str = ""
    """The event's type; empty means `message`."""
    id: str | None = None
    """The id to resume from, if this event names one (an empty one means: from nowhere)."""
    retry: int | None = None
    """Milliseconds to wait before reconnecting, if this event says so."""


class EventParser:
    """Reads an event stream from chunks that break anywhere, also inside a character or a line end.

    An event with more than `limit` bytes of data, or with any line as long, is dropped as it arrives and counted in
    `oversized`; the next event is whole again. Comments yield nothing: that bytes came at all is the sign of life.
    An event that the end of the stream cuts off is never yielded.
    """

    def __init__(self, limit: int) -> None:
        self.oversized = 0
        self._limit = limit
        self._head: bytes | None = b""
        self._pending = bytearray()
        self._cut = False
        self._after_cr = False
        self._begin()

    def _begin(self) -> None:
        self._data: list[bytes] = []
        self._size = 0
        self._event = ""
        self._id: str | None = None
        self._retry: int | None = None
        self._dropping = False

    def feed(self, data: bytes) -> list[Event]:
        """The events that end in `data`."""
        data = self._without_bom(data)
        if not data:
            return []
        if self._after_cr and data.startswith(b"\n"):
            data = data[1:]
        self._after_cr = data.endswith(b"\r")
        lines = data.splitlines()  # For bytes exactly the three line ends of the format: LF, CR and CRLF.
        rest = lines.pop() if data and not data.endswith((b"\n", b"\r")) else b""
        events: list[Event] = []
        for line in lines:
            event = self._line(line)
            if event is not None:
                events.append(event)
        self._hold(rest)
        return events

    def _without_bom(self, data: bytes) -> bytes:
        if self._head is None:
            return data
        data = self._head + data
        if len(data) < len(_BOM) and _BOM.startswith(data):
            self._head = data
            return b""
        self._head = None
        return data.removeprefix(_BOM)

    def _hold(self, rest: bytes) -> None:
        """Keep the beginning of a line for the chunk that ends it, within the limit."""
        if self._cut or not rest:
            return
        self._pending += rest
        if self._pending.startswith(b":"):
            self._cut = True
        elif len(self._pending) > self._limit + _FIELD:
            self._cut = True
            self._drop()
        if self._cut:
            self._pending = bytearray()

    def _line(self, tail: bytes) -> Event | None:
        if self._cut:
            self._cut = False
            return None
        line = tail
        if self._pending:
            line = bytes(self._pending + tail)
            self._pending = bytearray()
        if not line:
            return self._dispatch()
        if not line.startswith(b":") and not self._dropping:
            self._field(line)
        return None

    def _field(self, line: bytes) -> None:
        if len(line) > self._limit + _FIELD:
            self._drop()
            return
        name, _, value = line.partition(b":")
        value = value.removeprefix(b" ")
        match name:
            case b"data":
                self._size += len(value) + bool(self._data)
                self._data.append(value)
                if self._size > self._limit:
                    self._drop()
            case b"event":
                self._event = value.decode(errors="replace")
            case b"id" if b"\0" not in value:
                self._id = value.decode(errors="replace")
            case b"retry" if value.isdigit() and len(value) <= _RETRY_DIGITS:
                self._retry = int(value)
            case _:
                pass

    def _drop(self) -> None:
        self.oversized += not self._dropping
        self._dropping = True
        self._data = []

    def _dispatch(self) -> Event | None:
        data = b"" if self._dropping else b"\n".join(self._data)
        event = Event(data, self._event, self._id, self._retry)
        wanted = data or self._id is not None or self._retry is not None
        dropped = self._dropping
        self._begin()
        return event if wanted and not dropped else None


def encode(data: bytes, *, event: str = "message", id: str = "", retry: int | None = None) -> bytes:  # noqa: A002 - the format's own word
    """One event around one line of data; fields that are empty are left out, `data` never is.

    Raises:
        ValueError: a line end in `data` (see `envelope.one_line`) or in a field, where it would end the event early.
    """
    if b"\n" in data or b"\r" in data:
        raise ValueError("event data must be one line")
    if not (event + id).isprintable():
        raise ValueError("an event's type and id must be one line of printable characters")
    head = f"event: {event}\n" if event else ""
    if id:
        head += f"id: {id}\n"
    if retry is not None:
        head += f"retry: {retry}\n"
    return b"%bdata: %b\n\n" % (head.encode(), data)
