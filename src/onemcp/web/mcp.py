"""The MCP endpoint over streamable HTTP: every request is told apart by its headers and handed to its era.

Source: transports (2025-03-26 ... 2025-11-25), basic/transports/streamable-http (2026-07-28).
"""

import asyncio
from typing import Final

from onemcp.errors import RpcError
from onemcp.gateway.dispatch import Dispatcher
from onemcp.gateway.runtime import Runtime
from onemcp.gateway.sessions import Sessions
from onemcp.web.asgi import GoneError, Receive, Scope, Send, TooLargeError, read_body, refuse, respond
from onemcp.web.exchange import Exchange, SlowExchanges
from onemcp.web.handshake import Handshake
from onemcp.web.post import Post
from onemcp.web.stateless import Stateless
from onemcp.web.views import Narrowing, Narrowings
from onemcp.wire.envelope import error_object, failure
from onemcp.wire.revisions import HANDSHAKE_REVISIONS

_HANDSHAKE: Final = frozenset(revision.encode() for revision in HANDSHAKE_REVISIONS)


class McpEndpoint:
    """Serves `/mcp` and `/servers/<name>/mcp`."""

    def __init__(
        self,
        runtime: Runtime,
        dispatcher: Dispatcher,
        sessions: Sessions,
        slow: SlowExchanges,
        max_bytes: int,
    ) -> None:
        self._runtime = runtime
        self._slow = slow
        self._max_bytes = max_bytes
        self._narrowings = Narrowings()
        self._accepted: dict[bytes | None, tuple[bool, bool]] = {}
        self._handshake = Handshake(runtime, dispatcher, sessions)
        self._stateless = Stateless(runtime, dispatcher)
        self._loop = asyncio.get_running_loop()

    async def __call__(self, scope: Scope, receive: Receive, send: Send, endpoint: str) -> None:
        """Answer one request; never raises for what a client sent."""
        narrowing = self._narrowings.of(scope["query_string"])
        if narrowing.objection:
            await refuse(send, 400, narrowing.objection)
            return
        method = scope["method"]
        if method == "POST":
            await self._post(scope, receive, send, endpoint, narrowing)
            return
        headers = dict(scope["headers"])
        version = headers.get(b"mcp-protocol-version")
        if method not in ("GET", "DELETE") or (version is not None and version not in _HANDSHAKE):
            await respond(send, 405, b"", (b"allow", b"POST, GET, DELETE"))
        elif method == "GET":
            await self._handshake.listen(headers, narrowing, endpoint, receive, send)
        else:
            await self._handshake.end(headers, endpoint, send)

    async def _post(
        self, scope: Scope, receive: Receive, send: Send, endpoint: str, narrowing: Narrowing
    ) -> None:
        raw_headers = scope["headers"]
        headers = dict(raw_headers)
        takes_json, takes_stream = self._accepts(headers.get(b"accept"))
        if not (takes_json or takes_stream):
            await refuse(send, 406, "Accept must allow application/json or text/event-stream")
            return
        if not headers.get(b"content-type", b"").lower().startswith(b"application/json"):
            await refuse(send, 415, "Content-Type must be application/json")
            return
        try:
            body = await read_body(receive, self._max_bytes)
        except TooLargeError:
            await refuse(
                send, 413, f"the message is larger than {self._max_bytes} bytes", (b"connection", b"close")
            )
            return
        except GoneError:
            return
        exchange = Exchange(send, self._loop.time())
        exchange.streams_only = not takes_json
        version = headers.get(b"mcp-protocol-version")
        era = self._handshake if version is None or version in _HANDSHAKE else self._stateless
        post = Post(body, headers, raw_headers, narrowing, endpoint, exchange, receive, send)
        if takes_stream:
            self._slow.add(exchange)
        try:
            await era.answer(post)
        except RpcError as error:
            await exchange.finish(failure(None, error_object(error)), error.status)
        finally:
            self._slow.remove(exchange)

    def _accepts(self, accept: bytes | None) -> tuple[bool, bool]:
        """Whether the client takes JSON, and whether it takes event streams."""
        known = self._accepted.get(accept)
        if known is None:
            text = (accept or b"*/*").lower()
            anything = b"*/*" in text
            known = (
                anything or b"application/json" in text or b"application/*" in text,
                anything or b"text/event-stream" in text,
            )
            if len(self._accepted) < 256:
                self._accepted[accept] = known
        return known
