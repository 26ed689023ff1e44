"""The gateway from start to stop: this reads like its table of contents."""

import asyncio
import time
from collections.abc import Callable, Coroutine
from contextlib import AsyncExitStack

import uvloop

from onemcp.app.edges import control, http, stdio
from onemcp.app.kept import listening, state, store
from onemcp.app.machine import calm_collector, raise_file_limit, refuse_faults, refuse_open_bind
from onemcp.app.parts import Parts, Plan, Started
from onemcp.app.servers import reload, running
from onemcp.core.events import Events
from onemcp.gateway.dispatch import Dispatcher
from onemcp.ops.signals import Signals


def run(plan: Plan, on_started: Callable[[Started], None], events: Events) -> None:
    """Serve until a signal, or until the client of the stdio transport closes its end.

    Raises:
        ConfigError, StartError: nothing was started, or all of it was stopped again.
    """
    refuse_open_bind(plan.settings)
    refuse_faults(plan)
    raise_file_limit()
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_serve(plan, on_started, events))


async def _serve(plan: Plan, on_started: Callable[[Started], None], events: Events) -> None:
    async with AsyncExitStack() as stack:
        signals = stack.enter_context(Signals())
        sock = stack.enter_context(listening(plan.settings))
        folder = stack.enter_context(state(plan, sock))
        kept = await stack.enter_async_context(store(plan, folder))
        runtime = await stack.enter_async_context(running(plan, events, folder))
        parts = Parts(plan, events, folder, kept, runtime, Dispatcher(runtime), time.time())
        endpoint = await stack.enter_async_context(http(parts, sock))
        socket = await stack.enter_async_context(control(parts, endpoint))
        on_started(Started(endpoint, socket, runtime))
        calm_collector()
        await runtime.apply(plan.document.specs)
        await _until_first(
            signals.until_stop(),
            signals.reloads(lambda: reload(plan, runtime, events)),
            *stdio(parts),
        )


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
