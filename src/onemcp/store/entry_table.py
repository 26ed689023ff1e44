"""The table of entries: `EntryTable`, whose methods run inside a transaction of the writer."""

import sqlite3
from collections.abc import Sequence
from typing import Final

from onemcp.store.base import Entry, VersionConflict

_EXPIRED_PER_PUT: Final = 2
"""Expired entries removed for one that is written: none stay for long, at a bounded cost."""

_AFTER_ALL: Final = "\U0010ffff"
"""A prefix with this appended comes after all that begins with the prefix."""


class EntryTable:
    """What `Entries` promises, in SQL; used by one thread."""

    def __init__(self, database: sqlite3.Connection) -> None:
        self._execute = database.execute

    def get(self, key: str, now: float) -> Entry | None:
        """See `Entries.get`."""
        row = self._execute(
            "SELECT value, version FROM entries WHERE key = ? AND expires > ?", (key, now)
        ).fetchone()
        return Entry(*row) if row else None

    def put(self, key: str, value: bytes, expires: float, version: int | None, now: float) -> int:
        """See `Entries.put`."""
        if version is not None:
            entry = self.get(key, now)
            found = entry.version if entry else 0
            if version != found:
                raise VersionConflict(f"{key}: the entry has version {found}, not {version}")
        self._execute(
            "DELETE FROM entries WHERE version IN"
            " (SELECT version FROM entries WHERE expires <= ? ORDER BY expires LIMIT ?)",
            (now, _EXPIRED_PER_PUT),
        )
        written = self._execute(
            "INSERT OR REPLACE INTO entries (key, expires, value) VALUES (?, ?, ?)", (key, expires, value)
        ).lastrowid
        assert written is not None  # a row was inserted
        return written

    def take(self, key: str, now: float) -> Entry | None:
        """See `Entries.take`."""
        entry = self.get(key, now)
        self._execute("DELETE FROM entries WHERE key = ?", (key,))
        return entry

    def delete(self, key: str, now: float) -> bool:
        """See `Entries.delete`."""
        return self.take(key, now) is not None

    def scan(self, prefix: str, now: float, limit: int) -> Sequence[tuple[str, Entry]]:
        """See `Entries.scan`."""
        rows = self._execute(
            "SELECT key, value, version FROM entries"
            " WHERE key >= ? AND key < ? AND expires > ? ORDER BY key LIMIT ?",
            (prefix, prefix + _AFTER_ALL, now, limit),
        )
        return [(key, Entry(value, version)) for key, value, version in rows]
