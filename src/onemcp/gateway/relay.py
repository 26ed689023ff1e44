"""The relay: has a name resolved, forwards to the upstream and rewrites its answer back.

This is the path of every call. It opens the params one level, changes what must change in that same dict, and sends
what that dict encodes to, so that what was decided on is what is forwarded.
"""

import asyncio
from collections.abc import Mapping
from typing import Final

from msgspec import Raw

from onemcp.core.catalog import Route
from onemcp.core.merge import relisted
from onemcp.core.offering import Listing
from onemcp.core.spec import Isolation
from onemcp.errors import Reason, RpcError, UpstreamError
from onemcp.gateway.backchannel import LONGEST, TOKEN, Call
from onemcp.gateway.context import CallContext
from onemcp.gateway.failures import as_rpc_error
from onemcp.gateway.resolver import Resolver
from onemcp.gateway.runtime import Runtime
from onemcp.upstream.channel import Reply, Request
from onemcp.upstream.connection import Connection
from onemcp.upstream.supervisor import Supervisor
from onemcp.wire.envelope import ABSENT, INTERNAL_ERROR, encode, open_object, text
from onemcp.wire.inbound import HEADER_MISMATCH
from onemcp.wire.param_headers import check_params, param_values
from onemcp.wire.revisions import Era
from onemcp.wire.rewrite import rewrite_uris, uris_in
from onemcp.wire.translate import adapt_error, adapt_params, adapt_result

COMPLETE: Final = "completion/complete"
NAMED: Final = {
    "tools/call": (Listing.TOOLS, "name"),
    "prompts/get": (Listing.PROMPTS, "name"),
    "resources/read": (Listing.RESOURCES, "uri"),
}
"""The methods that are about one entry, its list and the member of params that names it."""
_MEANT_ELSEWHERE: Final = frozenset({Reason.UNREACHABLE, Reason.EXITED, Reason.STOPPING, Reason.SESSION_LOST})
"""Failures after which the upstream itself is in doubt."""

_PROGRESS: Final = b'"progressToken"'
_URI: Final = b'"uri"'
_NO_ARGUMENTS: Final = Raw(b"{}")


class Relay:
    """Carries requests about one entry to the upstream that offers it."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._resolver = Resolver(runtime)

    async def forward(self, ctx: CallContext, method: str, params: dict[str, Raw]) -> Reply:
        """The upstream's answer to `tools/call`, `prompts/get` or `resources/read`.

        Raises:
            RpcError: the name leads nowhere, or the upstream did not answer.
        """
        listing, member = NAMED[method]
        route = await self._resolver.resolve(ctx, method, listing, text(params.get(member), member))
        if route.headers and ctx.headers is not None:
            _check_param_headers(route, params.get("arguments", _NO_ARGUMENTS), ctx.headers)
        params[member] = route.encoded
        return await self._deliver(ctx, method, params, route)

    async def complete(self, ctx: CallContext, params: dict[str, Raw]) -> Reply:
        """The upstream's answer to `completion/complete`, which names a prompt or a resource template.

        Raises:
            RpcError: as `forward`.
        """
        reference = open_object(params.get("ref", ABSENT))
        if text(reference.get("type"), "ref.type") == "ref/prompt":
            listing, member = Listing.PROMPTS, "name"
        else:
            listing, member = Listing.TEMPLATES, "uri"
        route = await self._resolver.resolve(
            ctx, COMPLETE, listing, text(reference.get(member), f"ref.{member}")
        )
        reference[member] = route.encoded
        params["ref"] = Raw(encode(reference))
        return await self._deliver(ctx, COMPLETE, params, route)

    async def _deliver(self, ctx: CallContext, method: str, params: dict[str, Raw], route: Route) -> Reply:
        supervisor = self._runtime.pool.get(route.upstream)
        if supervisor is None:
            raise RpcError(INTERNAL_ERROR, f"{route.upstream}: is no longer configured")
        if supervisor.spec.partitioning.isolation is Isolation.SHARED:
            return await self._through(ctx, method, params, route, supervisor)
        try:
            with self._runtime.owned.lease(ctx, supervisor) as own:
                return await self._through(ctx, method, params, route, own)
        except UpstreamError as error:
            raise as_rpc_error(error) from error

    async def _through(
        self, ctx: CallContext, method: str, params: dict[str, Raw], route: Route, supervisor: Supervisor
    ) -> Reply:
        """The answer over one of the upstream's connections."""
        try:
            connection = supervisor.connection
            if connection is None:
                connection = await supervisor.ready(self._runtime.options.call_wait)
            try:
                reply = await self._ask(ctx, method, dict(params), route, connection, supervisor)
            except UpstreamError as error:
                connection = await self._second(error, supervisor, connection)
                reply = await self._ask(ctx, method, dict(params), route, connection, supervisor)
        except UpstreamError as error:
            raise as_rpc_error(error) from error
        return self._adapted(ctx, method, route, connection, reply)

    async def _second(self, error: UpstreamError, supervisor: Supervisor, failed: Connection) -> Connection:
        """Another connection for a call that certainly did not run; else the error as it is."""
        if error.reason in _MEANT_ELSEWHERE:
            supervisor.suspect()
        if error.ran or not failed.channel.closed.done():
            raise error
        return await supervisor.ready(self._runtime.options.call_wait)

    async def _ask(  # noqa: PLR0913, PLR0917 - an object around them would be made anew for every call
        self,
        ctx: CallContext,
        method: str,
        params: dict[str, Raw],
        route: Route,
        connection: Connection,
        supervisor: Supervisor,
    ) -> Reply:
        spec = supervisor.spec
        era = connection.era
        adapt_params(params, ctx.era, era, connection.own_meta or {}, ctx.log_level)
        headers: tuple[tuple[str, str], ...] = ()
        if route.headers and era is Era.STATELESS:
            headers = param_values(route.headers, params.get("arguments", _NO_ARGUMENTS))
        request = Request(method, b"", spec.request_timeout, route.key, headers)
        if ctx.emit is None:
            if "_meta" in params:
                _forget_progress(params)
            request.params = encode(params)
            return await connection.channel.request(request)
        backchannel = self._runtime.backchannel
        call = backchannel.begin(supervisor, ctx, connection.channel.respond, spec.request_timeout)
        try:
            if "_meta" in params:
                _watch_progress(params, call)
            request.params = encode(params)
            request.sink = call.hear
            request.timeout = LONGEST
            return await connection.channel.request(request)
        except asyncio.CancelledError:
            if not call.is_overdue:
                raise
            call.absorb()
            what = f"did not answer within {spec.request_timeout:g} s"
            raise UpstreamError(spec.name, Reason.TIMEOUT, what) from None
        finally:
            backchannel.end(call)

    def _adapted(
        self, ctx: CallContext, method: str, route: Route, connection: Connection, reply: Reply
    ) -> Reply:
        era = connection.era
        try:
            if reply.error is not ABSENT:
                return Reply(ABSENT, adapt_error(reply.error, method, era, ctx.era))
            result = adapt_result(reply.result, method, era, ctx.era)
        except RpcError:
            raise as_rpc_error(
                UpstreamError(route.upstream, Reason.PROTOCOL, "answered with what is no object")
            ) from None
        if not ctx.endpoint:
            relist = relisted(self._runtime.catalog_of(ctx), route.upstream)
            if relist is not None:
                result = rewrite_uris(result, relist)
            if ctx.session is not None and _URI in bytes(result):
                ctx.session.note_given(uris_in(result), route.upstream)
        return Reply(result, ABSENT)


def _check_param_headers(route: Route, arguments: Raw, headers: Mapping[bytes, bytes]) -> None:
    given = {name.decode("latin-1"): value.decode("latin-1") for name, value in headers.items()}
    objection = check_params(route.headers, arguments, given)
    if objection:
        raise RpcError(HEADER_MISMATCH, objection, status=400)


def _watch_progress(params: dict[str, Raw], call: Call) -> None:
    """Ask for progress under a token of ours, if the client asked for any."""
    meta = params["_meta"]
    if _PROGRESS in bytes(meta):
        members = open_object(meta)
        if TOKEN in members:
            members[TOKEN] = call.watch(members[TOKEN])
            params["_meta"] = Raw(encode(members))


def _forget_progress(params: dict[str, Raw]) -> None:
    """Ask for no progress that could not be passed on; another client might have the same token."""
    meta = params["_meta"]
    if _PROGRESS in bytes(meta):
        members = open_object(meta)
        members.pop(TOKEN, None)
        params["_meta"] = Raw(encode(members))
