"""A webhook sink on a real socket that behaves, or misbehaves as told, and remembers what came.

with WebhookSink() as sink:
    ... sink.url
    sink.wait_for(lambda request: request.alert["kind"] == "server_down")
    sink.behaviour = 500
"""

import json
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Final, Self

LIMIT: Final = 30.0


@dataclass(frozen=True, slots=True)
class Received:
    """One request as it came, and what was answered: a status, or 0 for nothing at all."""

    path: str
    headers: Mapping[str, str]
    """Lower-case names."""
    body: bytes
    answered: int

    @property
    def alert(self) -> dict[str, Any]:
        """The body as our own document."""
        document: dict[str, Any] = json.loads(self.body)
        return document

    @property
    def was_taken(self) -> bool:
        """Whether the sink said that it has it."""
        return self.answered == 200


class WebhookSink:
    """A sink; `behaviour` is the status of every answer (a 3xx leads to `/elsewhere`), or 0 to hang without one."""

    def __init__(self, port: int = 0, behaviour: int = 200) -> None:
        self.behaviour = behaviour
        self.requests: list[Received] = []
        self._changed = threading.Condition()
        self._released = threading.Event()
        self._server = _Server(("127.0.0.1", port), _handler(self))
        self._server.daemon_threads = True
        self.port = int(self._server.server_address[1])
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02})

    @property
    def url(self) -> str:
        """Where it takes alerts."""
        return f"http://127.0.0.1:{self.port}/hook"

    @property
    def taken(self) -> list[dict[str, Any]]:
        """The documents that it took, in their order."""
        return [request.alert for request in self.requests if request.was_taken]

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._released.set()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def take(self, path: str, headers: Mapping[str, str], body: bytes) -> int:
        """Called by the server's threads: remember, and say what to answer."""
        behaviour = self.behaviour
        with self._changed:
            self.requests.append(Received(path, headers, body, behaviour))
            self._changed.notify_all()
        if behaviour == 0:
            self._released.wait(LIMIT)
        return behaviour

    def wait_for(self, wanted: Callable[[Received], bool], limit: float = LIMIT) -> Received:
        """The first request that is wanted, as soon as it is there.

        Raises:
            AssertionError: it did not come in time.
        """
        return self.wait_for_many(1, wanted, limit)[0]

    def wait_for_many(
        self, count: int, wanted: Callable[[Received], bool], limit: float = LIMIT
    ) -> list[Received]:
        """The first requests that are wanted, so many."""
        deadline = time.monotonic() + limit
        with self._changed:
            while len(found := [request for request in self.requests if wanted(request)]) < count:
                left = deadline - time.monotonic()
                assert left > 0, f"{len(found)} of {count} within {limit:g} s; all: {self.requests}"
                self._changed.wait(left)
        return found[:count]


def of(kind: str, status: str = "raised") -> Callable[[Received], bool]:
    """Wants an alert of a kind that the sink took."""
    return lambda request: (
        request.was_taken and (request.alert["kind"], request.alert["status"]) == (kind, status)
    )


class _Server(ThreadingHTTPServer):
    allow_reuse_address = True
    block_on_close = False

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Who hung up does not wait for an answer."""


def _handler(sink: WebhookSink) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            headers = {name.lower(): value for name, value in self.headers.items()}
            status = sink.take(self.path, headers, body)
            if status == 0:
                self.close_connection = True
                return
            self.send_response(status)
            if 300 <= status < 400:
                self.send_header("location", f"http://127.0.0.1:{sink.port}/elsewhere")
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Nothing on standard error."""

    return Handler
