"""What of an earlier stream may be shown to whoever resumes it: the view of the present request decides."""

from typing import Final

from onemcp.core.access import View
from onemcp.errors import RpcError
from onemcp.gateway.runtime import Runtime
from onemcp.gateway.streams import Event
from onemcp.wire.envelope import ABSENT, INVALID_PARAMS, error_object, failure, parse

_UNKNOWN: Final = error_object(RpcError(INVALID_PARAMS, "Unknown name: there is none such in this view"))
_ASK_AGAIN: Final = error_object(
    RpcError(INVALID_PARAMS, "This was asked in a view that may have shown more: ask again in this one")
)


def shown(runtime: Runtime, view: View, endpoint: str, event: Event) -> bytes:
    """The message of an event; empty if its upstream is not shown, and of an answer then an error in its place.

    An answer of the gateway's own, like a list, is about what was seen by whoever asked: only a view that shows
    everything is certain to show that.
    """
    if event.upstream:
        if runtime.shows(view, endpoint, event.upstream):
            return event.message
        return _replaced(event.message, _UNKNOWN)
    if view.expression is None:
        return event.message
    message = parse(event.message)
    return event.message if message.result is ABSENT else failure(message.id, _ASK_AGAIN)


def _replaced(message: bytes, error: bytes) -> bytes:
    """An error in place of an answer; nothing in place of anything else."""
    envelope = parse(message)
    return failure(envelope.id, error) if envelope.is_response else b""
