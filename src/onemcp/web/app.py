"""The web application: which path leads where, behind the guard."""

from typing import Final

from onemcp.web.answers import NO_STORE, answer_json, refuse
from onemcp.web.guard import Guard
from onemcp.web.http.request import Request
from onemcp.web.http.response import JSON, Response, header
from onemcp.web.mcp import McpEndpoint

_LIVE: Final = b'{"status":"alive"}'
_PREFIX: Final = "/servers/"
_SUFFIX: Final = "/mcp"

_FOR_BROWSERS: Final = (
    b"access-control-allow-methods: GET, POST, DELETE, OPTIONS\r\n"
    b"access-control-allow-headers: content-type, accept, authorization, mcp-session-id, mcp-protocol-version, "
    b"mcp-method, mcp-name, last-event-id\r\n"
    b"access-control-expose-headers: mcp-session-id, www-authenticate\r\n"
    b"vary: Origin\r\n"
)


class WebApp:
    """Answers every request of the gateway's port."""

    def __init__(self, mcp: McpEndpoint, guard: Guard) -> None:
        self._mcp = mcp
        self._guard = guard

    async def __call__(self, request: Request, response: Response) -> None:
        """Answer one request."""
        path = request.path
        if path.startswith("/health/"):
            self._health(path, response)
            return
        headers = request.headers
        if len(headers) != len(request.header_lines) and (twice := _twice(request)):
            refuse(response, 400, f"more than one {twice} header")
            return
        origin = headers.get(b"origin", b"")
        objection = self._guard.objection(headers.get(b"host", b""), origin)
        if objection:
            refuse(response, 403, objection)
            return
        if origin:
            response.extra = header(b"access-control-allow-origin", origin) + _FOR_BROWSERS
            if request.method == "OPTIONS":
                response.send(204)
                return
        if path == "/mcp":
            await self._mcp(request, response, "")
        elif path.startswith(_PREFIX) and path.endswith(_SUFFIX) and len(path) > len(_PREFIX) + len(_SUFFIX):
            await self._mcp(request, response, path[len(_PREFIX) : -len(_SUFFIX)])
        else:
            answer_json(response, 404, {"error": "not found", "endpoint": "/mcp"})

    def _health(self, path: str, response: Response) -> None:
        if path == "/health/live":
            response.send(200, _LIVE, JSON + NO_STORE)
        else:
            answer_json(response, 404, {"error": "not found"})


def _twice(request: Request) -> str:
    """Host or Origin if it is there more than once: whoever stands in front may have judged the other one."""
    names = [name for name, _ in request.header_lines]
    return next((name.decode() for name in (b"host", b"origin") if names.count(name) > 1), "")
