"""Fetching what a connection offers: all four lists, page by page, within bounds.

A list that fails or never ends costs only itself: the rest of the offering is taken, with a warning.
"""

import asyncio
from typing import Final

import msgspec
from msgspec import Raw

from onemcp.core.offering import Item, Listing, Offering
from onemcp.errors import RpcError
from onemcp.upstream.connection import Connection
from onemcp.wire.envelope import METHOD_NOT_FOUND, encode, one_line, open_object
from onemcp.wire.param_headers import ParamHeader, param_headers

MAX_PAGES: Final = 200
MAX_ITEMS: Final = 10_000
"""More entries than this in one list are not taken over; no client could use them."""
PAGE_TIMEOUT: Final = 30.0
DEFAULT_TTL_MS: Final = 60_000
"""How long the lists of a handshake upstream that announces its changes may be thought fresh."""

_CAPABILITY: Final = {
    Listing.TOOLS: "tools",
    Listing.PROMPTS: "prompts",
    Listing.RESOURCES: "resources",
    Listing.TEMPLATES: "resources",
}


class _Walk:
    """One list on its way in."""

    def __init__(self, listing: Listing) -> None:
        self.listing = listing
        self.items: list[Item] = []
        self.warnings: list[str] = []
        self.ttl_ms: int | None = None

    async def run(self, connection: Connection, timeout: float) -> None:
        cursor: Raw | None = None
        seen: set[bytes] = set()
        for _ in range(MAX_PAGES):
            page = await connection.ask(self.listing.method, {"cursor": cursor} if cursor else {}, timeout)
            self._take(page)
            cursor = page.get("nextCursor")
            if cursor is None or bytes(cursor) in (b"null", b'""'):
                return
            if bytes(cursor) in seen or len(self.items) >= MAX_ITEMS:
                break
            seen.add(bytes(cursor))
        self.warnings.append(
            f"{self.listing.method} does not end; the first {len(self.items)} entries are taken"
        )

    def _take(self, page: dict[str, Raw]) -> None:
        try:
            entries = msgspec.json.decode(page.get(self.listing.value, b"[]"), type=list[Raw])
        except msgspec.DecodeError:
            self.warnings.append(f"{self.listing.method}: no list in the answer")
            return
        for entry in entries[: MAX_ITEMS - len(self.items)]:
            self._take_entry(entry)
        self._note_ttl(page.get("ttlMs"))

    def _take_entry(self, entry: Raw) -> None:
        try:
            fields = open_object(entry)
            key = msgspec.json.decode(fields.get(self.listing.key, b""), type=str)
        except (RpcError, msgspec.DecodeError):
            self.warnings.append(f"{self.listing.method}: an entry without {self.listing.key} is left out")
            return
        headers: tuple[ParamHeader, ...] = ()
        raw = one_line(bytes(entry))
        if self.listing is Listing.TOOLS:
            schema = bytes(fields.get("inputSchema", b""))
            if not schema.startswith(b"{"):
                # A tool without a schema makes common clients refuse the whole list.
                raw = encode({**fields, "inputSchema": Raw(b'{"type":"object"}')})
            elif b"x-mcp-header" in schema:
                try:
                    headers = param_headers(schema)
                except ValueError as error:
                    self.warnings.append(f'tool "{key}" is left out: {error}')
                    return
        self.items.append(Item(key, raw, headers))

    def _note_ttl(self, raw: Raw | None) -> None:
        if raw is not None and bytes(raw).isdigit():
            ttl = int(bytes(raw))
            self.ttl_ms = ttl if self.ttl_ms is None else min(self.ttl_ms, ttl)


async def fetch(connection: Connection, timeout: float) -> Offering:
    """Everything the connection offers now; four lists at once, each answer within `timeout` seconds.

    Raises:
        UpstreamError: it stopped answering altogether.
    """
    walks = [_Walk(listing) for listing in Listing if _CAPABILITY[listing] in connection.capabilities]
    outcomes = await asyncio.gather(
        *(walk.run(connection, min(timeout, PAGE_TIMEOUT)) for walk in walks), return_exceptions=True
    )
    for walk, outcome in zip(walks, outcomes, strict=True):
        if isinstance(outcome, RpcError):
            if outcome.code != METHOD_NOT_FOUND or walk.listing is not Listing.TEMPLATES:
                walk.warnings.append(f"{walk.listing.method} failed: {outcome.code} {outcome.message}")
        elif isinstance(outcome, BaseException):
            raise outcome
    return Offering(
        {walk.listing: tuple(walk.items) for walk in walks},
        connection.instructions,
        _ttl(walks, connection),
        tuple(warning for walk in walks for warning in walk.warnings),
    )


def _ttl(walks: list[_Walk], connection: Connection) -> int:
    told = [walk.ttl_ms for walk in walks if walk.ttl_ms is not None]
    if told:
        return min(told)
    announced = all(
        b'"listChanged":true' in bytes(connection.capabilities[_CAPABILITY[walk.listing]]).replace(b" ", b"")
        for walk in walks
    )
    return DEFAULT_TTL_MS if announced else 0
