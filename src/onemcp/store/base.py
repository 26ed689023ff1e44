"""The two ports of the store: entries that are read, replaced and taken, and logs that are appended to and read after.

Every engine keeps the same contract, which `tests/store/` holds against each. Keys and names of streams are paths
of printable ASCII (`session/<sid>`), so that a prefix names a family. `now` is seconds since the epoch, because what
is kept may outlive the process. A store has no clock; what has expired or aged by one `now` may be gone for good,
whatever the next one says.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from onemcp.errors import OnemcpError

MAX_VALUE: Final = 1 << 20
"""Bytes of one entry; a larger one is refused with StoreError."""

EVENT_OVERHEAD: Final = 512
"""Bytes that an event counts for beside its data, about what keeping it costs; bounds the small and the empty."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """How much of a log is kept: what exceeds one of these is dropped, the oldest first.

    Bytes are those of the data, and `EVENT_OVERHEAD` for each event. All are positive.
    """

    events: int = 256
    """Of one stream."""
    stream_bytes: int = 4 << 20
    total_bytes: int = 64 << 20
    age: float = 3600.0
    """Seconds."""

    @property
    def event_bytes(self) -> int:
        """What one event may weigh, overhead included; a heavier one is refused, and drives no other out."""
        return min(self.stream_bytes, self.total_bytes)


class VersionConflict(OnemcpError):  # noqa: N818 - an answer, not a fault: somebody else was first
    """The entry has another version than the caller said; nothing was changed."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One value, and the number of its writing: later writings of a key have higher versions, also after a delete."""

    value: bytes
    version: int


@dataclass(frozen=True, slots=True)
class Event:
    """One event of a stream; numbers rise within it, with gaps where events were dropped."""

    number: int
    data: bytes


class Entries(Protocol):
    """Entries by key. What a call has returned from is kept even if the process is killed at once.

    An entry is good while `now < expires`, and then as if it had never been there. All methods raise StoreError if
    the engine fails. Of a call that was cancelled it is not known whether it happened; all of it did, or nothing.
    """

    async def get(self, key: str, now: float) -> Entry | None:
        """The entry; None if there is none or it has expired."""

    async def put(
        self, key: str, value: bytes, expires: float, now: float, *, version: int | None = None
    ) -> int:
        """Write an entry that is good until `expires`; its new version. A few that have expired make way for it.

        `version` is the one that it must have now, 0 for "must not be there", None for whatever it is.

        Raises:
            VersionConflict: it has another version.
            StoreError: it could not be written: too large, no room, or the engine failed.
        """

    async def take(self, key: str, now: float) -> Entry | None:
        """Read and delete in one step: of several takers exactly one gets it."""

    async def delete(self, key: str, now: float) -> bool:
        """Whether there was something to delete."""

    async def scan(self, prefix: str, now: float, limit: int = 1000) -> Sequence[tuple[str, Entry]]:
        """The entries whose key begins so, in the order of their keys, at most `limit`."""


class Log(Protocol):
    """Streams of events, each bounded in number, bytes and age; the oldest events are dropped first."""

    def append(self, stream: str, number: int, data: bytes, now: float) -> None:
        """Add an event, whose number is higher than those that the stream has; one that is not is refused.

        Never blocks, never raises: an event that cannot be kept is counted in `dropped`. Kept when `flush` returns.
        """

    async def read(self, stream: str, after: int, now: float) -> Sequence[Event]:
        """The events with higher numbers, oldest first, including what was appended just before."""

    async def drop(self, prefix: str) -> None:
        """Forget all streams whose name begins so."""

    async def flush(self) -> None:
        """Return when all that was appended is kept.

        Raises:
            StoreError: some of it, since the flush before, could not be.
        """

    @property
    def dropped(self) -> int:
        """Events that were never kept, for lack of room or because the engine failed.

        Those that were kept and have made room for newer ones since are not counted.
        """
