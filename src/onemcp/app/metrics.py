"""The metrics: what is counted while the gateway runs, and the port of their own, if they have one."""

import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from onemcp.app.parts import Parts
from onemcp.app.plan import Applied
from onemcp.config.settings import Settings
from onemcp.errors import StartError
from onemcp.gateway.meter import Meter
from onemcp.ops.health.probes import Probes
from onemcp.ops.metrics.metrics import Metrics
from onemcp.web.guard import Guard
from onemcp.web.http.server import bind, serving
from onemcp.web.metrics import MetricsApp, MetricsPage

_log: Final = logging.getLogger("onemcp")


@asynccontextmanager
async def metrics(parts: Parts, probes: Probes) -> AsyncIterator[Metrics | None]:
    """What the gateway counts while that is switched on; None, and nothing ever is, where nobody can ask for it.

    Raises:
        StartError: the port of their own cannot be had.
    """
    settings = parts.plan.settings
    if settings.transport != "http" and not settings.metrics_port:
        yield None
        return
    metrics = Metrics(parts.runtime, parts.store, parts.lag, Meter())
    metrics.probes = probes
    metrics.listen(parts.events)
    metrics.switch(is_on=settings.metrics)
    has_place = settings.metrics or not settings.metrics_port

    def applied(event: Applied) -> None:
        if event.settings.metrics and not has_place:
            _log.warning(
                "metrics are on, and their port is opened at a start only: restart the gateway for them"
            )
            return
        metrics.switch(is_on=event.settings.metrics)

    parts.events.listen(Applied, applied)
    async with _own_port(metrics, settings):
        yield metrics


@asynccontextmanager
async def _own_port(metrics: Metrics, settings: Settings) -> AsyncIterator[None]:
    if not settings.metrics_port or not settings.metrics:
        yield
        return
    try:
        sock = bind(settings.host, settings.metrics_port)
    except StartError as error:
        raise StartError(
            f"{error.what}; the metrics need it", "choose another with --metrics-port"
        ) from error
    app = MetricsApp(MetricsPage(metrics, Guard([*settings.allowed_hosts, settings.host], ())))
    with sock:
        async with serving(app, sock, settings.max_message_bytes):
            yield
