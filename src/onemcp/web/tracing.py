"""The trace context in the HTTP headers of a request."""

from onemcp.core.trace import TRACEPARENT, TRACESTATE, is_parent, joined_state
from onemcp.gateway.context import CallContext
from onemcp.web.http.request import Request

PARENT: bytes = TRACEPARENT.encode()
_STATE: bytes = TRACESTATE.encode()


def take_trace(ctx: CallContext, request: Request) -> None:
    """Note the trace that the headers name; a malformed one, or several, are none (section 2.3 of the Recommendation)."""
    parents = [value for name, value in request.header_lines if name == PARENT]
    parent = parents[0].decode("latin-1").strip()
    if len(parents) > 1 or not is_parent(parent):
        return
    state = joined_state(value.decode("latin-1") for name, value in request.header_lines if name == _STATE)
    ctx.trace = parent
    ctx.trace_headers = ((TRACEPARENT, parent), (TRACESTATE, state)) if state else ((TRACEPARENT, parent),)
