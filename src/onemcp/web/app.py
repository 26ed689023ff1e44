"""The web application: which path leads where, behind the guard."""

from collections.abc import Awaitable
from typing import Final

from onemcp.web.answers import answer_json, refuse
from onemcp.web.guard import Guard, host_name, twice
from onemcp.web.health import HealthPages, is_health
from onemcp.web.http.request import Request
from onemcp.web.http.response import Response, header
from onemcp.web.mcp import McpEndpoint
from onemcp.web.metrics import PATH as METRICS
from onemcp.web.metrics import MetricsPage

MCP: Final = "/mcp"
_PREFIX: Final = "/servers/"
_SUFFIX: Final = MCP

_FORWARDED_HOST: Final = b"x-forwarded-host"
_FORWARDED: Final = b"forwarded"
"""Of a trusted peer they say under which name the client came. That name has to be allowed beside the one in Host,
and not in its place: a page in a browser on this machine could send it, too."""

_FOR_BROWSERS: Final = (
    b"access-control-allow-methods: GET, POST, DELETE, OPTIONS\r\n"
    b"access-control-allow-headers: content-type, accept, authorization, mcp-session-id, mcp-protocol-version, "
    b"mcp-method, mcp-name, last-event-id, x-request-id\r\n"
    b"access-control-expose-headers: mcp-session-id, www-authenticate, x-request-id\r\n"
    b"vary: Origin\r\n"
)


class WebApp:
    """Answers every request of the gateway's port."""

    def __init__(
        self, mcp: McpEndpoint, guard: Guard, health: HealthPages, metrics: MetricsPage | None = None
    ) -> None:
        """`metrics` is None where they are on another port."""
        self._mcp = mcp
        self._guard = guard
        self._health = health
        self._metrics = metrics

    def __call__(self, request: Request, response: Response) -> Awaitable[None] | None:
        """Answer one request: at once, or by what is returned."""
        path, headers = request.path, request.headers
        if len(headers) != len(request.header_lines) and (said := twice(request)):
            refuse(response, 400, f"more than one {said} header")
            return None
        origin = headers.get(b"origin", b"")
        if path != MCP:  # which is what is nearly always asked for
            if is_health(path):
                self._probe(request, response, origin)
                return None
            if path == METRICS and self._metrics is not None:
                return self._metrics(request, response)
        objection = self._guard.objection(headers.get(b"host", b""), origin)
        if not objection and (_FORWARDED_HOST in headers or _FORWARDED in headers):
            objection = self._guard.objection(request.client.host.encode("latin-1"), origin)
        if objection:
            refuse(response, 403, objection)
            return None
        if origin:
            response.extra = header(b"access-control-allow-origin", origin) + _FOR_BROWSERS
            if request.method == "OPTIONS":
                response.send(204)
                return None
        endpoint = "" if path == MCP else _endpoint(path)
        if endpoint is not None:
            return self._mcp(request, response, endpoint)
        answer_json(response, 404, {"error": "not found", "endpoint": MCP})
        return None

    def _probe(self, request: Request, response: Response, origin: bytes) -> None:
        """Probes come with the address of a pod or any other name in Host; pages come with their Origin."""
        host = request.headers.get(b"host", b"").decode("latin-1")
        if host and not host_name(host):
            refuse(response, 400, "Host is no host")
        elif origin and (objection := self._guard.objection_to_page(origin)):
            refuse(response, 403, objection)
        else:
            self._health(request, response)


def _endpoint(path: str) -> str | None:
    """The upstream whose own endpoint a path is; None if it is none."""
    if path.startswith(_PREFIX) and path.endswith(_SUFFIX) and len(path) > len(_PREFIX) + len(_SUFFIX):
        return path[len(_PREFIX) : -len(_SUFFIX)]
    return None
