"""The catalog: what all upstreams together offer at one moment, and which upstream each name leads to.

Frozen: a change builds a new one (`core/merge.py`) and one reference is swapped. Looking a name up is a dict access.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from msgspec import Raw

from onemcp.core.offering import Listing
from onemcp.core.uris import Template
from onemcp.wire.param_headers import ParamHeader


@dataclass(frozen=True, slots=True)
class Route:
    """The answer "this name is that upstream's tool (or prompt, or resource) x"."""

    upstream: str
    key: str
    """What the upstream calls it."""
    encoded: Raw
    """The key as a JSON string, ready to be spliced into params."""
    listed: str
    """What clients call it."""
    headers: tuple[ParamHeader, ...] = ()


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of a list answer, encoded once per catalog."""

    upstream: str
    listed: str
    fragment: bytes


@dataclass(frozen=True, slots=True)
class Claim:
    """A bare name or URI that has been listed; it never changes its owner in the life of the process."""

    listing: Listing
    key: str


@dataclass(frozen=True, slots=True)
class Catalog:
    """The merge of offerings. Entries stand in the order of the configuration, then of the upstream's own list."""

    entries: Mapping[Listing, tuple[Entry, ...]] = field(default_factory=dict)
    routes: Mapping[Listing, Mapping[str, Route]] = field(default_factory=dict)
    """By every name that leads somewhere: the listed ones, and prefixed ones that are listed bare."""
    candidates: Mapping[Listing, Mapping[str, tuple[str, ...]]] = field(default_factory=dict)
    """Bare names that lead nowhere because several upstreams have them, with the names to use instead."""
    templates: tuple[tuple[Template, Route], ...] = ()
    qualified: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    """Per upstream with a URI that another one has too: how its URIs are listed."""
    claims: Mapping[Claim, str] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()

    def route(self, listing: Listing, name: str) -> Route | None:
        """Where a name leads; None if nobody offers it (or several do: see `candidates`)."""
        routes = self.routes.get(listing)
        return routes.get(name) if routes else None

    def match(self, uri: str, visible: Collection[str] | None) -> list[Route]:
        """The resource templates that a URI fits, of upstreams that may be seen (None: of all)."""
        return [
            route
            for template, route in self.templates
            if (visible is None or route.upstream in visible) and template.matches(uri)
        ]

    def select(self, listing: Listing, visible: Collection[str] | None) -> tuple[Entry, ...]:
        """The entries of one list that may be seen (None: all)."""
        entries = self.entries.get(listing, ())
        if visible is None:
            return entries
        return tuple(entry for entry in entries if entry.upstream in visible)
