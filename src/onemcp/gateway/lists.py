"""Answering lists: the visible part of the catalog, joined from fragments that are encoded already.

No upstream is asked. A whole list is joined once per catalog and view, and then is a dict access.
"""

from typing import Final

import msgspec
from msgspec import Raw

from onemcp.core import pages
from onemcp.core.access import View
from onemcp.core.catalog import Entry
from onemcp.core.lifecycle import State
from onemcp.core.offering import Listing
from onemcp.errors import RpcError
from onemcp.gateway.context import CallContext
from onemcp.gateway.runtime import Runtime
from onemcp.wire.envelope import INVALID_PARAMS, encode
from onemcp.wire.revisions import Era
from onemcp.wire.translate import SERVER_KEY

MAX_CACHED: Final = 64
"""Joined lists kept at a time; views come from clients and must not fill the memory."""

LISTINGS: Final = {listing.method: listing for listing in Listing}


class Lists:
    """The four list methods."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._cache: dict[tuple[Listing, str, View], bytes] = {}
        self._revision = -1

    def answer(self, ctx: CallContext, listing: Listing, params: dict[str, Raw]) -> Raw:
        """The result of a list request.

        Raises:
            RpcError: -32602 for a cursor that is not ours.
        """
        body = self._page(ctx, listing, params.get("cursor")) if ctx.paged else self._whole(ctx, listing)
        if ctx.era is Era.STATELESS:
            return Raw(b'{"resultType":"complete",%b,%b}' % (body, self._hints(ctx)))
        return Raw(b"{%b}" % body)

    def _whole(self, ctx: CallContext, listing: Listing) -> bytes:
        runtime = self._runtime
        if runtime.owned.catalog(ctx) is not None:
            return _join(listing, self._entries(ctx, listing))
        if self._revision != runtime.revision:
            self._cache.clear()
            self._revision = runtime.revision
        key = (listing, ctx.endpoint, ctx.view)
        body = self._cache.get(key)
        if body is None:
            body = _join(listing, self._entries(ctx, listing))
            if len(self._cache) >= MAX_CACHED:
                self._cache.clear()
            self._cache[key] = body
        return body

    def _entries(self, ctx: CallContext, listing: Listing) -> tuple[Entry, ...]:
        runtime = self._runtime
        return runtime.catalog_of(ctx).select(listing, runtime.visible(ctx.view))

    def _page(self, ctx: CallContext, listing: Listing, cursor: Raw | None) -> bytes:
        entries = self._entries(ctx, listing)
        order = [supervisor.spec.name for supervisor in self._runtime.pool]
        start = 0
        if cursor is not None and bytes(cursor) != b"null":
            try:
                position = pages.decode(msgspec.json.decode(cursor, type=str))
            except (ValueError, msgspec.DecodeError):
                raise RpcError(INVALID_PARAMS, "unknown cursor: begin again without one") from None
            start = pages.after(position, [(entry.upstream, entry.listed) for entry in entries], order)
        page = entries[start : start + self._runtime.options.page_size]
        body = _join(listing, page)
        if start + len(page) < len(entries):
            body += b',"nextCursor":%b' % encode(_cursor(entries, start + len(page) - 1, order))
        return body

    def _hints(self, ctx: CallContext) -> bytes:
        """How long and by whom the answer may be kept (SEP on caching, 2026-07-28)."""
        is_common = ctx.view.expression is None and self._runtime.owned.catalog(ctx) is None
        scope = b"public" if is_common else b"private"
        info = encode({"name": self._runtime.identity.name, "version": self._runtime.identity.version})
        return b'"ttlMs":%d,"cacheScope":"%b","_meta":{"%b":%b}' % (
            self.ttl_ms(ctx),
            scope,
            SERVER_KEY.encode(),
            info,
        )

    def ttl_ms(self, ctx: CallContext) -> int:
        """0 while something visible is still on its way, else what the upstreams allow."""
        runtime = self._runtime
        ttl = 60_000
        for supervisor in runtime.pool:
            if not runtime.shows(ctx.view, ctx.endpoint, supervisor.spec.name):
                continue
            if supervisor.life.state is State.READY and supervisor.offering is not None:
                ttl = min(ttl, supervisor.offering.ttl_ms)
            elif supervisor.life.state in (State.CONNECTING, State.BACKOFF):
                return 0
        return ttl


def _join(listing: Listing, entries: tuple[Entry, ...]) -> bytes:
    return b'"%b":[%b]' % (listing.value.encode(), b",".join([entry.fragment for entry in entries]))


def _cursor(entries: tuple[Entry, ...], last: int, order: list[str]) -> str:
    entry = entries[last]
    first = next(index for index, other in enumerate(entries) if other.upstream == entry.upstream)
    return pages.encode(entry.upstream, order.index(entry.upstream), last - first, entry.listed)
