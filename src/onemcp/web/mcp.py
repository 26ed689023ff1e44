"""The MCP endpoint over streamable HTTP: every request is told apart by its headers and handed to its era.

Source: transports (2025-03-26 ... 2025-11-25), basic/transports/streamable-http (2026-07-28).
"""

import asyncio
import logging
from collections.abc import Awaitable
from typing import Final

from onemcp.errors import RpcError
from onemcp.gateway.dispatch import Dispatcher
from onemcp.gateway.runtime import Runtime
from onemcp.gateway.sessions import Sessions
from onemcp.ops.descriptors import exhausted
from onemcp.ops.drain import Drain, overdue
from onemcp.web.answers import failed, refuse, refuse_new
from onemcp.web.exchange import Exchange, SlowExchanges
from onemcp.web.handshake import SESSION_HEADER, Handshake
from onemcp.web.http.request import Request
from onemcp.web.http.response import Response
from onemcp.web.post import Post
from onemcp.web.stateless import Stateless
from onemcp.web.views import Narrowing, Narrowings
from onemcp.wire.envelope import ABSENT, is_batch, parse
from onemcp.wire.revisions import HANDSHAKE_REVISIONS

_log = logging.getLogger("onemcp.web")
_HANDSHAKE: Final = frozenset(revision.encode() for revision in HANDSHAKE_REVISIONS)
_REMEMBERED: Final = 256
_LONG: Final = 1024
_ONLY_ALL: Final = (
    "servers have no endpoints of their own here (features.singleServerRoutes is off): /mcp has all of them"
)


class McpEndpoint:
    """Serves `/mcp` and `/servers/<name>/mcp`."""

    def __init__(
        self,
        runtime: Runtime,
        dispatcher: Dispatcher,
        sessions: Sessions,
        slow: SlowExchanges,
        drain: Drain | None = None,
    ) -> None:
        """`drain` hears what is under way, and says when nothing new is taken."""
        self._runtime = runtime
        self._slow = slow
        self._drain = drain = drain or Drain()
        self._narrowings = Narrowings()
        self._accepted: dict[bytes, tuple[bool, bool]] = {}
        self._sessions = sessions
        self._handshake = Handshake(runtime, dispatcher, sessions, drain)
        self._stateless = Stateless(runtime, dispatcher, drain)
        self._loop = asyncio.get_running_loop()

    def __call__(self, request: Request, response: Response, endpoint: str) -> Awaitable[None] | None:
        """Answer one request, at once or by what is returned; never raises for what a client sent."""
        if endpoint and not self._runtime.options.features.single_server_routes:
            refuse(response, 404, _ONLY_ALL)
            return None
        narrowing = self._narrowings.of(request.query)
        if narrowing.objection:
            refuse(response, 400, narrowing.objection)
            return None
        version = request.headers.get(b"mcp-protocol-version")
        is_handshake = version is None or version in _HANDSHAKE
        if request.method == "POST":
            era = self._handshake if is_handshake else self._stateless
            return self._post(request, response, narrowing, endpoint, era)
        if request.method == "GET" and is_handshake:
            return self._handshake.listen(request, response, narrowing, endpoint)
        if request.method == "DELETE" and is_handshake:
            return self._handshake.end(request, response, narrowing, endpoint)
        response.send(405, b"", b"allow: POST, GET, DELETE\r\n" if is_handshake else b"allow: POST\r\n")
        return None

    async def _post(
        self,
        request: Request,
        response: Response,
        narrowing: Narrowing,
        endpoint: str,
        era: Handshake | Stateless,
    ) -> None:
        takes_json, takes_stream = self._accepts(request.headers.get(b"accept", b"*/*"))
        if not (takes_json or takes_stream):
            refuse(response, 406, "Accept must allow application/json or text/event-stream")
            return
        if not request.headers.get(b"content-type", b"").lower().startswith(b"application/json"):
            refuse(response, 415, "Content-Type must be application/json")
            return
        is_new = era is self._handshake and SESSION_HEADER not in request.headers
        if is_new and self._sessions.is_full() and _refused(request, response):
            return
        began = self._loop.time()
        exchange = Exchange(response, began, takes_json=takes_json, takes_stream=takes_stream)
        if takes_stream:
            self._slow.add(exchange)
        task = response.task
        self._drain.begin(task)
        try:
            await era.answer(Post(request, response, exchange, narrowing, endpoint))
        except RpcError as error:
            exchange.finish(failed(response, None, error), error.status)
        except asyncio.CancelledError:
            if not self._drain.absorbed(task):
                raise
            envelope = response.trail.envelope
            exchange.finish(failed(response, envelope.id if envelope is not None else None, overdue()))
        finally:
            self._drain.end(task)
            self._slow.remove(exchange)
            if _log.isEnabledFor(logging.DEBUG):
                asked_by, taken = request.client.address, self._loop.time() - began
                _log.debug("answered %s in %.1f ms", asked_by, taken * 1000)

    def _accepts(self, accept: bytes) -> tuple[bool, bool]:
        """Whether the client takes JSON, and whether it takes event streams."""
        known = self._accepted.get(accept)
        if known is None:
            text = accept.lower()
            anything = b"*/*" in text
            takes_json = anything or b"application/json" in text or b"application/*" in text
            known = (takes_json, anything or b"text/event-stream" in text or b"text/*" in text)
            if len(accept) > _LONG:
                return known
            if len(self._accepted) >= _REMEMBERED:
                self._accepted.clear()
            self._accepted[accept] = known
        return known


def _refused(request: Request, response: Response) -> bool:
    """Refuse what would open a session, and let its connection go as well; False for anything else."""
    if is_batch(request.body):
        return False
    try:
        envelope = parse(request.body)
    except RpcError:
        return False  # whoever answers it will say so
    if envelope.method != "initialize" or envelope.id is ABSENT:
        return False
    response.trail.envelope = envelope
    response.part()
    refuse_new(response, envelope.id, exhausted())
    return True
