"""Which events of a log are kept: `Retention` applies the bounds, the same for every engine.

It can hold the events' data (the memory engine) or only account for what is kept elsewhere (the SQLite engine).
"""

from bisect import bisect_right
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

from onemcp.store.base import Bounds
from onemcp.store.keys import SortedKeys

_AGED_PER_EVENT: Final = 2
"""Aged events removed for one that is added: more than are added, so none stay for long, at a bounded cost."""


class Kept(NamedTuple):
    """One event that is kept."""

    serial: int
    """Rises over all streams; the smallest is the oldest."""
    number: int
    time: float
    weight: int
    """Its bytes as the bounds count them."""
    data: bytes = b""


class _Stream:
    """One stream's events, oldest first, never none."""

    __slots__ = ("events", "name", "weight")

    def __init__(self, name: str) -> None:
        self.name = name
        self.events: list[Kept] = []
        self.weight = 0


class Retention:
    """The events that are kept, by stream and by age."""

    def __init__(self, bounds: Bounds) -> None:
        self._bounds = bounds
        self._streams: dict[str, _Stream] = {}
        self._names = SortedKeys()
        # Ordered, because a plain dict looks for its first item through all that were deleted before it.
        self._order: OrderedDict[int, _Stream] = OrderedDict()
        self._weight = 0

    def __len__(self) -> int:
        """How many events are kept."""
        return len(self._order)

    def add(self, name: str, event: Kept) -> Sequence[int] | None:
        """Keep an event; the serials of those that made room, or None if it is refused."""
        stream = self._streams.get(name)
        if event.weight > self._bounds.event_bytes:
            return None
        if stream is None:
            stream = self._streams[name] = _Stream(name)
            self._names.add(name)
        elif event.number <= stream.events[-1].number:
            return None
        stream.events.append(event)
        stream.weight += event.weight
        self._order[event.serial] = stream
        self._weight += event.weight
        return list(self._exceeding(stream, event.time))

    def _exceeding(self, stream: _Stream, now: float) -> Iterator[int]:
        """Drop what the bounds no longer allow after this stream has grown."""
        bounds = self._bounds
        while len(stream.events) > bounds.events or stream.weight > bounds.stream_bytes:
            yield self._drop_oldest(stream)
        while self._weight > bounds.total_bytes:
            yield self._drop_oldest(next(iter(self._order.values())))
        for _ in range(_AGED_PER_EVENT):
            oldest = next(iter(self._order.values()))
            if oldest.events[0].time > now - bounds.age:
                return
            yield self._drop_oldest(oldest)

    def _drop_oldest(self, stream: _Stream) -> int:
        event = stream.events.pop(0)
        stream.weight -= event.weight
        self._weight -= event.weight
        del self._order[event.serial]
        if not stream.events:
            del self._streams[stream.name]
            self._names.remove(stream.name)
        return event.serial

    def after(self, name: str, number: int, now: float) -> Sequence[Kept]:
        """The stream's events with higher numbers that have not aged, oldest first."""
        stream = self._streams.get(name)
        if stream is None:
            return ()
        first = bisect_right(stream.events, number, key=lambda event: event.number)
        since = now - self._bounds.age
        return [event for event in stream.events[first:] if event.time > since]

    def remove(self, prefix: str) -> Sequence[int]:
        """Drop all streams whose name begins so; the serials of their events."""
        return [
            self._drop_oldest(stream)
            for stream in [self._streams[name] for name in self._names.starting(prefix)]
            for _ in range(len(stream.events))
        ]
