"""The pages under `/health`: for balancers, probes and people, whatever Host they come with."""

from typing import Final

from onemcp.ops.health.loading import Loading
from onemcp.ops.health.probes import Answer, Probes
from onemcp.web.answers import answer_json
from onemcp.web.http.request import Request
from onemcp.web.http.response import Response, header

_FRESH: Final = b"cache-control: no-cache, no-store, must-revalidate\r\n"
_SERVER: Final = "/health/mcp/"


def is_health(path: str) -> bool:
    """Whether a path is one of these pages."""
    return path == "/health" or path.startswith("/health/")


class HealthPages:
    """Answers at once, from what is known."""

    def __init__(self, probes: Probes, loading: Loading) -> None:
        self.probes = probes
        """What the pages are made of."""
        self._loading = loading

    def __call__(self, request: Request, response: Response, *, trusted: bool = True) -> None:
        """Answer one request. A caller that is not `trusted` (it has not signed in) is told the least."""
        if request.method not in ("GET", "HEAD"):
            answer_json(response, 405, {"error": "GET or HEAD"}, b"allow: GET, HEAD\r\n")
            return
        path = request.path
        if path == "/health":
            answer = self.probes.health(trusted=trusted)
            _send(response, answer, self._headers(answer.document["status"]))
        elif path == "/health/live":
            _send(response, self.probes.live())
        elif path == "/health/ready":
            _send(response, self.probes.ready(trusted=trusted))
        elif path == "/health/mcp":
            answer = self._loading.all(trusted=trusted)
            _send(response, answer, _progress(answer.document["loading"]))
        elif path.startswith(_SERVER):
            self._server(path.removeprefix(_SERVER), response, trusted=trusted)
        else:
            _send(response, Answer(404, {"error": "not found"}))

    def _server(self, name: str, response: Response, *, trusted: bool) -> None:
        answer = self._loading.one(name, trusted=trusted)
        if answer is None:
            _send(response, Answer(404, {"error": f"Server '{name}' not found"}))
        else:
            _send(response, answer, header(b"x-server-state", answer.document["state"].encode()))

    def _headers(self, status: str) -> bytes:
        return (
            header(b"x-health-status", status.encode())
            + header(b"x-service-version", self.probes.saying.version.encode())
            + header(b"x-uptime-seconds", b"%d" % self.probes.uptime)
        )


def _progress(loading: dict[str, object]) -> bytes:
    complete = b"true" if loading["isComplete"] else b"false"
    rate = f"{loading['successRate']:.1f}".encode()
    return header(b"x-loading-complete", complete) + header(b"x-success-rate", rate)


def _send(response: Response, answer: Answer, headers: bytes = b"") -> None:
    answer_json(response, answer.http, answer.document, _FRESH + headers)
