"""Both tables of a SQLite store, and the transactions over them."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Self

from onemcp.store.base import Bounds
from onemcp.store.database import failure, open_database
from onemcp.store.entry_table import EntryTable
from onemcp.store.event_table import EventTable


class Tables:
    """An open file; used by one thread, the one that opened it. Leaving the context closes it.

    Raises:
        StartError: it cannot be used.
    """

    def __init__(self, path: Path, bounds: Bounds, max_bytes: int) -> None:
        self._path = path
        self._database = open_database(path, max_bytes)
        self.entries = EntryTable(self._database)
        self.events = EventTable(self._database, bounds)

    def __enter__(self) -> Self:
        """It is open."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the file; SQLite folds the write-ahead log into it."""
        self._database.close()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All that the block does is kept, or nothing.

        Raises:
            StoreError: nothing was; what failed, and where.
        """
        try:
            self._database.execute("BEGIN")
            yield
            self.events.save()
            self._database.execute("COMMIT")
        except Exception as error:
            self._undo()
            raise failure(self._path, error) from error

    def _undo(self) -> None:
        self.events.forget()
        try:
            if self._database.in_transaction:
                self._database.execute("ROLLBACK")
        except sqlite3.Error:
            # What made the transaction fail is reported; SQLite undoes it when the file is next opened at the latest.
            return
