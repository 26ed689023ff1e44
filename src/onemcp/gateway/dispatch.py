"""The dispatcher: every request that a client can make, by method, whatever edge it came through."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from time import perf_counter
from typing import Any, Final

from msgspec import Raw

from onemcp.errors import RpcError, UpstreamError
from onemcp.gateway.context import CallContext
from onemcp.gateway.failures import as_rpc_error
from onemcp.gateway.lists import LISTINGS, Lists
from onemcp.gateway.meter import BROKEN, CANCELLED, OK, Meter, outcome_of, outcome_of_error
from onemcp.gateway.relay import COMPLETE, NAMED, Relay
from onemcp.gateway.runtime import Runtime
from onemcp.gateway.tracing import carry, drop
from onemcp.upstream.channel import Reply
from onemcp.upstream.connection import Connection
from onemcp.upstream.supervisor import Supervisor
from onemcp.upstream.watched import offers_subscriptions
from onemcp.wire.envelope import (
    ABSENT,
    INVALID_PARAMS,
    INVALID_REQUEST,
    METHOD_NOT_FOUND,
    Envelope,
    encode,
    open_object,
    text,
)
from onemcp.wire.loglevel import LogLevel
from onemcp.wire.revisions import STATELESS_REVISIONS, Era
from onemcp.wire.translate import SERVER_KEY

INITIALIZE: Final = "initialize"
INSTANCE_KEY: Final = "onemcp/instance"

_CAPABILITIES: Final = {
    "tools": {"listChanged": True},
    "prompts": {"listChanged": True},
    "resources": {"listChanged": True, "subscribe": True},
    "completions": {},
    "logging": {},
}
"""Declared whatever is ready: a client that sees no `tools` never lists them later."""
_EMPTY: Final = Raw(b"{}")

Handler = Callable[[CallContext, dict[str, Raw]], Awaitable[Reply]]


class Dispatcher:
    """Answers requests; the edges only frame them."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._relay = Relay(runtime)
        self._lists = Lists(runtime)
        self._held = not runtime.options.async_loading
        self._handshake: dict[str, Handler] = {
            COMPLETE: self._relay.complete,
            "ping": self._ping,
            "logging/setLevel": self._set_level,
            "resources/subscribe": self._subscribe,
            "resources/unsubscribe": self._unsubscribe,
        }
        self._stateless: dict[str, Handler] = {
            COMPLETE: self._relay.complete,
            "server/discover": self._discover,
        }

    async def dispatch(
        self, ctx: CallContext, envelope: Envelope, params: dict[str, Raw] | None = None
    ) -> Reply:
        """The answer to a request; how it ended and how long it took are counted.

        `params` are the envelope's, where they have been opened already; they may be changed.

        Raises:
            RpcError: what the client gets instead.
        """
        meter = self._runtime.meter
        if meter is None:
            return await self._answer(ctx, envelope, params)
        began = perf_counter()
        try:
            reply = await self._answer(ctx, envelope, params)
        except BaseException as error:
            _count_failure(meter, ctx, envelope.method, error, perf_counter() - began)
            raise
        meter.call(ctx.upstream, envelope.method, outcome_of(reply, ctx.era), perf_counter() - began)
        return reply

    def _answer(
        self, ctx: CallContext, envelope: Envelope, params: dict[str, Raw] | None
    ) -> Awaitable[Reply]:
        method = envelope.method
        if ctx.endpoint:
            self._named(ctx)
        if params is None:
            params = open_object(envelope.params)
        if ctx.trace or "_meta" in params:
            (carry if self._runtime.options.features.trace_context else drop)(ctx, params)
        if method in NAMED:
            return self._relay.forward(ctx, method, params)
        return self._answer_itself(ctx, method, params)

    async def _answer_itself(self, ctx: CallContext, method: str, params: dict[str, Raw]) -> Reply:
        """The answer to what is not about one entry of a list."""
        if self._held:
            await self._hold()
        listing = LISTINGS.get(method)
        if listing is not None:
            if ctx.endpoint:
                await self._solo(ctx)
            return Reply(self._lists.answer(ctx, listing, params), ABSENT)
        handler = (self._stateless if ctx.era is Era.STATELESS else self._handshake).get(method)
        if handler is None or (method == COMPLETE and not self._runtime.options.features.completions):
            raise RpcError(METHOD_NOT_FOUND, f"Method not found: {method}", status=404)
        return await handler(ctx, params)

    async def hello(self, ctx: CallContext) -> Raw:
        """The result of `initialize` in the revision of the context.

        Raises:
            RpcError: a single upstream's endpoint whose upstream is not there.
        """
        meter, began = self._runtime.meter, perf_counter()
        try:
            result = await self._hello(ctx)
        except BaseException as error:
            if meter is not None:
                _count_failure(meter, ctx, INITIALIZE, error, perf_counter() - began)
            raise
        if meter is not None:
            meter.call("", INITIALIZE, OK, perf_counter() - began)
        return result

    async def _hello(self, ctx: CallContext) -> Raw:
        if ctx.endpoint:
            self._named(ctx)
        await self._hold()
        introduction = await self._introduction(ctx)
        info = introduction.pop("serverInfo")
        result = {
            "protocolVersion": ctx.revision,
            **introduction,
            "serverInfo": info,
            "_meta": {INSTANCE_KEY: self._runtime.identity.instance},
        }
        return Raw(encode(result))

    async def _hold(self) -> None:
        """Without async loading nobody is let in before the upstreams have had their time to start."""
        if self._held:
            await self._runtime.settled()
            self._held = False

    async def _discover(self, ctx: CallContext, _params: dict[str, Raw]) -> Reply:
        introduction = await self._introduction(ctx)
        meta = {SERVER_KEY: introduction.pop("serverInfo"), INSTANCE_KEY: self._runtime.identity.instance}
        result = {
            "resultType": "complete",
            "supportedVersions": STATELESS_REVISIONS,
            **introduction,
            "ttlMs": self._lists.ttl_ms(ctx),
            "cacheScope": "public" if ctx.view.expression is None else "private",
            "_meta": meta,
        }
        return Reply(Raw(encode(result)), ABSENT)

    async def _introduction(self, ctx: CallContext) -> dict[str, Any]:
        if ctx.endpoint:
            connection = await self._solo(ctx)
            introduction: dict[str, Any] = {
                "capabilities": _mirrored(connection, self._capabilities()),
                "serverInfo": connection.server_info
                if connection.server_info != _EMPTY
                else self._own_info(),
            }
            instructions = connection.instructions
        else:
            introduction = {"capabilities": self._capabilities(), "serverInfo": self._own_info()}
            instructions = self._instructions(ctx)
        if instructions:
            introduction["instructions"] = instructions
        return introduction

    def _capabilities(self) -> Mapping[str, object]:
        if self._runtime.options.features.completions:
            return _CAPABILITIES
        return {name: value for name, value in _CAPABILITIES.items() if name != "completions"}

    def _own_info(self) -> dict[str, str]:
        identity = self._runtime.identity
        return {"name": identity.name, "title": "onemcp gateway", "version": identity.version}

    def check_endpoint(self, ctx: CallContext) -> None:
        """See that the endpoint is one.

        Raises:
            RpcError: it is a single upstream's, and that is not there for this caller.
        """
        if ctx.endpoint:
            self._named(ctx)

    def _named(self, ctx: CallContext) -> Supervisor:
        supervisor = self._runtime.pool.get(ctx.endpoint)
        if supervisor is None or not self._runtime.shows(ctx.view, ctx.endpoint, ctx.endpoint):
            raise RpcError(METHOD_NOT_FOUND, f"No server is called {ctx.endpoint[:100]}", status=404)
        return supervisor

    async def _solo(self, ctx: CallContext) -> Connection:
        """The upstream of a single upstream's endpoint, which waits for it, bounded."""
        supervisor = self._named(ctx)
        try:
            return supervisor.connection or await self._runtime.ready(supervisor)
        except UpstreamError as error:
            raise as_rpc_error(error) from error

    def _instructions(self, ctx: CallContext) -> str:
        """What the visible upstreams say of themselves, each under its name."""
        runtime = self._runtime
        return "\n\n".join(
            f"# {supervisor.spec.name}\n\n{offering.instructions.strip()}"
            for supervisor in runtime.pool
            if (offering := supervisor.listed) is not None
            and offering.instructions.strip()
            and runtime.shows(ctx.view, "", supervisor.spec.name)
        )

    async def _ping(self, _ctx: CallContext, _params: dict[str, Raw]) -> Reply:
        return Reply(_EMPTY, ABSENT)

    async def _subscribe(self, ctx: CallContext, params: dict[str, Raw]) -> Reply:
        uri = text(params.get("uri"), "uri")
        if ctx.session is None:
            raise RpcError(INVALID_REQUEST, "only a session can subscribe to a resource")
        await self._runtime.watches.subscribe(ctx, ctx.session, uri)
        return Reply(_EMPTY, ABSENT)

    async def _unsubscribe(self, ctx: CallContext, params: dict[str, Raw]) -> Reply:
        uri = text(params.get("uri"), "uri")
        if ctx.session is not None:
            self._runtime.watches.unsubscribe(ctx.session, uri)
        return Reply(_EMPTY, ABSENT)

    async def _set_level(self, ctx: CallContext, params: dict[str, Raw]) -> Reply:
        level = text(params.get("level"), "level")
        if level not in tuple(LogLevel):
            raise RpcError(INVALID_PARAMS, f"Unknown log level: {level}; one of {', '.join(LogLevel)}")
        if ctx.session is not None:
            ctx.session.log_level = level
            ctx.session.dirty = True
        self._runtime.want_logs(level, ctx.session)
        return Reply(_EMPTY, ABSENT)


def _count_failure(meter: Meter, ctx: CallContext, method: str, error: BaseException, seconds: float) -> None:
    """Count a request that was not answered, whatever the reason."""
    upstream = ctx.upstream
    if isinstance(error, RpcError):
        outcome, upstream = outcome_of_error(error), upstream or _named_in(error)
    else:
        outcome = CANCELLED if isinstance(error, asyncio.CancelledError) else BROKEN
    meter.call(upstream, method, outcome, seconds)


def _named_in(error: RpcError) -> str:
    """The upstream that an error of ours is about; empty for none."""
    return str(error.data.get("server", "")) if isinstance(error.data, dict) else ""


def _mirrored(connection: Connection, ours: Mapping[str, object]) -> dict[str, object]:
    """What is declared for one upstream alone: of ours what it has declared itself."""
    capabilities: dict[str, object] = {
        name: value for name, value in ours.items() if name in connection.capabilities
    }
    if "resources" in capabilities and not offers_subscriptions(connection):
        capabilities["resources"] = {"listChanged": True}
    return capabilities
