"""The port between MCP semantics and one way of exchanging messages with one upstream.

A channel moves messages and correlates answers. It does not know what an initialize is for: `negotiate` does.
"""

from asyncio import Future
from collections.abc import Callable
from typing import Protocol

from msgspec import Raw, Struct

from onemcp.wire.envelope import Envelope

Inbound = Callable[[Envelope], None]
"""Takes a request or notification that the upstream sent on its own. Must not block and must not raise."""


class Request(Struct, eq=False):
    """One request to an upstream."""

    method: str
    params: bytes = b""
    """Encoded JSON object; empty for none."""
    timeout: float = 60.0
    """Seconds until the request is given up."""
    name: str = ""
    """The tool, prompt or URI that it is about; the `Mcp-Name` header in the stateless era."""
    headers: tuple[tuple[str, str], ...] = ()
    """`Mcp-Param-*` headers, already encoded."""
    trace: tuple[tuple[str, str], ...] = ()
    """`traceparent` and `tracestate`, for a transport with headers."""
    sink: Inbound | None = None
    """Takes what the upstream sends in the course of this very request, where the transport can tell; otherwise
    the channel's own inbound does."""
    renews: bool = True
    """Begin a new session for it if the upstream has lost the present one; a look at the upstream mends nothing."""


class Reply(Struct):
    """The upstream's answer: exactly one of the two is there, the other is `ABSENT`."""

    result: Raw
    error: Raw


class Channel(Protocol):
    """One open way to one upstream. Made and closed by the task that owns it; used by any."""

    on_reinitialized: Callable[[], None]
    """Set by the owner: called when the upstream may have changed unnoticed, so that it is listed again."""
    on_missed: Callable[[], None]
    """Set by the owner: called when updates of what is watched by `watch` may have been missed."""
    closed: Future[str]
    """Done when no request will be answered any more; its result says why, for a person."""

    async def request(self, request: Request) -> Reply:
        """Send and wait for the answer, as the upstream gave it.

        Raises:
            UpstreamError: the upstream did not answer; `reason` and `ran` say how.
        """

    async def notify(self, method: str, params: bytes = b"") -> None:
        """Send a notification; bounded by the channel's own write deadline.

        Raises:
            UpstreamError: it could not be sent.
        """

    def respond(self, message: bytes) -> None:
        """Queue an encoded JSON-RPC response to a request that came through `Inbound`; drops it if closed."""

    def adopt(self, revision: str) -> None:
        """The revision is agreed: what follows is sent as it asks (version header, session, listening stream)."""

    async def watch(self, uris: frozenset[str]) -> frozenset[str]:
        """Have an upstream of the stateless era tell of updates of exactly these resources; those that it agreed to.

        The set before stands until the new one is acknowledged, so that nothing is missed in between.

        Raises:
            RpcError: the upstream refused; the set before stands.
            UpstreamError: it did not acknowledge; the set before stands.
        """

    async def aclose(self) -> None:
        """Stop within a bound, whatever the upstream does; safe to call twice."""
