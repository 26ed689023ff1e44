"""Carrying the trace context of a request to whichever upstream it goes to.

In `_meta` it passes as all of `_meta` does. A client that says it in its HTTP headers has it put into `_meta`, where
every upstream finds it, and into the HTTP headers towards an upstream on HTTP. If both are there, `_meta` counts.
Switched off, none of it goes anywhere; the log names the trace all the same.

Source: SEP-414; W3C Trace Context.
"""

from typing import Final

import msgspec
from msgspec import Raw

from onemcp.core.trace import TRACEPARENT, TRACESTATE, is_parent
from onemcp.errors import RpcError
from onemcp.gateway.context import CallContext
from onemcp.wire.envelope import encode, mentions, open_object

_MENTIONED: Final = b'"traceparent"'
_CONTEXT: Final = frozenset({TRACEPARENT, TRACESTATE, "baggage"})
"""The members of `_meta` that are trace context by SEP-414."""


def carry(ctx: CallContext, params: dict[str, Raw]) -> None:
    """Bring the params and the context of a request to say the same trace; called where either has one or may.

    Nothing that `_meta` has is changed: one that is malformed there passes, and no other is put in its place.
    """
    meta = params.get("_meta")
    try:
        if meta is None:
            _put(ctx, params, {})
        elif mentions(meta, _MENTIONED):
            members = open_object(meta)
            if TRACEPARENT in members:
                _take(ctx, members[TRACEPARENT])
            elif ctx.trace:
                _put(ctx, params, members)
        elif ctx.trace:
            _put(ctx, params, open_object(meta))
    except RpcError:
        return  # a `_meta` that is no object: whoever has to open it will say so


def drop(ctx: CallContext, params: dict[str, Raw]) -> None:
    """Take the trace context, and the baggage that goes with it, out of what is forwarded."""
    ctx.trace_headers = ()
    meta = params.get("_meta")
    if meta is None:
        return
    try:
        members = open_object(meta)
    except RpcError:
        return  # as in `carry`
    left = {name: value for name, value in members.items() if name not in _CONTEXT}
    if len(left) < len(members):
        params["_meta"] = Raw(encode(left))


def _put(ctx: CallContext, params: dict[str, Raw], members: dict[str, Raw]) -> None:
    for name, value in ctx.trace_headers:
        members.setdefault(name, Raw(encode(value)))
    params["_meta"] = Raw(encode(members))


def _take(ctx: CallContext, raw: Raw) -> None:
    """The client's `_meta` says it: that is what the logs name, and the headers say nothing."""
    ctx.trace_headers = ()
    try:
        said = msgspec.json.decode(raw, type=str)
    except msgspec.DecodeError:
        said = ""
    ctx.trace = said if is_parent(said) else ""
