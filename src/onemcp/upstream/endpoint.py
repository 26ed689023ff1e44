"""One URL of one upstream: its client, its configured headers, and what HTTP errors mean for a request."""

from collections.abc import Iterable
from typing import Final

from onemcp.core.spec import HttpTransport
from onemcp.errors import Reason, UpstreamError
from onemcp.net.fault import Fault, HttpError
from onemcp.net.http1 import HttpClient
from onemcp.net.origin import split_url
from onemcp.net.pool import Limits
from onemcp.net.response import Response

MAX_BYTES: Final = 16 * 1024 * 1024
"""The default for the bytes of one message from an upstream."""
JSON: Final = ("content-type", "application/json")
EVENTS: Final = ("accept", "text/event-stream")
EITHER: Final = ("accept", "application/json, text/event-stream")

_OURS: Final = frozenset(
    {
        "accept",
        "accept-encoding",
        "connection",
        "content-length",
        "content-type",
        "host",
        "last-event-id",
        "mcp-method",
        "mcp-name",
        "mcp-protocol-version",
        "mcp-session-id",
        "transfer-encoding",
    }
)
"""Headers that the transport itself sets; a configured one of these would contradict it and is left out."""
_REASONS: Final = {
    Fault.UNREACHABLE: Reason.UNREACHABLE,
    Fault.BUSY: Reason.OVERLOADED,
    Fault.TIMEOUT: Reason.TIMEOUT,
    Fault.LOST: Reason.UNREACHABLE,
    Fault.MALFORMED: Reason.PROTOCOL,
    Fault.TOO_LARGE: Reason.TOO_LARGE,
    Fault.REFUSED: Reason.UNREACHABLE,
}


class Endpoint:
    """Sends requests to one origin, beginning at one URL of it.

    Raises:
        UpstreamError: UNFIT, for a URL or a configured header that cannot be used.
    """

    def __init__(self, server: str, transport: HttpTransport, max_bytes: int) -> None:
        self.server = server
        self.url = transport.url
        self.max_bytes = max_bytes
        configured = [pair for pair in transport.headers if pair[0].lower() not in _OURS]
        if not any(name.lower() == "user-agent" for name, _ in configured):
            configured.append(("user-agent", "onemcp"))
        self._headers = tuple(configured)
        self._is_closed = False
        try:
            self.origin, self.target = split_url(transport.url)
            self._client = HttpClient(self.origin, Limits(max_body=max_bytes))
            self.head("POST")
        except ValueError as error:
            raise UpstreamError(server, Reason.UNFIT, f"cannot be asked: {error}", ran=False) from None

    def head(self, method: str, headers: Iterable[tuple[str, str]] = (), target: str = "") -> bytes:
        """The beginning of a request, with the configured headers.

        Raises:
            ValueError: a header that cannot be sent.
        """
        return self._client.prepare(method, target or self.target, (*self._headers, *headers))

    async def send(self, head: bytes, body: bytes = b"", *, timeout: float, idle: float = 0.0) -> Response:
        """One exchange; see `HttpClient.send`.

        Raises:
            UpstreamError: there was no response.
        """
        try:
            return await self._client.send(head, body, timeout=timeout, idle=idle)
        except HttpError as error:
            raise self.translate(error) from None

    def translate(self, error: HttpError) -> UpstreamError:
        """What an HTTP error means for the request that met it."""
        reason = Reason.STOPPING if self._is_closed else _REASONS[error.fault]
        return UpstreamError(self.server, reason, error.what, ran=error.sent)

    async def aclose(self) -> None:
        """Close every connection; what is under way fails with STOPPING. Safe to call twice."""
        self._is_closed = True
        await self._client.aclose()
