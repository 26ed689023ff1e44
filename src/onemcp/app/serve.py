"""The gateway from start to stop: this reads like its table of contents."""

import asyncio
import logging
import time
from collections.abc import Callable, Coroutine
from contextlib import AsyncExitStack
from signal import SIGUSR1, SIGUSR2

import uvloop

from onemcp.app.alerts import alerts
from onemcp.app.configuration import configured
from onemcp.app.drain import drained, prepare
from onemcp.app.edges import control, http, stdio
from onemcp.app.front import trusted
from onemcp.app.health import health
from onemcp.app.kept import listening, port, state, store
from onemcp.app.machine import calm_collector, raise_file_limit, refuse_faults, refuse_open_bind
from onemcp.app.metrics import metrics
from onemcp.app.parts import Parts
from onemcp.app.plan import Applied, Plan, Started
from onemcp.app.servers import running
from onemcp.app.verbs import verbs
from onemcp.app.watching import reload_when_asked, watch_files, watch_secrets
from onemcp.config.endpoint import local_url
from onemcp.core.events import Events, InstanceStarted, UpstreamChanged
from onemcp.gateway.dispatch import Dispatcher
from onemcp.ops.dump import Dump
from onemcp.ops.logs.logging import Log, logging_to
from onemcp.ops.logs.states import StateLog
from onemcp.ops.metrics.lag import LoopLag
from onemcp.ops.signals import Signals

_log = logging.getLogger("onemcp")


def run(plan: Plan, on_started: Callable[[Started], None], events: Events) -> None:
    """Serve until a signal, or until the client of the stdio transport closes its end.

    Raises:
        ConfigError, StartError: nothing was started, or all of it was stopped again.
    """
    events.on_failure = lambda event, error: _log.error("a listener broke over %r", event, exc_info=error)
    refuse_open_bind(plan.settings)
    refuse_faults(plan.settings, plan.document, plan.environ)
    trusted(plan.settings)
    raise_file_limit()
    with (
        logging_to(plan.settings) as log,
        asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner,
    ):
        states = StateLog(plan.document.specs)
        events.listen(UpstreamChanged, states.changed)
        runner.run(_serve(plan, on_started, events, log, states))
        states.stopped()


async def _serve(
    plan: Plan, on_started: Callable[[Started], None], events: Events, log: Log, states: StateLog
) -> None:
    async with AsyncExitStack() as stack:
        signals = stack.enter_context(Signals())
        dump = Dump()
        signals.on(SIGUSR1, log.reopen)
        signals.on(SIGUSR2, dump)
        sock = stack.enter_context(listening(plan.settings))
        folder = stack.enter_context(state(plan, sock))
        kept = await stack.enter_async_context(store(plan, folder))
        runtime = await stack.enter_async_context(running(plan, events, folder, signals))
        dump.runtime = runtime
        configuration = await stack.enter_async_context(configured(plan, runtime, events))
        lag = stack.enter_context(LoopLag())
        parts = Parts(
            plan, configuration, events, folder, kept, runtime, Dispatcher(runtime), time.time(), lag
        )
        prepare(parts)
        events.listen(Applied, lambda applied: log.level.configure(applied.settings.log_level))
        pages = await stack.enter_async_context(health(parts))
        counted = await stack.enter_async_context(metrics(parts, pages.probes))
        told = await stack.enter_async_context(alerts(parts, port(sock)))
        endpoint = await stack.enter_async_context(http(parts, sock, pages, counted))
        socket = await stack.enter_async_context(
            control(parts, endpoint, log, {**told, **verbs(configuration)})
        )
        local = local_url(plan.settings, port(sock)) if sock is not None else ""
        on_started(Started(endpoint, socket, runtime, local))
        states.started(
            endpoint, local, plan.settings.source, (*plan.settings.notices, *plan.document.notices)
        )
        calm_collector()
        await runtime.apply(plan.document.specs)
        parts.readiness.loaded = True
        events.emit(InstanceStarted(endpoint))
        at_end = await stack.enter_async_context(stdio(parts))
        await _until_first(
            signals.until_stop(),
            reload_when_asked(configuration, signals),
            watch_files(configuration),
            watch_secrets(configuration),
            *at_end,
        )
        await drained(parts)


async def _until_first(*waits: Coroutine[None, None, None]) -> None:
    """Return when one of them does, and end the others."""
    tasks = [asyncio.create_task(wait) for wait in waits]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
