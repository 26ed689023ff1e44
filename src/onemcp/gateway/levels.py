"""Levels: how much its clients want to hear from the upstreams, which is the most that any of them wants."""

from collections.abc import Hashable
from typing import Final

from onemcp.gateway.context import DEFAULT_LOG_LEVEL
from onemcp.wire.loglevel import lower

REMEMBERED: Final = 600.0
"""Seconds for which what a stateless request asked for stands; it says so again with each."""


class Levels:
    """What is asked for, by whom, and until when. `now` is seconds of any clock."""

    def __init__(self) -> None:
        self._held: dict[Hashable, str] = {}
        self._mentioned: dict[str, float] = {}

    def hold(self, owner: Hashable, level: str) -> None:
        """This owner wants to hear messages from this level up, until it is let go."""
        self._held[owner] = level

    def release(self, owner: Hashable) -> None:
        """It wants to hear nothing any more."""
        self._held.pop(owner, None)

    def mention(self, level: str, now: float) -> bool:
        """A request asked for this level; whether that may change the lowest."""
        is_new = level not in self._mentioned
        self._mentioned[level] = now + REMEMBERED
        return is_new

    @property
    def is_fading(self) -> bool:
        """Whether something that was asked for stands for a while only."""
        return bool(self._mentioned)

    def lowest(self, now: float) -> str:
        """The level from which somebody wants to hear; the usual one if nobody has said."""
        self._mentioned = {level: until for level, until in self._mentioned.items() if until > now}
        lowest = ""
        for level in (*set(self._held.values()), *self._mentioned):
            lowest = lower(lowest, level)
        return lowest or DEFAULT_LOG_LEVEL
