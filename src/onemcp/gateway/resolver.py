"""The resolver: from the name that a client uses to the upstream that answers to it, or to the reason why none does."""

from typing import TYPE_CHECKING, Final

from msgspec import Raw

from onemcp.core.access import ALLOW, Allow, decide
from onemcp.core.catalog import Route
from onemcp.core.names import prefixed
from onemcp.core.offering import Listing
from onemcp.core.spec import UpstreamSpec
from onemcp.core.uris import unqualify
from onemcp.errors import RpcError, UpstreamError
from onemcp.gateway.context import CallContext
from onemcp.gateway.failures import as_rpc_error
from onemcp.wire.envelope import INVALID_PARAMS, encode
from onemcp.wire.revisions import Era

if TYPE_CHECKING:
    from onemcp.gateway.runtime import Runtime

RESOURCE_NOT_FOUND: Final = -32002
_WORD: Final = {
    Listing.TOOLS: "tool",
    Listing.PROMPTS: "prompt",
    Listing.RESOURCES: "resource",
    Listing.TEMPLATES: "resource",
}


class Resolver:
    """Finds routes within a view; what the view does not show is as unknown as what does not exist."""

    def __init__(self, runtime: "Runtime") -> None:
        self._runtime = runtime

    def known(self, ctx: CallContext, method: str, listing: Listing, name: str) -> Route | None:
        """Where a name leads that needs no waiting; None if `resolve` has to look closer."""
        route = self._find(ctx, listing, name)
        return route if route is not None and self._decide(ctx, method, route) is ALLOW else None

    async def resolve(self, ctx: CallContext, method: str, listing: Listing, name: str) -> Route:
        """Where a name leads; waits, bounded, for an upstream that is still starting and may be the one.

        Raises:
            RpcError: it leads nowhere for this caller, or that upstream did not become ready.
        """
        route = self._find(ctx, listing, name)
        if route is None:
            await self._await_owner(ctx, name)
            route = self._find(ctx, listing, name)
        if route is None or not isinstance(self._decide(ctx, method, route), Allow):
            raise self._unknown(ctx, listing, name)
        return route

    def _find(self, ctx: CallContext, listing: Listing, name: str) -> Route | None:
        catalog = self._runtime.catalog_of(ctx)
        route = catalog.route(listing, name)
        if listing not in (Listing.RESOURCES, Listing.TEMPLATES):
            return route
        if route is not None and self._runtime.shows(ctx.view, ctx.endpoint, route.upstream):
            return route
        if listing is Listing.TEMPLATES:
            return catalog.route(Listing.RESOURCES, name)
        if ctx.endpoint:
            return _verbatim(ctx.endpoint, name)
        return self._find_unlisted(ctx, name)

    def _find_unlisted(self, ctx: CallContext, uri: str) -> Route | None:
        """By a template of one upstream, else the name in the URI, else whose result last gave it to the session."""
        matches = self._runtime.catalog_of(ctx).match(uri, self._runtime.visible(ctx.view))
        if matches:
            return _expanded(matches[0], uri) if len({match.upstream for match in matches}) == 1 else None
        named = unqualify(uri)
        if named is not None and self._runtime.pool.get(named[0]) is not None:
            return _verbatim(*named, listed=uri)
        giver = ctx.session.given.get(uri) if ctx.session is not None else None
        return _verbatim(giver, uri) if giver is not None else None

    def _decide(self, ctx: CallContext, method: str, route: Route) -> object:
        return decide(
            ctx.principal,
            ctx.view,
            self._runtime.tags(route.upstream),
            route.upstream,
            method,
            route.key,
        )

    async def _await_owner(self, ctx: CallContext, name: str) -> None:
        """A name that is not in the catalog may belong to an upstream that is still starting: wait for that one."""
        runtime = self._runtime
        for supervisor in runtime.pool:
            spec = supervisor.spec
            if supervisor.offering is not None or not runtime.shows(ctx.view, ctx.endpoint, spec.name):
                continue
            if ctx.endpoint or name.startswith(_prefix(spec, runtime.options.naming.separator)):
                try:
                    await runtime.ready(supervisor)
                except UpstreamError as error:
                    raise as_rpc_error(error) from error

    def _unknown(self, ctx: CallContext, listing: Listing, name: str) -> RpcError:
        word = _WORD[listing]
        runtime = self._runtime
        catalog = runtime.catalog_of(ctx)
        routes = catalog.routes.get(listing, {})
        candidates = [
            candidate
            for candidate in catalog.candidates.get(listing, {}).get(name, ())
            if runtime.shows(ctx.view, ctx.endpoint, routes[candidate].upstream)
        ]
        message = f"Unknown {word}: {name}"
        if candidates:
            message += f" (did you mean {' or '.join(candidates)}?)"
        if word != "resource":
            return RpcError(INVALID_PARAMS, message)
        code = INVALID_PARAMS if ctx.era is Era.STATELESS else RESOURCE_NOT_FOUND
        return RpcError(code, message, {"uri": name})


def _prefix(spec: UpstreamSpec, separator: str) -> str:
    return prefixed(spec.name, "", separator, limit=1000)


def _verbatim(upstream: str, uri: str, listed: str = "") -> Route:
    return Route(upstream, uri, Raw(encode(uri)), listed or uri)


def _expanded(template: Route, uri: str) -> Route:
    """A template's route for one URI that fits it; the part that the gateway put in front is taken away."""
    added = len(template.listed) - len(template.key)
    key = uri[added:] if added else uri
    return Route(template.upstream, key, Raw(encode(key)), uri)
