"""The last lines of the log in memory, for `1mcp logs`: of the gateway, and of each upstream by itself.

A chatty upstream pushes out nobody else's lines.
"""

import asyncio
import heapq
import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from typing import Final

from onemcp.ops.logs.entry import Entry

LINES: Final = 500
"""Lines that are kept of each upstream, and of the gateway."""
CHARACTERS: Final = 128 * 1024
"""Of messages that are kept of each."""
MAX_SERVERS: Final = 1000
"""Upstreams that have lines of their own here; those of more count as the gateway's."""
BEHIND: Final = 2000
"""Lines that a follower may be behind before it misses some."""

Numbered = tuple[int, Entry]


class Follower:
    """Whoever wants each line as it comes; used in the loop in which it was made."""

    def __init__(self, server: str) -> None:
        self._server = server
        self._loop = asyncio.get_running_loop()
        self._waiting: deque[Entry] = deque(maxlen=BEHIND)
        self._news = asyncio.Event()
        self._is_woken = False
        self._is_over = False
        self.missed = 0
        """Lines that were too many; whoever tells of them sets it to 0."""

    def offer(self, entry: Entry) -> None:
        """A line has come; from any thread."""
        if self._server not in ("", entry.server):
            return
        self.missed += len(self._waiting) == BEHIND
        self._waiting.append(entry)
        self._wake()

    def end(self) -> None:
        """No more will come; from any thread."""
        self._is_over = True
        self._wake()

    async def next(self) -> list[Entry]:
        """The lines since the last time, at least one; none when there will be no more."""
        while not self._waiting and not self._is_over:
            self._is_woken = False
            self._news.clear()
            if not self._waiting:
                await self._news.wait()
        lines = []
        while self._waiting:
            lines.append(self._waiting.popleft())
        return lines

    def _wake(self) -> None:
        if not self._is_woken and not self._loop.is_closed():
            self._is_woken = True
            self._loop.call_soon_threadsafe(self._news.set)


class LogRing:
    """The last lines, and those who follow. `put` may be called from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._numbers = count()
        self._kept: dict[str, _Kept] = {"": _Kept()}
        self._followers: set[Follower] = set()
        self._is_closed = False

    def put(self, entry: Entry) -> None:
        """A line has come."""
        with self._lock:
            kept = self._kept.get(entry.server)
            if kept is None:
                full = len(self._kept) > MAX_SERVERS
                kept = self._kept[""] if full else self._kept.setdefault(entry.server, _Kept())
            kept.add((next(self._numbers), entry))
            for follower in self._followers:
                follower.offer(entry)

    def last(self, limit: int, server: str = "") -> list[Entry]:
        """The last lines, the oldest first; of one upstream, or of all and the gateway."""
        with self._lock:
            return self._last(limit, server)

    def _last(self, limit: int, server: str) -> list[Entry]:
        if server:
            found = list(self._kept[server].lines) if server in self._kept else []
        else:
            found = list(heapq.merge(*(kept.lines for kept in self._kept.values()), key=lambda line: line[0]))
        return [entry for _, entry in found[-limit:]] if limit > 0 else []

    @contextmanager
    def following(self, limit: int, server: str = "") -> Iterator[tuple[list[Entry], Follower]]:
        """The last lines, and each that comes after them while the block runs."""
        follower = Follower(server)
        with self._lock:
            last = self._last(limit, server)
            self._followers.add(follower)
            if self._is_closed:
                follower.end()
        try:
            yield last, follower
        finally:
            with self._lock:
                self._followers.discard(follower)

    def close(self) -> None:
        """Those who follow hear no more."""
        with self._lock:
            self._is_closed = True
            for follower in self._followers:
                follower.end()


class _Kept:
    """The last lines of one."""

    __slots__ = ("_held", "lines")

    def __init__(self) -> None:
        self.lines: deque[Numbered] = deque()
        self._held = 0

    def add(self, line: Numbered) -> None:
        self.lines.append(line)
        self._held += len(line[1].message)
        while len(self.lines) > LINES or (self._held > CHARACTERS and len(self.lines) > 1):
            self._held -= len(self.lines.popleft()[1].message)
