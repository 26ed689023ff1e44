"""`subscriptions/listen`: what a stateless client asks to hear, and how it is answered.

Source: basic/patterns/subscriptions (2026-07-28).
"""

import asyncio
import logging
from dataclasses import dataclass
from typing import Final

import msgspec
from msgspec import Raw

from onemcp.core.changes import Kind
from onemcp.errors import RpcError
from onemcp.gateway.context import CallContext
from onemcp.gateway.runtime import Runtime
from onemcp.gateway.streams import Stream
from onemcp.gateway.watches import MAX_PER_CLIENT
from onemcp.wire.envelope import ABSENT, INVALID_PARAMS, Envelope, encode, open_object, success

_FILTERS: Final = {
    "toolsListChanged": Kind.TOOLS,
    "promptsListChanged": Kind.PROMPTS,
    "resourcesListChanged": Kind.RESOURCES,
}
_RESOURCES: Final = "resourceSubscriptions"
_NULL: Final = Raw(b"null")

_flag = msgspec.json.Decoder(bool | None).decode
_uris = msgspec.json.Decoder(list[str] | None).decode

_log = logging.getLogger("onemcp.gateway")


@dataclass(frozen=True, slots=True)
class Subscription:
    """One accepted subscription."""

    stream: Stream
    acknowledgement: bytes
    """The first message, which repeats the part of the filter that is honoured."""
    result: bytes
    """The last message, where we end it."""


async def subscribe(runtime: Runtime, ctx: CallContext, envelope: Envelope) -> Subscription:
    """The subscription that a request asks for; `runtime.watches.forget` its stream when it ends.

    Resources that lead nowhere in this view, or whose upstream does not agree, are not honoured.

    Raises:
        RpcError: -32602 for a filter that is none, or with too many resources.
    """
    asked = open_object(open_object(envelope.params).get("notifications", ABSENT))
    granted, wanted = _filter(asked)
    if len(wanted) > MAX_PER_CLIENT:
        raise RpcError(INVALID_PARAMS, f"{_RESOURCES}: one subscription has at most {MAX_PER_CLIENT}")
    if wanted and not runtime.options.async_loading:
        await runtime.settled()
    key = bytes(envelope.id)
    stream = Stream(ctx.view, ctx.endpoint, frozenset(_FILTERS[name] for name in granted), key)
    try:
        agreed = await asyncio.gather(*(_watch(runtime, ctx, stream, uri) for uri in wanted))
    except BaseException:
        runtime.watches.forget(stream)
        raise
    honoured: dict[str, object] = dict.fromkeys(granted, True)
    watched = [uri for uri, is_watched in zip(wanted, agreed, strict=True) if is_watched]
    if watched:
        honoured[_RESOURCES] = watched
    meta = b'"_meta":{"io.modelcontextprotocol/subscriptionId":%b}' % key
    return Subscription(
        stream,
        b'{"jsonrpc":"2.0","method":"notifications/subscriptions/acknowledged",'
        b'"params":{"notifications":%b,%b}}' % (encode(honoured), meta),
        success(envelope.id, b'{"resultType":"complete",%b}' % meta),
    )


async def _watch(runtime: Runtime, ctx: CallContext, stream: Stream, uri: str) -> bool:
    try:
        await runtime.watches.subscribe(ctx, stream, uri)
    except RpcError as error:
        _log.info("a subscription to %s is not honoured: %s", uri, error.message)
        return False
    return True


def _filter(asked: dict[str, Raw]) -> tuple[list[str], list[str]]:
    """The lists whose changes are asked for, and the resources; what we do not know of is left out."""
    try:
        granted = [name for name in _FILTERS if _flag(asked.get(name, _NULL))]
        uris = _uris(asked.get(_RESOURCES, _NULL)) or []
    except msgspec.DecodeError as error:
        raise RpcError(INVALID_PARAMS, f'"notifications": no filter: {error}') from None
    return granted, list(dict.fromkeys(uris))
