"""The edges: where clients and operators come in."""

import socket
from collections.abc import AsyncIterator, Coroutine, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from onemcp import __version__
from onemcp.app.front import trusted
from onemcp.app.kept import port
from onemcp.app.parts import Parts
from onemcp.app.plan import Applied
from onemcp.config.endpoint import client_url, own_hosts
from onemcp.core.readable import readable
from onemcp.gateway.sessions import Sessions
from onemcp.ops.control import ControlApi, Verb
from onemcp.ops.descriptors import Descriptors
from onemcp.ops.drain import Phase
from onemcp.ops.logs.logging import Log
from onemcp.ops.logs.verbs import LogVerbs
from onemcp.ops.metrics.metrics import Metrics
from onemcp.stdio import StdioEdge
from onemcp.web.app import WebApp
from onemcp.web.control import ControlApp
from onemcp.web.exchange import SlowExchanges
from onemcp.web.guard import Guard
from onemcp.web.health import HealthPages
from onemcp.web.http.server import bind_unix, serving
from onemcp.web.mcp import McpEndpoint
from onemcp.web.metrics import MetricsPage


@asynccontextmanager
async def http(
    parts: Parts, sock: socket.socket | None, pages: HealthPages, metrics: Metrics | None
) -> AsyncIterator[str]:
    """The HTTP edge on the bound port, and its URL; nothing where there is no port."""
    if sock is None:
        yield ""
        return
    settings, runtime = parts.plan.settings, parts.runtime
    guard = Guard(own_hosts(settings), settings.allowed_origins)
    parts.events.listen(
        Applied, lambda event: guard.adopt(own_hosts(event.settings), event.settings.allowed_origins)
    )
    sessions = Sessions(runtime.keyring, parts.store)
    sessions.on_gone.append(runtime.forget)
    sessions.is_full = Descriptors().look
    page = None
    if metrics is not None:
        metrics.sessions = sessions.__len__
        page = MetricsPage(metrics, guard) if not settings.metrics_port else None
    with SlowExchanges() as slow, sessions.sweeping():
        mcp = McpEndpoint(runtime, parts.dispatcher, sessions, slow, parts.drain)
        async with serving(
            WebApp(mcp, guard, pages, page), sock, settings.max_message_bytes, trust=trusted(settings)
        ) as server:
            parts.drain.listen(lambda phase: server.discourage() if phase is Phase.DISCOURAGING else None)
            try:
                yield client_url(settings, port(sock))
            finally:
                runtime.notifier.close()  # open streams would hold the server


@asynccontextmanager
async def control(
    parts: Parts, endpoint: str, log: Log, verbs: Mapping[tuple[str, str], Verb]
) -> AsyncIterator[Path | None]:
    """The control API on its socket; nothing where there is no state folder."""
    if parts.state is None:
        yield None
        return
    path = parts.state.control_socket
    logs = LogVerbs(log, lambda: (supervisor.spec.name for supervisor in parts.runtime.pool))
    api = ControlApi(parts.runtime, parts.dispatcher, lambda: _facts(parts, endpoint), logs)
    api.verbs.update(verbs)
    app = ControlApp(api, parts.drain, logs)
    async with serving(app, bind_unix(path), parts.plan.settings.max_message_bytes):
        try:
            yield path
        finally:
            logs.close()  # whoever follows would hold the server
            path.unlink(missing_ok=True)


def _facts(parts: Parts, endpoint: str) -> dict[str, Any]:
    """What an operator is told of the gateway itself."""
    return {
        "version": __version__,
        "endpoint": endpoint,
        "config": readable(parts.plan.settings.config),
        "environment": parts.plan.settings.environment,
        "started": parts.started_at,
        "reloadError": parts.readiness.reload_error,
        "needsRestart": list(parts.configuration.waiting),
    }


@asynccontextmanager
async def stdio(parts: Parts) -> AsyncIterator[list[Coroutine[None, None, None]]]:
    """The edge on the standard streams, and the wait for their end; nothing where clients come through a port."""
    settings = parts.plan.settings
    if settings.transport != "stdio":
        yield []
        return
    edge = StdioEdge(parts.runtime, parts.dispatcher, settings.max_message_bytes, parts.drain)
    async with edge.serving():
        yield [edge.until_end()]
