"""The edges: where clients and operators come in."""

import socket
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

from onemcp import __version__
from onemcp.app.kept import port
from onemcp.app.parts import Parts
from onemcp.gateway.sessions import Sessions
from onemcp.ops.control import ControlApi
from onemcp.stdio import StdioEdge
from onemcp.web.app import WebApp
from onemcp.web.control import ControlApp
from onemcp.web.exchange import SlowExchanges
from onemcp.web.guard import Guard
from onemcp.web.http.server import bind_unix, serving
from onemcp.web.mcp import McpEndpoint

_WILDCARDS: Final = frozenset({"0.0.0.0", "::"})  # noqa: S104 - recognised, so that a client is told a usable address


@asynccontextmanager
async def http(parts: Parts, sock: socket.socket | None) -> AsyncIterator[str]:
    """The HTTP edge on the bound port, and its URL; nothing where there is no port."""
    if sock is None:
        yield ""
        return
    settings, runtime = parts.plan.settings, parts.runtime
    guard = Guard([*settings.allowed_hosts, settings.host], settings.allowed_origins)
    sessions = Sessions(runtime.keyring, parts.store)
    sessions.on_gone.append(runtime.forget)
    with SlowExchanges() as slow:
        mcp = McpEndpoint(runtime, parts.dispatcher, sessions, slow)
        async with serving(WebApp(mcp, guard), sock, settings.max_message_bytes):
            try:
                yield _url(settings.host, port(sock))
            finally:
                runtime.notifier.close()  # open streams would hold the server


@asynccontextmanager
async def control(parts: Parts, endpoint: str) -> AsyncIterator[Path | None]:
    """The control API on its socket; nothing where there is no state folder."""
    if parts.state is None:
        yield None
        return
    facts = {
        "version": __version__,
        "endpoint": endpoint,
        "config": parts.plan.settings.config,
        "started": parts.started_at,
    }
    path = parts.state.control_socket
    app = ControlApp(ControlApi(parts.runtime, parts.dispatcher, facts))
    async with serving(app, bind_unix(path), parts.plan.settings.max_message_bytes):
        try:
            yield path
        finally:
            path.unlink(missing_ok=True)


def stdio(parts: Parts) -> list[Coroutine[None, None, None]]:
    """The edge on the standard streams, to be awaited; nothing where clients come through a port."""
    settings = parts.plan.settings
    if settings.transport != "stdio":
        return []
    return [StdioEdge(parts.runtime, parts.dispatcher, settings.max_message_bytes).serve()]


def _url(host: str, port: int) -> str:
    name = "127.0.0.1" if host in _WILDCARDS else host
    return f"http://{f'[{name}]' if ':' in name else name}:{port}/mcp"
