"""The store in a SQLite file: what was answered is there after a restart, also after `kill -9`."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final, Self

from onemcp.errors import StoreError
from onemcp.store.base import EVENT_OVERHEAD, MAX_VALUE, Bounds, Entry, Event
from onemcp.store.event_table import Append
from onemcp.store.writer import Writer

MAX_BYTES: Final = 1 << 30
"""Of the file; when it is full, writing fails until something is deleted or expires. It does not shrink."""
_BOUNDS: Final = Bounds()


class SqliteStore:
    """Both ports on one file, which no other process can open meanwhile; made by `open`, used by one event loop.

    The file is in write-ahead mode with `synchronous=NORMAL`: what was answered survives the process however it
    ends. A power loss or a crash of the system can cost what was written since the last checkpoint (some MiB of
    writing), and then the newest only; the file is consistent after either.
    """

    def __init__(self, writer: Writer, bounds: Bounds, name: str) -> None:
        self._writer = writer
        self._max_data = bounds.event_bytes - EVENT_OVERHEAD
        self._name = name
        self._dropped_before = 0

    @classmethod
    @asynccontextmanager
    async def open(
        cls, path: Path, bounds: Bounds = _BOUNDS, *, max_bytes: int = MAX_BYTES
    ) -> AsyncIterator[Self]:
        """The store in this file, made (mode 0600) if it is not there; its folder must be.

        Leaving writes what was appended and closes the file, within 5 s.

        Raises:
            StartError: it cannot be used: no such folder, no right, in use, damaged, not ours, of a newer version.
        """
        async with Writer(path, bounds, max_bytes) as writer:
            yield cls(writer, bounds, str(path))

    def __repr__(self) -> str:
        """The file and how much waits to be written, in one line."""
        return f"<SqliteStore {self._name} {self._writer.waiting} bytes waiting>"

    async def get(self, key: str, now: float) -> Entry | None:
        """See `Entries.get`."""
        return await self._writer.ask(lambda tables: tables.entries.get(key, now))

    async def put(
        self, key: str, value: bytes, expires: float, now: float, *, version: int | None = None
    ) -> int:
        """See `Entries.put`."""
        if len(value) > MAX_VALUE:
            raise StoreError(f"{key}: {len(value)} bytes are more than the {MAX_VALUE} an entry may have")
        return await self._writer.ask(
            lambda tables: tables.entries.put(key, value, expires, version, now), len(value)
        )

    async def take(self, key: str, now: float) -> Entry | None:
        """See `Entries.take`."""
        return await self._writer.ask(lambda tables: tables.entries.take(key, now))

    async def delete(self, key: str, now: float) -> bool:
        """See `Entries.delete`."""
        return await self._writer.ask(lambda tables: tables.entries.delete(key, now))

    async def scan(self, prefix: str, now: float, limit: int = 1000) -> Sequence[tuple[str, Entry]]:
        """See `Entries.scan`."""
        return await self._writer.ask(lambda tables: tables.entries.scan(prefix, now, limit))

    def append(self, stream: str, number: int, data: bytes, now: float) -> None:
        """See `Log.append`."""
        if len(data) > self._max_data:
            self._writer.refuse()
        else:
            self._writer.append(Append(stream, number, data, now))

    async def read(self, stream: str, after: int, now: float) -> Sequence[Event]:
        """See `Log.read`."""
        return await self._writer.ask(lambda tables: tables.events.read(stream, after, now))

    async def drop(self, prefix: str) -> None:
        """See `Log.drop`."""
        await self._writer.ask(lambda tables: tables.events.drop(prefix))

    async def flush(self) -> None:
        """See `Log.flush`."""
        await self._writer.ask(lambda _: None)
        lost, self._dropped_before = self.dropped - self._dropped_before, self.dropped
        if lost:
            raise StoreError(f"{self._name}: {lost} events were not kept", "the log says why")

    @property
    def dropped(self) -> int:
        """See `Log.dropped`."""
        return self._writer.dropped
