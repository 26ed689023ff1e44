"""Changes of lists, gathered so that a burst of them makes one notice."""

from enum import StrEnum
from typing import Final

from onemcp.core.offering import Listing, Offering


class Kind(StrEnum):
    """What clients are told about, in the words of the protocol."""

    TOOLS = "tools"
    PROMPTS = "prompts"
    RESOURCES = "resources"

    @property
    def method(self) -> str:
        """The notification that says so."""
        return f"notifications/{self.value}/list_changed"


RESOURCE_UPDATED: Final = "notifications/resources/updated"
"""The notification that one resource changed, for those who watch it."""
NEWS: Final = frozenset({RESOURCE_UPDATED, *(kind.method for kind in Kind)})
"""What an upstream tells of itself, whatever request it comes along with."""

_KINDS: Final = {
    Listing.TOOLS: Kind.TOOLS,
    Listing.PROMPTS: Kind.PROMPTS,
    Listing.RESOURCES: Kind.RESOURCES,
    Listing.TEMPLATES: Kind.RESOURCES,
}


def difference(before: Offering | None, after: Offering | None) -> frozenset[Kind]:
    """What clients are to be told of when an offering takes the place of another; None offers nothing."""
    return frozenset(
        _KINDS[listing]
        for listing in Listing
        if (before.items(listing) if before else ()) != (after.items(listing) if after else ())
    )


class Batch:
    """Changes that have not been told yet, in a trailing window.

    They are due `delay` seconds after the last one, so that a burst has ended, but at most `cap` seconds after the
    first one, so that a steady trickle gets out too.
    """

    def __init__(self, delay: float, cap: float) -> None:
        self._delay = delay
        self._cap = cap
        self._changed: dict[Kind, set[str]] = {}
        self._first = 0.0
        self._last = 0.0

    def adopt(self, delay: float, cap: float) -> None:
        """Wait for another while from now on, also with what is noted already."""
        self._delay, self._cap = delay, cap

    def add(self, kind: Kind, upstream: str, now: float) -> None:
        """Note that an upstream's list changed."""
        if not self._changed:
            self._first = now
        self._last = now
        self._changed.setdefault(kind, set()).add(upstream)

    def due(self) -> float | None:
        """When to tell what is noted; None if nothing is."""
        if not self._changed:
            return None
        return min(self._last + self._delay, self._first + self._cap)

    def take(self, now: float) -> dict[Kind, frozenset[str]]:
        """The upstreams that changed, by kind, once they are due; empty before. What is taken is forgotten."""
        due = self.due()
        if due is None or now < due:
            return {}
        changed = {kind: frozenset(upstreams) for kind, upstreams in self._changed.items()}
        self._changed.clear()
        return changed
