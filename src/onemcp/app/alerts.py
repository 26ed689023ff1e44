"""The alerts: rules, queues and webhooks, where there is anybody to tell or a folder to remember it in."""

import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Final

from onemcp.app.configuration import Rotated
from onemcp.app.parts import Parts
from onemcp.app.plan import Applied
from onemcp.core.events import LoopStalled
from onemcp.core.lifecycle import State
from onemcp.core.spec import UpstreamSpec
from onemcp.ops.control import Verb

STALL: Final = 1.0
"""Seconds that the event loop is late by when it counts as stalled."""


@asynccontextmanager
async def alerts(parts: Parts, port: int) -> AsyncIterator[dict[tuple[str, str], Verb]]:
    """Alerts while the block runs, and the verbs about them; none where there is no webhook and no state folder."""
    config = parts.plan.document.alerts
    if parts.state is None and not config.webhooks:
        yield {}
        return
    from onemcp.ops.alerts.alerting import Alerting  # noqa: PLC0415 - the same
    from onemcp.ops.alerts.verbs import AlertVerbs  # noqa: PLC0415 - a gateway without alerts need not read it

    def servers() -> Iterator[tuple[UpstreamSpec, State]]:
        return ((supervisor.spec, supervisor.life.state) for supervisor in parts.runtime.pool)

    def looked(late: float) -> None:
        if late >= STALL:
            parts.events.emit(LoopStalled(late))

    def applied(event: Applied) -> None:
        alerting.adopt(event.document.alerts, is_silent=not event.settings.feature_alerts)

    async with Alerting(parts.events, parts.store, servers, _name(port)) as alerting:
        parts.events.listen(Applied, applied)
        parts.events.listen(Rotated, lambda _: alerting.look())
        alerting.adopt(config, is_silent=not parts.plan.settings.feature_alerts)
        parts.lag.listen(looked)
        yield AlertVerbs(alerting).table()


def _name(port: int) -> str:
    """How this gateway calls itself: its machine, and its port if it has one."""
    return f"{socket.gethostname()}:{port}" if port else socket.gethostname()
