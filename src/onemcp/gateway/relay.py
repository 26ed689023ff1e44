"""The relay: has a name resolved, forwards to the upstream and rewrites its answer back.

This is the path of every call. It opens the params one level, changes what must change in that same dict, and sends
what that dict encodes to, so that what was decided on is what is forwarded.
"""

import asyncio
from collections.abc import Coroutine, Mapping
from typing import Any, Final

from msgspec import Raw

from onemcp.core.catalog import Route
from onemcp.core.merge import relisted
from onemcp.core.offering import Listing
from onemcp.core.spec import Isolation, UpstreamSpec
from onemcp.errors import Reason, RpcError, UpstreamError
from onemcp.gateway import withheld
from onemcp.gateway.asks import NOT_DURING_COMPLETION, missing_capability
from onemcp.gateway.call import LONGEST, TOKEN, Call
from onemcp.gateway.context import CallContext
from onemcp.gateway.continuation import Subject
from onemcp.gateway.failures import as_rpc_error
from onemcp.gateway.resolver import Resolver
from onemcp.gateway.rounds import Rounds, can_answer
from onemcp.gateway.runtime import Runtime
from onemcp.upstream.channel import Reply, Request
from onemcp.upstream.connection import Connection
from onemcp.upstream.supervisor import Supervisor
from onemcp.wire.envelope import ABSENT, INTERNAL_ERROR, encode, mentions, open_object, text
from onemcp.wire.inbound import HEADER_MISMATCH
from onemcp.wire.inputs import INPUT_REQUIRED, STATE, url_elicitations
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

_HANDSHAKE: Final = Era.HANDSHAKE
_STATELESS: Final = (
    Era.STATELESS
)  # Python takes as long for a member of an enumeration as for all the rest of a test.
_PROGRESS: Final = b'"progressToken"'
_ESCAPE: Final = b"\\"
"""Where one stands, a name may be there in another spelling."""
_URI: Final = b'"uri"'
_NO_ARGUMENTS: Final = Raw(b"{}")


class Relay:
    """Carries requests about one entry to the upstream that offers it."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._resolver = Resolver(runtime)
        self._rounds = Rounds(runtime)

    async def forward(self, ctx: CallContext, method: str, params: dict[str, Raw]) -> Reply:
        """The upstream's answer to `tools/call`, `prompts/get` or `resources/read`.

        Raises:
            RpcError: the name leads nowhere, or the upstream did not answer.
        """
        listing, member = NAMED[method]
        name = text(params.get(member), member)
        route = self._resolver.known(ctx, method, listing, name)
        if route is None:
            route = await self._resolver.resolve(ctx, method, listing, name)
        if route.headers and ctx.headers is not None:
            _check_param_headers(route, params.get("arguments", _NO_ARGUMENTS), ctx.headers)
        params[member] = route.encoded
        if ctx.era is _STATELESS and STATE in params:
            ctx.upstream = route.upstream
            reply = await self._rounds.resume(_subject(ctx, method, params, route), params)
            if reply is not None:
                return reply
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
        if ctx.era is _STATELESS:
            ctx.asks = NOT_DURING_COMPLETION
        return await self._deliver(ctx, COMPLETE, params, route)

    def _deliver(
        self, ctx: CallContext, method: str, params: dict[str, Raw], route: Route
    ) -> Coroutine[Any, Any, Reply]:
        """The way that a call takes: in rounds, over a connection of its owner's, or over the shared one."""
        supervisor = self._runtime.pool.get(route.upstream)
        if supervisor is None:
            raise RpcError(INTERNAL_ERROR, f"{route.upstream}: is no longer configured")
        ctx.upstream = route.upstream
        if ctx.era is _STATELESS and ctx.asks is None and _may_ask(supervisor) and can_answer(params):
            return self._converse(ctx, method, params, route, supervisor)
        if supervisor.spec.partitioning.isolation is Isolation.SHARED:
            return self._through(ctx, method, params, route, supervisor)
        return self._carry(ctx, method, params, route, supervisor)

    async def _converse(
        self, ctx: CallContext, method: str, params: dict[str, Raw], route: Route, supervisor: Supervisor
    ) -> Reply:
        """The first round of a call in which the client may be asked something."""
        return await self._rounds.begin(
            _subject(ctx, method, params, route),
            params,
            lambda own: self._carry(own, method, params, route, supervisor),
        )

    async def _carry(
        self, ctx: CallContext, method: str, params: dict[str, Raw], route: Route, supervisor: Supervisor
    ) -> Reply:
        """The answer over the connection that the caller uses, shared or its own."""
        if supervisor.spec.partitioning.isolation is Isolation.SHARED:
            return await self._through(ctx, method, params, route, supervisor)
        lane = self._runtime.parking.lane(ctx, supervisor.spec)
        try:
            with lane, self._runtime.owned.lease(ctx, supervisor) as own:
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
            successor = self._successor(error, supervisor)
            if successor is not None:
                return await self._through(ctx, method, params, route, successor)
            raise as_rpc_error(error) from error
        if ctx.era is _STATELESS:
            if reply.error is not ABSENT or (
                connection.era is _STATELESS and mentions(reply.result, INPUT_REQUIRED)
            ):
                asking = self._rounds.asking(_subject(ctx, method, params, route), connection.era, reply)
                if asking is not None:
                    return asking
        elif reply.error is not ABSENT and ctx.session is not None:
            for elicitation in url_elicitations(reply.error):
                self._runtime.backchannel.expect(supervisor, elicitation, ctx.session)
        return self._adapted(ctx, method, route, connection, reply)

    def _successor(self, error: UpstreamError, supervisor: Supervisor) -> Supervisor | None:
        """What stands in the place of an upstream that ended before it was asked, because it is configured anew."""
        successor = self._runtime.pool.get(supervisor.spec.name)
        is_other = successor is not supervisor and supervisor.spec.partitioning.isolation is Isolation.SHARED
        return successor if is_other and not error.ran else None

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
        if spec.withheld and era is _STATELESS:
            withheld.undeclare(params, spec)
        headers: tuple[tuple[str, str], ...] = ()
        if route.headers and era is _STATELESS:
            headers = param_values(route.headers, params.get("arguments", _NO_ARGUMENTS))
        channel, backchannel, timeout = connection.channel, self._runtime.backchannel, spec.request_timeout
        call = backchannel.begin(supervisor, ctx, channel.respond, timeout)
        if ctx.task is not None:
            timeout = LONGEST  # the call's own deadline moves, and ends that task
        try:
            if "_meta" in params:
                _watch_progress(params, call, is_heard=ctx.emit is not None)
            reply = await channel.request(
                Request(method, encode(params), timeout, route.key, headers, ctx.trace_headers, call.hear)
            )
        except asyncio.CancelledError:
            if call.is_overdue:
                call.absorb()
            self._runtime.give_up(call, connection)
            if not call.is_overdue:
                raise
            what = f"did not answer within {spec.request_timeout:g} s"
            raise UpstreamError(spec.name, Reason.TIMEOUT, what) from None
        except BaseException:
            backchannel.end(call)
            raise
        backchannel.end(call)
        if call.lacking is not None or spec.withheld:
            _check_asked(call, spec, reply)
        return reply

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
            catalog = self._runtime.catalog_of(ctx)
            if catalog.qualified and (relist := relisted(catalog, route.upstream)) is not None:
                result = rewrite_uris(result, relist)
            if ctx.session is not None and mentions(result, _URI):
                ctx.session.note_given(uris_in(result), route.upstream)
        return Reply(result, ABSENT)


def _check_param_headers(route: Route, arguments: Raw, headers: Mapping[bytes, bytes]) -> None:
    given = {name.decode("latin-1"): value.decode("latin-1") for name, value in headers.items()}
    objection = check_params(route.headers, arguments, given)
    if objection:
        raise RpcError(HEADER_MISMATCH, objection, status=400)


def _check_asked(call: Call, spec: UpstreamSpec, reply: Reply) -> None:
    """Pass an answer that failed for no question which its client cannot be asked."""
    if call.lacking is not None and reply.error is not ABSENT:
        raise missing_capability(call.lacking)
    withheld.check(spec, reply)


def _subject(ctx: CallContext, method: str, params: dict[str, Raw], route: Route) -> Subject:
    return Subject(ctx, method, route, params.get("arguments", ABSENT))


def _may_ask(supervisor: Supervisor) -> bool:
    """Whether an upstream may ask something in the course of a call: one of the handshake era, as far as is known."""
    connection = supervisor.connection
    return connection is None or connection.era is _HANDSHAKE


def _watch_progress(params: dict[str, Raw], call: Call, *, is_heard: bool) -> None:
    """Ask for progress under a token of ours, if the client asked for any.

    None is asked for that could not be passed on: another client might have the same token.
    """
    meta = bytes(params["_meta"])
    if meta.find(_PROGRESS) >= 0 or meta.find(_ESCAPE) >= 0:
        members = open_object(meta)
        token = members.pop(TOKEN, None)
        if token is None:
            return
        if is_heard:
            members[TOKEN] = call.watch(token)
        params["_meta"] = Raw(encode(members))
