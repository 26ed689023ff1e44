"""The notifier: tells every client that can see a change that its lists changed, in batches.

It remembers the last notices, so that a client which opens its stream after a change still hears of it.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

from onemcp.core.access import View
from onemcp.core.changes import Batch, Kind
from onemcp.gateway.sessions import Session
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
        self.sent = 0
        """Notices so far; the number of the last one."""

    def changed(self, kinds: frozenset[Kind], upstream: str) -> None:
        """An upstream's lists changed, it came or it went."""
        loop = asyncio.get_running_loop()
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
            self._tell(stream, [notice])

    def _tell(self, stream: Stream, notices: list[dict[Kind, frozenset[str]]]) -> None:
        for kind in stream.kinds:
            upstreams = frozenset[str]().union(*(notice.get(kind, frozenset()) for notice in notices))
            if any(self._visible(stream.view, stream.endpoint, upstream) for upstream in upstreams):
                stream.announce(kind)

    @contextmanager
    def listening(self, stream: Stream, session: Session | None = None) -> Iterator[Stream]:
        """Keep a stream told while the block runs; a session first hears what it missed."""
        if session is not None:
            self._catch_up(stream, session)
        self._streams.add(stream)
        try:
            yield stream
        finally:
            self._streams.discard(stream)
            if session is not None:
                session.seen = self.sent

    def _catch_up(self, stream: Stream, session: Session) -> None:
        missed = self.sent - session.seen
        if session.seen < 0 or missed > len(self._log):
            for kind in stream.kinds:
                stream.announce(kind)
        elif missed:
            self._tell(stream, list(self._log)[-missed:])

    def close(self) -> None:
        """End all streams, politely: each reader gets what is queued."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        for stream in self._streams:
            stream.end()
