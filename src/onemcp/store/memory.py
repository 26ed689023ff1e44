"""The store in memory: it lasts as long as the process, and costs next to nothing."""

import heapq
from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from types import TracebackType
from typing import Final

from onemcp.errors import StoreError
from onemcp.store.base import EVENT_OVERHEAD, MAX_VALUE, Bounds, Entry, Event, VersionConflict
from onemcp.store.keys import SortedKeys
from onemcp.store.retention import Kept, Retention

MAX_ENTRIES: Final = 200_000
MAX_BYTES: Final = 256 << 20
"""Of all keys and values."""

_EXPIRED_PER_PUT: Final = 2
"""Expired entries removed for one that is written: none stay for long, at a bounded cost."""
_BOUNDS: Final = Bounds()


@dataclass(slots=True)
class _Slot:
    entry: Entry
    expires: float


class MemoryStore(AbstractAsyncContextManager["MemoryStore"]):
    """Both ports in dictionaries; of one event loop, whose thread alone may use it. No method waits for anything.

    A store that is full of entries refuses new ones with StoreError and goes on with those it has: to drop one
    silently would break the promise that was made for it. Expired ones make room first.
    """

    def __init__(
        self, bounds: Bounds = _BOUNDS, *, max_entries: int = MAX_ENTRIES, max_bytes: int = MAX_BYTES
    ) -> None:
        self._max_entries = max_entries
        self._max_bytes = max_bytes
        self._slots: dict[str, _Slot] = {}
        self._keys = SortedKeys()
        self._expiries: list[tuple[float, int, str]] = []
        """A heap with one item for each writing; that of an entry written again or deleted is stale."""
        self._bytes = 0
        self._version = 0
        self._retention = Retention(bounds)
        self._serial = 0
        self._dropped = 0
        self._dropped_before = 0
        self._now = 0.0

    def __repr__(self) -> str:
        """How much it holds, in one line."""
        return f"<MemoryStore {len(self._slots)} entries, {len(self._retention)} events>"

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Nothing is to be closed."""

    async def get(self, key: str, now: float) -> Entry | None:
        """See `Entries.get`."""
        self._now = now
        slot = self._good(key)
        return slot.entry if slot else None

    async def put(
        self, key: str, value: bytes, expires: float, now: float, *, version: int | None = None
    ) -> int:
        """See `Entries.put`."""
        self._now = now
        if len(value) > MAX_VALUE:
            raise StoreError(f"{key}: {len(value)} bytes are more than the {MAX_VALUE} an entry may have")
        slot = self._good(key)
        found = slot.entry.version if slot else 0
        if version is not None and version != found:
            raise VersionConflict(f"{key}: the entry has version {found}, not {version}")
        self._make_room(key, len(key) + len(value))
        self._remove(key)
        self._version += 1
        self._slots[key] = _Slot(Entry(value, self._version), expires)
        self._keys.add(key)
        self._bytes += len(key) + len(value)
        self._watch(key, expires)
        return self._version

    async def take(self, key: str, now: float) -> Entry | None:
        """See `Entries.take`."""
        self._now = now
        slot = self._good(key)
        self._remove(key)
        return slot.entry if slot else None

    async def delete(self, key: str, now: float) -> bool:
        """See `Entries.delete`."""
        self._now = now
        slot = self._good(key)
        self._remove(key)
        return slot is not None

    async def scan(self, prefix: str, now: float, limit: int = 1000) -> Sequence[tuple[str, Entry]]:
        """See `Entries.scan`."""
        self._now = now
        found: list[tuple[str, Entry]] = []
        for key in self._keys.starting(prefix):
            if len(found) >= limit:
                break
            if slot := self._good(key):
                found.append((key, slot.entry))
        return found

    def append(self, stream: str, number: int, data: bytes, now: float) -> None:
        """See `Log.append`."""
        self._now = now
        self._serial += 1
        event = Kept(self._serial, number, now, len(data) + EVENT_OVERHEAD, data)
        if self._retention.add(stream, event) is None:
            self._dropped += 1

    async def read(self, stream: str, after: int, now: float) -> Sequence[Event]:
        """See `Log.read`."""
        self._now = now
        return [Event(event.number, event.data) for event in self._retention.after(stream, after, now)]

    async def drop(self, prefix: str) -> None:
        """See `Log.drop`."""
        self._retention.remove(prefix)

    async def flush(self) -> None:
        """See `Log.flush`."""
        lost, self._dropped_before = self._dropped - self._dropped_before, self._dropped
        if lost:
            raise StoreError(f"{lost} events were not kept: too large, or not in the order of their numbers")

    @property
    def dropped(self) -> int:
        """See `Log.dropped`."""
        return self._dropped

    def _good(self, key: str) -> _Slot | None:
        """What is under a key and has not expired."""
        slot = self._slots.get(key)
        return slot if slot and self._now < slot.expires else None

    def _remove(self, key: str) -> None:
        """Remove what is under a key, if anything."""
        slot = self._slots.pop(key, None)
        if slot:
            self._keys.remove(key)
            self._bytes -= len(key) + len(slot.entry.value)

    def _make_room(self, key: str, size: int) -> None:
        """Remove what has expired: a little always, and as much as it takes.

        Raises:
            StoreError: what is left is good, and too much.
        """
        for _ in range(_EXPIRED_PER_PUT):
            self._expire_one()
        while self._is_full(key, size):
            if not self._expire_one():
                raise StoreError(
                    f"the store in memory is full: {len(self._slots)} entries of {self._bytes} bytes",
                    "give the gateway a --state-dir that it can write, or run more of them",
                )

    def _is_full(self, key: str, size: int) -> bool:
        slot = self._slots.get(key)
        freed = len(key) + len(slot.entry.value) if slot else 0
        entries = len(self._slots) + (slot is None)
        return entries > self._max_entries or self._bytes - freed + size > self._max_bytes

    def _expire_one(self) -> bool:
        """Take the first item from the heap if its time has come."""
        if not self._expiries or self._expiries[0][0] > self._now:
            return False
        _, version, key = heapq.heappop(self._expiries)
        slot = self._slots.get(key)
        if slot and slot.entry.version == version:
            self._remove(key)
        return True

    def _watch(self, key: str, expires: float) -> None:
        """Add an item to the heap; sweep out the stale ones when they are the most."""
        heapq.heappush(self._expiries, (expires, self._version, key))
        if len(self._expiries) > 2 * len(self._slots) + 64:
            self._expiries = [(slot.expires, slot.entry.version, key) for key, slot in self._slots.items()]
            heapq.heapify(self._expiries)
