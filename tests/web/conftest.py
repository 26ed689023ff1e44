"""The HTTP edge on a real port, over scripted upstreams."""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from types import EllipsisType
from typing import Any

import httpx2
import pytest
from tests.support.channels import IDENTITY, Upstreams, spec

from onemcp.gateway.dispatch import Dispatcher
from onemcp.gateway.runtime import Options, Runtime
from onemcp.gateway.sessions import Sessions, Store
from onemcp.ops.health.loading import Loading
from onemcp.ops.health.probes import Probes, Saying
from onemcp.ops.health.readiness import Readiness
from onemcp.seal.keyring import Keyring
from onemcp.store.memory import MemoryStore
from onemcp.web.app import WebApp
from onemcp.web.exchange import SlowExchanges
from onemcp.web.forwarded import Trust
from onemcp.web.guard import Guard
from onemcp.web.health import HealthPages
from onemcp.web.http.server import bind, serving
from onemcp.web.mcp import McpEndpoint

ACCEPT = {"accept": "application/json, text/event-stream"}
META = {
    "io.modelcontextprotocol/protocolVersion": "2026-07-28",
    "io.modelcontextprotocol/clientCapabilities": {},
}


@dataclass
class Edge:
    """A running edge, its client and what is behind it."""

    client: httpx2.AsyncClient
    runtime: Runtime
    port: int
    sessions: Sessions
    readiness: Readiness

    async def post(self, body: object, path: str = "/mcp", **headers: str) -> httpx2.Response:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        content = {"content": body} if isinstance(body, bytes) else {"json": body}
        return await self.client.post(
            path, headers={**ACCEPT, "content-type": "application/json", **named}, **content
        )

    async def initialize(self, revision: str = "2025-11-25", path: str = "/mcp") -> tuple[str, Any]:
        """A session id and the result of the introduction."""
        answer = await self.post(rpc("initialize", protocolVersion=revision, capabilities={}), path)
        return answer.headers["mcp-session-id"], answer.json()["result"]

    async def ask(self, session: str, method: str, **params: object) -> Any:
        """The answer to a request of a handshake-era session."""
        return (await self.post(rpc(method, **params), mcp_session_id=session)).json()

    async def stateless(
        self, method: str, *, name: str = "", path: str = "/mcp", **params: object
    ) -> httpx2.Response:
        """The response to a request of the stateless era."""
        headers = {"mcp_protocol_version": "2026-07-28", "mcp_method": method}
        if name:
            headers["mcp_name"] = name
            params["name"] = name
        return await self.post(rpc(method, **params, _meta=META), path, **headers)


def rpc(method: str, **params: object) -> dict[str, object]:
    return {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}


Serve = Callable[..., AbstractAsyncContextManager[Edge]]


@pytest.fixture
def edge() -> Serve:
    """`async with edge(upstreams, **options) as it`."""

    @asynccontextmanager
    async def serve(
        upstreams: Upstreams,
        *,
        specs: list[Any] | None = None,
        settle: bool = True,
        keyring: Keyring | None = None,
        store: Store | EllipsisType | None = ...,
        max_bytes: int = 1 << 20,
        saying: Saying | None = None,
        **options: Any,
    ) -> AsyncIterator[Edge]:
        options = {"async_loading": True, "batch_delay": 0.0, "call_wait": 5.0, **options}
        sock = bind("127.0.0.1", 0)
        port = sock.getsockname()[1]
        async with Runtime(Options(**options), upstreams.open, IDENTITY) as runtime:
            with SlowExchanges() as slow:
                sessions = Sessions(keyring or Keyring.ephemeral(), MemoryStore() if store is ... else store)
                readiness = Readiness()
                app = WebApp(
                    McpEndpoint(runtime, Dispatcher(runtime), sessions, slow),
                    Guard([], ["https://app.example"]),
                    HealthPages(
                        Probes(runtime, readiness, saying or Saying("0.1.0")),
                        Loading(runtime, saying or Saying("0.1.0"), 0.0),
                    ),
                )
                async with (
                    serving(app, sock, max_bytes, trust=Trust.parse(["loopback"])),
                    httpx2.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=10) as client,
                ):
                    await runtime.apply(specs or [spec(name) for name in upstreams.scripts])
                    readiness.loaded = True
                    if settle:
                        await runtime.settled()
                    yield Edge(client, runtime, port, sessions, readiness)
                    runtime.notifier.close()

    return serve
