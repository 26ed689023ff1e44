"""The web application: which path leads where, behind the guard."""

from typing import Any, Final

from onemcp.web.asgi import JSON, Receive, Scope, Send, refuse, respond, respond_json
from onemcp.web.guard import Guard
from onemcp.web.mcp import McpEndpoint

_LIVE: Final = b'{"status":"alive"}'
_PREFIX: Final = "/servers/"
_SUFFIX: Final = "/mcp"

_ALLOWED_HEADERS: Final = b"content-type, accept, authorization, mcp-session-id, mcp-protocol-version, mcp-method, mcp-name, last-event-id"
_EXPOSED_HEADERS: Final = b"mcp-session-id, www-authenticate"


class WebApp:
    """The ASGI application of the gateway."""

    def __init__(self, mcp: McpEndpoint, guard: Guard) -> None:
        self._mcp = mcp
        self._guard = guard

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one HTTP request."""
        path: str = scope["path"]
        if path.startswith("/health/"):
            await self._health(path, send)
            return
        host, origin = _host_and_origin(scope["headers"])
        objection = self._guard.objection(host, origin)
        if objection:
            await refuse(send, 403, objection)
            return
        if origin:
            send = _for_browser(send, origin)
            if scope["method"] == "OPTIONS":
                await respond(send, 204)
                return
        if path == "/mcp":
            await self._mcp(scope, receive, send, "")
        elif path.startswith(_PREFIX) and path.endswith(_SUFFIX):
            await self._mcp(scope, receive, send, path[len(_PREFIX) : -len(_SUFFIX)])
        else:
            await respond_json(send, 404, {"error": "not found", "endpoint": "/mcp"})

    async def _health(self, path: str, send: Send) -> None:
        if path == "/health/live":
            await respond(send, 200, _LIVE, JSON, (b"cache-control", b"no-store"))
        else:
            await respond_json(send, 404, {"error": "not found"})


def _host_and_origin(headers: list[tuple[bytes, bytes]]) -> tuple[bytes, bytes]:
    host = origin = b""
    for name, value in headers:
        if name == b"host":
            host = value
        elif name == b"origin":
            # Two origins are none that could be allowed.
            origin = value if not origin else b"%b, %b" % (origin, value)
    return host, origin


def _for_browser(send: Send, origin: bytes) -> Send:
    """Let the page of an allowed origin read the answer (CORS)."""
    extra = [
        (b"access-control-allow-origin", origin),
        (b"access-control-allow-methods", b"GET, POST, DELETE, OPTIONS"),
        (b"access-control-allow-headers", _ALLOWED_HEADERS),
        (b"access-control-expose-headers", _EXPOSED_HEADERS),
        (b"vary", b"Origin"),
    ]

    async def sending(message: Any) -> None:
        if message["type"] == "http.response.start":
            message["headers"] = [*message["headers"], *extra]
        await send(message)

    return sending
