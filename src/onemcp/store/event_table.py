"""The table of events: `EventTable`, whose methods run inside a transaction of the writer.

It collects rows and writes many with one statement: every statement hands the interpreter's lock to the event loop
and waits to have it back, so that their number decides how many events a busy gateway can keep.
"""

import sqlite3
from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple, TypeVar

from onemcp.store.base import EVENT_OVERHEAD, Bounds, Event
from onemcp.store.retention import Kept, Retention

_ROWS: Final = 1024
"""Rows of one statement, where SQLite's limit on values allows it."""
_COLUMNS: Final = 5

_T = TypeVar("_T")


class Append(NamedTuple):
    """One event on its way into the table."""

    stream: str
    number: int
    data: bytes
    now: float


class EventTable:
    """What `Log` promises, in SQL; used by one thread."""

    def __init__(self, database: sqlite3.Connection, bounds: Bounds) -> None:
        self._execute = database.execute
        self._bounds = bounds
        values = database.getlimit(sqlite3.SQLITE_LIMIT_VARIABLE_NUMBER)
        self._rows = min(_ROWS, 1 << (values // _COLUMNS).bit_length() - 1)
        self._retention: Retention | None = None
        """What the table holds once all is saved; read from it when needed."""
        self._serial = 0
        self._coming: dict[int, Append] = {}
        self._going: list[int] = []

    def add(self, event: Append) -> bool:
        """Take an event in, to be written by `save`; False if it is refused."""
        retention = self._kept()
        self._serial += 1
        made_room = retention.add(
            event.stream,
            Kept(self._serial, event.number, event.now, len(event.data) + EVENT_OVERHEAD),
        )
        if made_room is None:
            return False
        self._coming[self._serial] = event
        self._remove(made_room)
        return True

    def read(self, stream: str, after: int, now: float) -> Sequence[Event]:
        """See `Log.read`."""
        self._kept()
        self.save()
        rows = self._execute(
            "SELECT number, data FROM events WHERE stream = ? AND number > ? AND time > ? ORDER BY number",
            (stream, after, now - self._bounds.age),
        )
        return [Event(number, data) for number, data in rows]

    def drop(self, prefix: str) -> None:
        """See `Log.drop`."""
        self._remove(self._kept().remove(prefix))

    def save(self) -> None:
        """Write what has come and delete what has gone."""
        rows = [(serial, *event) for serial, event in self._coming.items()]
        self._coming.clear()
        for some in _chunks(rows, self._rows):
            self._execute(_inserting(len(some)), [value for row in some for value in row])
        gone, self._going = self._going, []
        for few in _chunks(gone, self._rows):
            self._execute(_deleting(len(few)), few)

    def forget(self) -> None:
        """The transaction was undone: what is known of the table is not true any more."""
        self._retention = None
        self._coming.clear()
        self._going.clear()

    def _kept(self) -> Retention:
        """What is kept; after a start, or with other bounds than before, that may be less than is there."""
        if self._retention is None:
            self._retention = Retention(self._bounds)
            rows = self._execute(
                "SELECT serial, stream, number, time, length(data) FROM events ORDER BY serial"
            )
            for serial, stream, number, time, size in rows.fetchall():
                self._serial = serial
                made_room = self._retention.add(stream, Kept(serial, number, time, size + EVENT_OVERHEAD))
                self._remove((serial,) if made_room is None else made_room)
        return self._retention

    def _remove(self, serials: Sequence[int]) -> None:
        for serial in serials:
            if self._coming.pop(serial, None) is None:
                self._going.append(serial)


def _inserting(rows: int) -> str:
    """The statement that inserts so many events."""
    places = ", ".join(["(?, ?, ?, ?, ?)"] * rows)
    return f"INSERT INTO events (serial, stream, number, data, time) VALUES {places}"  # noqa: S608 - marks only


def _deleting(rows: int) -> str:
    """The statement that deletes so many events."""
    places = ", ".join(["?"] * rows)
    return f"DELETE FROM events WHERE serial IN ({places})"  # noqa: S608 - question marks only


def _chunks(items: list[_T], most: int) -> Iterator[list[_T]]:
    """The items in pieces of as many as a power of two, so that few forms of a statement do for all numbers."""
    start = 0
    while rest := len(items) - start:
        size = min(most, 1 << (rest.bit_length() - 1))
        yield items[start : start + size]
        start += size
