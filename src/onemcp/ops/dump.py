"""What the gateway is doing at this moment, written to the log: its tasks, and how each upstream is (SIGUSR2)."""

import asyncio
import logging
from collections import Counter
from typing import Any, Final

from onemcp.gateway.runtime import Runtime
from onemcp.upstream.supervisor import Supervisor

MAX_TASKS: Final = 100
"""Kinds of tasks that are told; tasks that wait at the same place are one kind."""
_KEPT_NAMES: Final = 3

_log = logging.getLogger("onemcp.dump")
_log.setLevel(logging.INFO)  # somebody asked for it, whatever the level of the rest


class Dump:
    """Logs a line for each upstream and for each kind of task whenever it is called."""

    def __init__(self) -> None:
        self.runtime: Runtime | None = None
        """Set as soon as there is one."""

    def __call__(self) -> None:
        """Log."""
        tasks = asyncio.all_tasks()
        if self.runtime is None:
            _log.info("dump: %d tasks, the gateway is being put together", len(tasks))
        else:
            _dump_upstreams(self.runtime, len(tasks))
        _dump_tasks(tasks)


def _dump_upstreams(runtime: Runtime, tasks: int) -> None:
    _log.info(
        "dump: %d tasks, %d calls under way, %d parked, catalog %d",
        tasks,
        len(runtime.backchannel),
        len(runtime.parking),
        runtime.revision,
    )
    for supervisor in runtime.pool:
        _log.info("%s: dump: %s", supervisor.spec.name, _upstream(supervisor))


def _dump_tasks(tasks: set[asyncio.Task[Any]]) -> None:
    kinds: Counter[str] = Counter()
    names: dict[str, list[str]] = {}
    for task in tasks:
        kind = _place(task)
        kinds[kind] += 1
        names.setdefault(kind, []).append(task.get_name())
    for kind, number in kinds.most_common(MAX_TASKS):
        some = ", ".join(sorted(names[kind])[:_KEPT_NAMES])
        _log.info("dump: %d task%s at %s (%s)", number, "" if number == 1 else "s", kind, some)


def _upstream(supervisor: Supervisor) -> str:
    life = supervisor.life
    seconds = asyncio.get_running_loop().time() - life.since
    parts = [f"{life.state.value} for {seconds:.1f} s", f"{life.failures} failures"]
    if life.reason:
        parts.append(life.reason)
    if supervisor.connection is not None:
        parts.append(repr(supervisor.connection))
    return ", ".join(parts)


def _place(task: asyncio.Task[Any]) -> str:
    """Where a task waits: its coroutine, and the innermost line of ours that it stands at."""
    frames = task.get_stack(limit=1)
    what = getattr(task.get_coro(), "__qualname__", "?")
    if not frames:
        return what
    code = frames[0].f_code
    file = code.co_filename.rpartition("onemcp/")[2]
    return f"{what}, {file}:{frames[0].f_lineno}"
