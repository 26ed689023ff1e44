"""A line: one connection to an upstream, as far as it matters whose a message is that does not say so.

It may be about a call that is under way there, or still about one that was answered a moment ago.
"""

from collections.abc import Hashable
from typing import Final, Generic, TypeVar

ECHO: Final = 2.0
"""Seconds after an answer for which what comes on the same connection may belong to that call."""

Source = Hashable
"""The connection that a message comes from, told apart by identity; its `str` is the upstream's name."""
Owner = Hashable
"""Whose a call is: a session, or the principal of a client without one."""

C = TypeVar("C")


class Line(Generic[C]):
    """What is under way on one connection, and whose calls it has just answered. `now` is seconds of any clock."""

    __slots__ = ("answered", "calls", "source")

    def __init__(self, source: Source) -> None:
        self.source = source
        self.calls: set[C] = set()
        """The calls under way; also those that nobody waits for, as long as something may still be about them."""
        self.answered: dict[Owner, float] = {}
        """When a call of this owner was answered last."""

    @property
    def is_blank(self) -> bool:
        """Nothing that comes could be about any call."""
        return not self.calls and not self.answered

    def echoes_of_others(self, owner: Owner, now: float) -> bool:
        """Whether anybody else's call was answered here a moment ago."""
        return any(each != owner and now - at < ECHO for each, at in self.answered.items())

    def prune(self, now: float) -> None:
        """Forget what is no moment ago any more."""
        self.answered = {owner: at for owner, at in self.answered.items() if now - at < ECHO}
