"""The verbs of the control API about the log: the last lines, those to come, and the level."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Iterable, Mapping
from math import ceil
from typing import Any, Final

import msgspec

from onemcp.ops.logs.entry import Entry
from onemcp.ops.logs.format import as_json
from onemcp.ops.logs.level import LEVELS, LONGEST
from onemcp.ops.logs.logging import Log

DEFAULT_LINES: Final = 100
MAX_LINES: Final = 10_000


class RefusedError(Exception):
    """What was asked for means nothing; the text says why."""


class Order(msgspec.Struct):
    """What `POST /log-level` takes: a level, and for how many seconds (0: until the end of the process)."""

    level: str
    seconds: float = 0.0


class LogVerbs:
    """Answers what is asked about the log."""

    def __init__(self, log: Log, servers: Callable[[], Iterable[str]]) -> None:
        """`servers` gives the names of all upstreams."""
        self._log = log
        self._servers = servers

    def level(self) -> dict[str, Any]:
        """The level, the configured one, and the seconds until that comes back."""
        level = self._log.level
        return {
            "level": level.now,
            "configured": level.configured,
            "seconds": ceil(level.left * 10)
            / 10,  # what is set for a while never looks as if it were for ever
            "lost": self._log.lost,
        }

    def set_level(self, body: bytes) -> dict[str, Any]:
        """Another level.

        Raises:
            RefusedError: there is no such level, or nobody may ask for so long.
            msgspec.DecodeError: the body is no `Order`.
        """
        order = msgspec.json.decode(body, type=Order)
        if order.level not in LEVELS:
            raise RefusedError(f"unknown log level {order.level[:100]}; there are {', '.join(LEVELS)}")
        if order.seconds and not 1 <= order.seconds <= LONGEST:
            raise RefusedError(f"a log level is set for a second to {LONGEST / 86400:g} days")
        self._log.level.set(order.level, order.seconds)
        return self.level()

    async def lines(self, asked: Mapping[str, str]) -> AsyncGenerator[bytes, None]:
        """The last `lines` of one `server` or of all, as JSON lines; with `follow` also those that come, without end.

        Raises:
            RefusedError: `lines` is no number, or there is no such server.
        """
        server = asked.get("server", "")
        if server and server not in (known := sorted(self._servers())) and not self._log.ring.last(1, server):
            raise RefusedError(f"no server is called {server[:100]}; there are: {', '.join(known) or 'none'}")
        limit = _number(asked.get("lines", ""))
        with self._log.ring.following(limit, server) as (last, follower):
            for start in range(
                0, len(last), 50
            ):  # each costs a tenth of a millisecond: let others have their turn
                yield b"".join(map(as_json, last[start : start + 50]))
                await asyncio.sleep(0)
            if asked.get("follow", "") in ("", "0"):
                return
            yield b""
            while entries := await follower.next():
                if follower.missed:
                    entries.insert(0, _missed(entries[0], follower.missed))
                    follower.missed = 0
                yield b"".join(map(as_json, entries))

    def close(self) -> None:
        """End what follows."""
        self._log.ring.close()


def _number(text: str) -> int:
    if not text:
        return DEFAULT_LINES
    if not (text.isascii() and text.isdigit() and len(text) < 10):
        raise RefusedError(f"lines={text[:20]} is no number")
    return min(int(text), MAX_LINES)


def _missed(first: Entry, number: int) -> Entry:
    return Entry(
        first.time, "warn", "onemcp.log", f"{number} lines left out here: they came too fast", "", {}
    )
