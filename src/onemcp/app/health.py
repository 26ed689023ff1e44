"""What the health pages go by, gathered while the gateway runs."""

import asyncio
import logging
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from onemcp import __version__
from onemcp.app.folder import Folder
from onemcp.app.parts import Parts
from onemcp.app.plan import Applied
from onemcp.config.document import Document
from onemcp.config.settings import Settings
from onemcp.core.events import ConfigReloaded, Events, StoreChanged, UpstreamChanged
from onemcp.core.lifecycle import State
from onemcp.errors import StoreError
from onemcp.gateway.runtime import Runtime
from onemcp.ops.health.loading import Loading
from onemcp.ops.health.probes import Level, Probes, Saying
from onemcp.ops.health.readiness import Readiness
from onemcp.store.base import Entries
from onemcp.web.health import HealthPages

STORE_INTERVAL: Final = 5.0
"""Seconds between two looks at the store; it has ten more to answer one."""
_NOTHING: Final = "health/look"
"""A key that is never written."""

_log = logging.getLogger("onemcp")


@asynccontextmanager
async def health(parts: Parts) -> AsyncIterator[HealthPages]:
    """The health pages; while the block runs, store and (if asked for) upstreams are looked at now and then."""
    settings, readiness = parts.plan.settings, parts.readiness
    _warn(settings, parts.plan.document)
    parts.events.listen(ConfigReloaded, lambda event: _note_reload(readiness, event))
    probes = Probes(parts.runtime, readiness, saying(settings))
    loading = Loading(parts.runtime, saying(settings), parts.started_at)

    def applied(event: Applied) -> None:
        _warn(event.settings, event.document)
        loading.saying = saying(event.settings)
        probes.adopt(loading.saying)

    parts.events.listen(Applied, applied)
    parts.events.listen(UpstreamChanged, lambda event: probes.note(event.upstream))
    folder = Folder(parts.state) if parts.state is not None else None
    watching = watch_store(parts.store, readiness, parts.events, folder)
    tasks = [asyncio.create_task(watching, name="watch store")]
    tasks.append(asyncio.create_task(pinging(parts), name="ping upstreams"))
    try:
        yield HealthPages(probes, loading)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def saying(settings: Settings) -> Saying:
    """What is told beside facts, as the settings have it."""
    return Saying(
        __version__,
        settings.transport,
        Level(settings.health_info_level),
        settings.health_unhealthy_below,
        settings.ready_requires,
    )


def _warn(settings: Settings, document: Document) -> None:
    known = {spec.name for spec in document.specs}
    for name in settings.ready_requires:
        if name not in known:
            _log.warning("--ready-requires: no server is called %s, so this gateway will not be ready", name)


def _note_reload(readiness: Readiness, event: ConfigReloaded) -> None:
    readiness.reload_error = event.error


async def watch_store(
    store: Entries,
    readiness: Readiness,
    events: Events,
    folder: Folder | None = None,
    interval: float = STORE_INTERVAL,
) -> None:
    """Keep `store_error` true, and tell when it changes between something and nothing; for ever.

    A store whose folder is gone answers as ever, and what it keeps is lost all the same.

    At the beginning the store has just been opened, so the first look is after the first interval.
    """
    while True:
        await asyncio.sleep(interval)
        error = await _look(store) or (await asyncio.to_thread(folder.harm) if folder is not None else "")
        if bool(error) != bool(readiness.store_error):
            if error:
                _log.error("the store does not answer, so this gateway is not ready: %s", error)
            else:
                _log.info("the store answers again")
            readiness.store_error = error
            events.emit(StoreChanged(error))


async def _look(store: Entries) -> str:
    """Why the store does not answer, or takes nothing; empty if it does both."""
    try:
        now = time.time()
        await store.put(_NOTHING, b"", now + 60, now)
        await store.delete(_NOTHING, now)
    except StoreError as error:
        return str(error)
    return ""


async def pinging(parts: Parts) -> None:
    """Have the upstreams looked at as often as the settings say, if they do; for ever."""
    while True:
        interval = parts.configuration.settings.health_ping_interval / 1000
        if interval:
            await ping(parts.runtime, interval)
        else:
            await asyncio.sleep(STORE_INTERVAL)


async def ping(runtime: Runtime, interval: float) -> None:
    """Have each idle upstream looked at once, one after the other, in `interval` seconds.

    One that is in a call is left alone: the call has its own time, and a server that does one thing at a time answers
    nothing meanwhile. What is looked at is the connection that there is; none is begun for it.
    """
    names = [supervisor.spec.name for supervisor in runtime.pool]
    for name in names:
        supervisor = runtime.pool.get(name)
        idle = supervisor is not None and not runtime.backchannel.is_busy(supervisor)
        if supervisor is not None and idle and supervisor.life.state is State.READY:
            supervisor.suspect()
        await asyncio.sleep(interval / len(names))
    if not names:
        await asyncio.sleep(interval)
