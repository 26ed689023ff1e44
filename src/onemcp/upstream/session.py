"""What is agreed with an upstream on streamable HTTP, and how requests say so in their headers.

Source: basic/transports, streamable HTTP: session management and protocol version header (2025-11-25), standard
request headers (2026-07-28).
"""

from typing import Final

from onemcp.errors import Reason, UpstreamError
from onemcp.net.http1 import field_lines
from onemcp.upstream.channel import Request
from onemcp.upstream.endpoint import EITHER, EVENTS, JSON, Endpoint
from onemcp.wire.headers import encode_value
from onemcp.wire.revisions import ERAS, LATEST_STATELESS, Era

INITIALIZE: Final = "initialize"
DISCOVER: Final = "server/discover"
_KEPT_HEADS: Final = 64


class Session:
    """The revision, the session's id, and the heads of requests under both."""

    def __init__(self, endpoint: Endpoint) -> None:
        self.revision = ""
        """Empty until one is adopted."""
        self.id = ""
        """Empty where the upstream keeps no session."""
        self.params = b""
        """Those of the `initialize` that began it."""
        self.is_stateless = False
        self._endpoint = endpoint
        self._heads: dict[str, bytes] = {}

    def begin(self, params: bytes, session_id: str) -> None:
        """An `initialize` with these params was answered, with this session (or none).

        Raises:
            UpstreamError: PROTOCOL, for an id that no header can carry back.
        """
        if not session_id.isascii() or not session_id.isprintable():
            raise UpstreamError(self._endpoint.server, Reason.PROTOCOL, "gave a session id that is not ASCII")
        self.params = params
        self.id = session_id
        self._heads.clear()

    def adopt(self, revision: str) -> None:
        """The revision is agreed."""
        self.revision = revision
        self.is_stateless = ERAS[revision] is Era.STATELESS
        self._heads.clear()

    def end(self) -> None:
        """The session is no more."""
        self.id = ""
        self._heads.clear()

    def head(self, request: Request) -> bytes:
        """The head of the POST that carries a request.

        Raises:
            UpstreamError: a header of the request's own that HTTP cannot carry; nothing was sent.
        """
        head = self._heads.get(request.method) or self._compose(request.method)
        if request.trace:
            head += field_lines(request.trace)
        if not self.is_stateless or not (request.name or request.headers):
            return head
        try:
            if request.name:  # What `encode_value` gives needs no check: it is printable ASCII.
                head += f"mcp-name: {encode_value(request.name)}\r\n".encode()
            return head + field_lines(request.headers) if request.headers else head
        except ValueError as error:
            raise UpstreamError(
                self._endpoint.server, Reason.PROTOCOL, f"cannot be asked this: {error}", ran=False
            ) from None

    def post_head(self) -> bytes:
        """The head of a POST that carries a notification or an answer."""
        return self._heads.get("") or self._compose("")

    def get_head(self, last_event_id: str = "") -> bytes:
        """The head of the GET that opens a stream, or resumes one after an event.

        Raises:
            ValueError: an event id that HTTP cannot carry.
        """
        resumed = [("last-event-id", last_event_id)] if last_event_id else []
        return self._endpoint.head("GET", [EVENTS, *self._agreement(), *resumed])

    def delete_head(self) -> bytes:
        """The head of the DELETE that ends the session."""
        return self._endpoint.head("DELETE", self._agreement())

    def _compose(self, method: str) -> bytes:
        headers = [JSON, EITHER]
        if method == DISCOVER and not self.revision:
            headers.append(("mcp-protocol-version", LATEST_STATELESS))
        elif method != INITIALIZE:
            headers += self._agreement()
        if method and (self.is_stateless or method == DISCOVER):
            headers.append(("mcp-method", encode_value(method)))
        head = self._endpoint.head("POST", headers)
        if len(self._heads) < _KEPT_HEADS:
            self._heads[method] = head
        return head

    def _agreement(self) -> list[tuple[str, str]]:
        headers = []
        if self.revision:
            headers.append(("mcp-protocol-version", self.revision))
        if self.id:
            headers.append(("mcp-session-id", self.id))
        return headers
