"""The notifier: tells every client that can see a change that its lists changed, in batches.

It remembers the last notices, so that a client which opens its stream after a change still hears of it.
"""

import asyncio
import os
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

from onemcp.core.access import View
from onemcp.core.changes import Batch, Kind
from onemcp.gateway.listener import Listener, Position
from onemcp.gateway.streams import Stream

REMEMBERED: Final = 128
"""Notices that are kept for clients that were not listening."""
CAP: Final = 5
"""A steady trickle of changes is told after this many delays at the latest."""

Visible = Callable[[View, str, str], bool]
"""Whether a view on an endpoint shows an upstream."""


class Notifier:
    """Batches changes and fans the notices out to the open streams."""

    def __init__(self, delay: float, visible: Visible, prepare: Callable[[], object] = lambda: None) -> None:
        """`prepare` is called before each notice: whoever hears it will ask for the lists at once."""
        self._batch = Batch(delay, CAP * delay)
        self._visible = visible
        self._prepare = prepare
        self._streams: set[Stream] = set()
        self._timer: asyncio.TimerHandle | None = None
        self._log: deque[dict[Kind, frozenset[str]]] = deque(maxlen=REMEMBERED)
        self._epoch = os.urandom(4).hex()
        self.sent = 0
        """Notices so far; the number of the last one."""
        self.changes = 0
        """Changes so far, each of which is in a notice, or will be."""

    def adopt(self, delay: float) -> None:
        """Collect for so many seconds from now on."""
        self._batch.adopt(delay, CAP * delay)

    def __len__(self) -> int:
        """Streams that are told."""
        return len(self._streams)

    @property
    def position(self) -> Position:
        """Where a client is that has heard every notice so far."""
        return Position(self._epoch, self.sent, 0)

    def changed(self, kinds: frozenset[Kind], upstream: str) -> None:
        """An upstream's lists changed, it came or it went."""
        loop = asyncio.get_running_loop()
        self.changes += len(kinds)
        for kind in kinds:
            self._batch.add(kind, upstream, loop.time())
        due = self._batch.due()
        if due is not None and self._timer is None:
            self._timer = loop.call_at(due, self._flush)

    def _flush(self) -> None:
        self._timer = None
        loop = asyncio.get_running_loop()
        due = self._batch.due()
        if due is None:
            return
        if due > loop.time():
            self._timer = loop.call_at(due, self._flush)
            return
        notice = self._batch.take(loop.time())
        self._prepare()
        self._log.append(notice)
        self.sent += 1
        for stream in list(self._streams):
            self._tell(stream, self._visible_kinds(stream, [notice]))

    def _visible_kinds(self, stream: Stream, notices: list[dict[Kind, frozenset[str]]]) -> list[Kind]:
        """The lists that changed as far as the stream's view shows it."""
        kinds = []
        for kind in stream.kinds:
            upstreams = frozenset[str]().union(*(notice.get(kind, frozenset()) for notice in notices))
            if any(self._visible(stream.view, stream.endpoint, upstream) for upstream in upstreams):
                kinds.append(kind)
        return kinds

    def _tell(self, stream: Stream, kinds: list[Kind]) -> None:
        """Announce these kinds; a client that has read all of them has heard of everything so far."""
        for kind in kinds[:-1]:
            stream.announce(kind)
        if isinstance(stream, Listener):
            stream.position = Position(self._epoch, self.sent, stream.position.told)
        for kind in kinds[-1:]:
            stream.announce(kind)

    @contextmanager
    def listening(self, stream: Stream) -> Iterator[Stream]:
        """Keep a stream told while the block runs; a session first hears what it missed since its position."""
        if isinstance(stream, Listener):
            self._tell(stream, self._missed(stream))
        self._streams.add(stream)
        try:
            yield stream
        finally:
            self._streams.discard(stream)

    def _missed(self, stream: Listener) -> list[Kind]:
        missed = self.sent - stream.position.seen
        if stream.position.epoch != self._epoch or not 0 <= missed <= len(self._log):
            return list(stream.kinds)
        return self._visible_kinds(stream, list(self._log)[-missed:]) if missed else []

    def end_routes(self) -> None:
        """End the streams at endpoints of single upstreams, which are served no longer."""
        for stream in self._streams:
            if stream.endpoint:
                stream.end()

    def close(self) -> None:
        """End all streams, politely: each reader gets what is queued."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        for stream in self._streams:
            stream.end()
