"""Echoes: whose calls a connection has just answered, since what it says next may still be about them."""

from collections.abc import Hashable
from typing import Final

ECHO: Final = 2.0
"""Seconds after an answer for which what comes on the same connection may belong to that call."""


class Echoes:
    """The owners of answered calls, by connection. `now` is seconds of any clock."""

    def __init__(self) -> None:
        self._recent: dict[Hashable, dict[int, float]] = {}

    def answered(self, source: Hashable, owner: int, now: float) -> None:
        """A call of this owner was answered on this connection."""
        recent = self._recent.get(source)
        if recent is None:
            recent = self._recent[source] = {}
        recent[owner] = now

    def of_others(self, source: Hashable, owner: int, now: float) -> bool:
        """Whether anybody else's call was answered on this connection a moment ago."""
        recent = self._recent.get(source, {})
        return any(each != owner and now - at < ECHO for each, at in recent.items())

    def prune(self, now: float) -> None:
        """Forget what is no moment ago any more."""
        for source, recent in list(self._recent.items()):
            kept = {owner: at for owner, at in recent.items() if now - at < ECHO}
            if kept:
                self._recent[source] = kept
            else:
                del self._recent[source]
