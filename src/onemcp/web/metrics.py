"""`/metrics`, on the gateway's port or on one of its own."""

from typing import Final

from onemcp.ops.metrics.metrics import Metrics
from onemcp.web.answers import NO_STORE, answer_json
from onemcp.web.guard import Guard, host_name
from onemcp.web.http.request import Request
from onemcp.web.http.response import Response

PATH: Final = "/metrics"

_TEXT: Final = b"content-type: text/plain; version=0.0.4; charset=utf-8\r\n"
_OPENMETRICS: Final = b"content-type: application/openmetrics-text; version=1.0.0; charset=utf-8\r\n"


class MetricsPage:
    """Answers scrapes.

    Prometheus finds its targets by address, so a Host that is an address is taken, whichever it is: no name was
    resolved, so none can have been rebound.
    """

    def __init__(self, metrics: Metrics, guard: Guard) -> None:
        self._metrics = metrics
        self._guard = guard

    async def __call__(self, request: Request, response: Response) -> None:
        """Answer one request for the path."""
        host = request.headers.get(b"host", b"")
        objection = self._guard.objection(host, request.headers.get(b"origin", b""))
        if objection and not _is_address(host.decode("latin-1")):
            answer_json(response, 403, {"error": objection})
        elif request.method not in ("GET", "HEAD"):
            response.send(405, b"", b"allow: GET, HEAD\r\n")
        else:
            openmetrics = b"application/openmetrics-text" in request.headers.get(b"accept", b"")
            text = await self._metrics.text(openmetrics=openmetrics)
            response.send(200, text, (_OPENMETRICS if openmetrics else _TEXT) + NO_STORE)


class MetricsApp:
    """Answers every request of a port that has nothing but metrics."""

    def __init__(self, page: MetricsPage) -> None:
        self._page = page

    async def __call__(self, request: Request, response: Response) -> None:
        """Answer one request."""
        if request.path == PATH:
            await self._page(request, response)
        else:
            answer_json(response, 404, {"error": "not found", "metrics": PATH})


def _is_address(host: str) -> bool:
    """Whether a Host header is an IPv4 address, or an IPv6 address in brackets, with or without a port."""
    name = host_name(host)
    if name.startswith("["):
        return ":" in name
    parts = name.split(".")
    return len(parts) == 4 and all(part.isascii() and part.isdigit() for part in parts)
