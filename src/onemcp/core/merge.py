"""Merging offerings into a catalog: who is listed under which name."""

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

import msgspec
from msgspec import Raw

from onemcp.core.catalog import Catalog, Claim, Entry, Route
from onemcp.core.names import prefixed
from onemcp.core.offering import Item, Listing, Offering
from onemcp.core.uris import Template, qualify
from onemcp.errors import RpcError
from onemcp.wire.envelope import encode, open_object


class NamePolicy(StrEnum):
    """When a name carries its server's name in front."""

    ALWAYS = "always"
    ON_CONFLICT = "on-conflict"
    NEVER = "never"


@dataclass(frozen=True, slots=True)
class Naming:
    """How tools and prompts are named for clients."""

    policy: NamePolicy = NamePolicy.ALWAYS
    separator: str = "_1mcp_"
    limit: int = 64
    """Longest name that common clients accept, in characters."""


_ORDER: Final = (Listing.RESOURCES, Listing.TEMPLATES, Listing.TOOLS, Listing.PROMPTS)
"""Resources first: tools may point to them."""
VERBATIM: Final = Naming(NamePolicy.NEVER)
"""One upstream alone: every name as it is."""


@dataclass(frozen=True, slots=True)
class Shelf:
    """One upstream's part in the merge."""

    upstream: str
    offering: Offering

    def items(self, listing: Listing) -> list[Item]:
        """Its entries of one list; of two with one key the first."""
        seen: dict[str, Item] = {}
        for item in self.offering.items(listing):
            seen.setdefault(item.key, item)
        return list(seen.values())


def merge(shelves: Sequence[Shelf], naming: Naming, claims: Mapping[Claim, str]) -> Catalog:
    """The catalog of these shelves, in their order.

    `claims` are those of the catalog before; a bare name that another upstream once held stays prefixed for all
    others, so that a name a client has learnt never leads elsewhere.
    """
    merger = _Merger(naming, dict(claims))
    for listing in _ORDER:
        merger.add(listing, [(shelf, item) for shelf in shelves for item in shelf.items(listing)])
    return merger.catalog()


class _Merger:
    def __init__(self, naming: Naming, claims: dict[Claim, str]) -> None:
        self._naming = naming
        self._claims = claims
        self._entries: dict[Listing, tuple[Entry, ...]] = {}
        self._routes: dict[Listing, dict[str, Route]] = {}
        self._candidates: dict[Listing, dict[str, tuple[str, ...]]] = {}
        self._templates: list[tuple[Template, Route]] = []
        self._qualified: dict[str, dict[str, str]] = defaultdict(dict)
        self._warnings: list[str] = []

    def add(self, listing: Listing, pairs: list[tuple[Shelf, Item]]) -> None:
        owners: dict[str, list[str]] = defaultdict(list)
        for shelf, item in pairs:
            owners[item.key].append(shelf.upstream)
        entries: list[Entry] = []
        routes: dict[str, Route] = {}
        instead: dict[str, list[str]] = defaultdict(list)
        for shelf, item in pairs:
            upstream, key = shelf.upstream, item.key
            full = self._full(listing, upstream, key)
            listed = self._listed(listing, upstream, key, full, owners[key])
            if not listed or listed in routes:
                self._warn_hidden(listing, upstream, key, listed)
                continue
            route = Route(upstream, key, Raw(encode(key)), listed, item.headers)
            routes[listed] = route
            routes.setdefault(full, route)
            self._note(listing, route, full)
            if listed != key and key not in routes:
                instead[key].append(listed)
            entries.append(
                Entry(upstream, listed, _fragment(listing, item, listed, self._qualified.get(upstream, {})))
            )
        self._entries[listing] = tuple(entries)
        self._routes[listing] = routes
        self._candidates[listing] = {key: tuple(names) for key, names in instead.items() if key not in routes}

    def _full(self, listing: Listing, upstream: str, key: str) -> str:
        if listing in (Listing.RESOURCES, Listing.TEMPLATES):
            return qualify(upstream, key)
        return prefixed(upstream, key, self._naming.separator, self._naming.limit)

    def _listed(self, listing: Listing, upstream: str, key: str, full: str, owners: list[str]) -> str:
        """The name to list; empty to hide."""
        policy = self._naming.policy
        if listing in (Listing.RESOURCES, Listing.TEMPLATES) and self._naming is not VERBATIM:
            policy = NamePolicy.ON_CONFLICT
        if policy is NamePolicy.ALWAYS:
            if len(upstream) + len(self._naming.separator) + len(key) > self._naming.limit:
                self._warnings.append(
                    f'{upstream}: the name of "{key}" is too long for common clients; listed as "{full}"'
                )
            return full
        claim = Claim(listing, key)
        holder = self._claims.get(claim)
        if policy is NamePolicy.NEVER:
            return key if self._claims.setdefault(claim, upstream) == upstream else ""
        if len(owners) == 1 and holder in (None, upstream):
            self._claims[claim] = upstream
            return key
        return full

    def _note(self, listing: Listing, route: Route, full: str) -> None:
        """Keep what reading a resource needs beside the plain look-up."""
        if listing is Listing.TEMPLATES:
            self._templates.append((Template(route.listed), route))
        if listing is Listing.RESOURCES and route.listed == full:
            self._qualified[route.upstream][route.key] = full

    def _warn_hidden(self, listing: Listing, upstream: str, key: str, listed: str) -> None:
        what = f'"{listed}" is taken' if listed else "another server has that name"
        self._warnings.append(f'{upstream}: "{key}" ({listing.value}) is not listed: {what}')

    def catalog(self) -> Catalog:
        return Catalog(
            self._entries,
            self._routes,
            self._candidates,
            tuple(self._templates),
            dict(self._qualified),
            self._claims,
            tuple(self._warnings),
        )


def _fragment(listing: Listing, item: Item, listed: str, uris: Mapping[str, str]) -> bytes:
    """The entry under its listed name; `uris` are those of the same upstream that are listed otherwise."""
    shows_ui = bool(uris) and listing is Listing.TOOLS and b'"resourceUri"' in item.raw
    if listed == item.key and not shows_ui:
        return item.raw
    fields = open_object(item.raw)
    fields[listing.key] = Raw(encode(listed))
    if shows_ui:
        fields["_meta"] = _relinked(fields.get("_meta", Raw(b"{}")), uris)
    return encode(fields)


def _relinked(meta: Raw, uris: Mapping[str, str]) -> Raw:
    """The `_meta` of a tool whose user interface is one of these resources (extension io.modelcontextprotocol/ui)."""
    try:
        members = open_object(meta)
        ui = open_object(members.get("ui", b"{}"))
        uri = msgspec.json.decode(ui.get("resourceUri", b""), type=str)
    except (RpcError, msgspec.DecodeError):
        return meta
    ui["resourceUri"] = Raw(encode(uris.get(uri, uri)))
    members["ui"] = Raw(encode(ui))
    return Raw(encode(members))


Relist = Callable[[str], str]
"""How one upstream's URI is listed."""


def relisted(catalog: Catalog, upstream: str) -> Relist | None:
    """The rewriting of URIs in this upstream's results; None where nothing needs rewriting (nearly always)."""
    table = catalog.qualified.get(upstream)
    if not table:
        return None
    return lambda uri: table.get(uri, uri)
