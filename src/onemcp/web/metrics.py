"""`/metrics`, on the gateway's port or on one of its own."""

from typing import Final

from onemcp.ops.metrics.metrics import Metrics
from onemcp.web.answers import NO_STORE, answer_json
from onemcp.web.guard import Guard, is_address, twice
from onemcp.web.http.request import Request
from onemcp.web.http.response import Response

PATH: Final = "/metrics"

_TEXT: Final = b"content-type: text/plain; version=0.0.4; charset=utf-8\r\n"
_OPENMETRICS: Final = b"content-type: application/openmetrics-text; version=1.0.0; charset=utf-8\r\n"


class MetricsPage:
    """Answers scrapes.

    Prometheus finds its targets by address, so a Host that is an address is taken, whichever it is: no name was
    resolved, so none can have been rebound. A page in a browser has to be a known one even then.
    """

    def __init__(self, metrics: Metrics, guard: Guard) -> None:
        self._metrics = metrics
        self._guard = guard

    async def __call__(self, request: Request, response: Response) -> None:
        """Answer one request for the path."""
        host, origin = request.headers.get(b"host", b""), request.headers.get(b"origin", b"")
        if is_address(host.decode("latin-1")):
            objection = self._guard.objection_to_page(origin)
        else:
            objection = self._guard.objection(host, origin)
        if objection:
            answer_json(response, 403, {"error": objection})
        elif not self._metrics.is_on:
            answer_json(response, 404, {"error": "there are no metrics: features.metrics is off"})
        elif request.method not in ("GET", "HEAD"):
            response.send(405, b"", b"allow: GET, HEAD\r\n")
        else:
            openmetrics = _prefers_openmetrics(request.headers.get(b"accept", b""))
            text = await self._metrics.text(openmetrics=openmetrics)
            response.send(200, text, (_OPENMETRICS if openmetrics else _TEXT) + NO_STORE)


def _prefers_openmetrics(accept: bytes) -> bool:
    """Whether OpenMetrics is named, and not as what the client does not take (RFC 9110, 12.4.2 and 12.5.1)."""
    for each in accept.lower().split(b","):
        kind, *parameters = (part.strip() for part in each.split(b";"))
        if kind == b"application/openmetrics-text":
            return not any(_is_zero(parameter) for parameter in parameters)
    return False


def _is_zero(parameter: bytes) -> bool:
    name, _, value = parameter.partition(b"=")
    return name.strip() == b"q" and value.strip() in (b"0", b"0.", b"0.0", b"0.00", b"0.000")


class MetricsApp:
    """Answers every request of a port that has nothing but metrics."""

    def __init__(self, page: MetricsPage) -> None:
        self._page = page

    async def __call__(self, request: Request, response: Response) -> None:
        """Answer one request."""
        if said := twice(request):
            answer_json(response, 400, {"error": f"more than one {said} header"})
        elif request.path == PATH:
            await self._page(request, response)
        else:
            answer_json(response, 404, {"error": "not found", "metrics": PATH})
