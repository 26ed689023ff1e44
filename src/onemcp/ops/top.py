"""What `1mcp top` shows: how busy each upstream is, as counts from which whoever asks twice makes rates."""

import asyncio
import os
import resource
import sys
import time
from typing import Any, Final

from onemcp.core.histogram import OPERATION
from onemcp.gateway.meter import INPUT_REQUIRED, OK, Meter
from onemcp.gateway.runtime import Runtime
from onemcp.upstream.supervisor import Supervisor

_WELL: Final = frozenset({OK, INPUT_REQUIRED})
_KIBI: Final = 1024


def top(runtime: Runtime) -> dict[str, Any]:
    """The gateway and each upstream at this moment. Without metrics there are no calls, errors and durations."""
    usage = resource.getrusage(resource.RUSAGE_SELF)
    meter = runtime.meter
    under_way = runtime.backchannel.under_way()
    return {
        "time": time.time(),
        "pid": os.getpid(),
        "cpu": usage.ru_utime + usage.ru_stime,
        "memory": usage.ru_maxrss * (1 if sys.platform == "darwin" else _KIBI),
        "tasks": len(asyncio.all_tasks()),
        "metrics": meter is not None,
        "servers": [
            {
                **_state(supervisor),
                "inFlight": under_way[supervisor.spec.name],
                "waiting": supervisor.waiting,
                **(_counted(meter, supervisor.spec.name) if meter is not None else {}),
            }
            for supervisor in runtime.pool
        ],
    }


def _state(supervisor: Supervisor) -> dict[str, Any]:
    life = supervisor.life
    return {
        "name": supervisor.spec.name,
        "state": life.state.value,
        "seconds": round(asyncio.get_running_loop().time() - life.since, 1),
        "failures": life.failures,
    }


def _counted(meter: Meter, upstream: str) -> dict[str, Any]:
    calls = errors = 0
    durations = [0] * (len(OPERATION) + 1)
    for (name, _, outcome), cell in meter:
        if name == upstream:
            calls += cell.count
            errors += 0 if outcome in _WELL else cell.count
            durations = [sum(pair) for pair in zip(durations, cell.counts, strict=True)]
    return {"calls": calls, "errors": errors, "bounds": list(OPERATION), "durations": durations}


def quantile(bounds: list[float], counts: list[int], part: float) -> float | None:
    """The value below which `part` of all lie, interpolated within its span; None if there are none.

    What is above the last bound counts as that bound.
    """
    total = sum(counts)
    if not total:
        return None
    wanted, reached, lower = part * total, 0, 0.0
    for bound, count in zip(bounds, counts, strict=False):
        if count and reached + count >= wanted:
            return lower + (bound - lower) * max(0.0, wanted - reached) / count
        reached += count
        lower = bound
    return bounds[-1]
