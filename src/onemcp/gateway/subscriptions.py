"""`subscriptions/listen`: what a stateless client asks to hear, and how it is answered.

Source: basic/patterns/subscriptions (2026-07-28).
"""

from dataclasses import dataclass
from typing import Final

from onemcp.core.access import View
from onemcp.core.changes import Kind
from onemcp.gateway.streams import Stream
from onemcp.wire.envelope import ABSENT, Envelope, open_object, success

_FILTERS: Final = {
    "toolsListChanged": Kind.TOOLS,
    "promptsListChanged": Kind.PROMPTS,
    "resourcesListChanged": Kind.RESOURCES,
}


@dataclass(frozen=True, slots=True)
class Subscription:
    """One accepted subscription."""

    stream: Stream
    acknowledgement: bytes
    """The first message, which repeats the part of the filter that is honoured."""
    result: bytes
    """The last message, where we end it."""


def subscribe(envelope: Envelope, view: View, endpoint: str = "") -> Subscription:
    """The subscription that a request asks for.

    Raises:
        RpcError: -32602 for a filter that is no object.
    """
    asked = open_object(open_object(envelope.params).get("notifications", ABSENT))
    granted = {name: kind for name, kind in _FILTERS.items() if bytes(asked.get(name, b"")) == b"true"}
    key = bytes(envelope.id)
    meta = b'"_meta":{"io.modelcontextprotocol/subscriptionId":%b}' % key
    honoured = b",".join(b'"%b":true' % name.encode() for name in granted)
    return Subscription(
        Stream(view, endpoint, frozenset(granted.values()), key),
        b'{"jsonrpc":"2.0","method":"notifications/subscriptions/acknowledged",'
        b'"params":{"notifications":{%b},%b}}' % (honoured, meta),
        success(envelope.id, b'{"resultType":"complete",%b}' % meta),
    )
