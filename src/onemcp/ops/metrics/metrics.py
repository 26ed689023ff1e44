"""What `/metrics` says: read off the gateway when somebody asks, and written by the client library in a thread.

Nothing is computed in between, and nothing of the library is on the path of a call or in the start: it is imported
with the first scrape.
"""

import asyncio
import platform
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Protocol

from onemcp import __version__
from onemcp.core.events import ConfigReloaded, Events, UpstreamChanged
from onemcp.core.health import Status
from onemcp.core.histogram import Histogram
from onemcp.core.lifecycle import State
from onemcp.gateway.meter import OK, Meter
from onemcp.gateway.runtime import Runtime
from onemcp.ops.health.probes import Probes
from onemcp.ops.metrics import metric
from onemcp.ops.metrics.lag import LoopLag
from onemcp.ops.metrics.metric import Metric
from onemcp.upstream.supervisor import Supervisor


@dataclass(frozen=True, slots=True)
class Reading:
    """One value of one metric at one moment."""

    metric: Metric
    labels: tuple[str, ...]
    value: float | Histogram


class Keeper(Protocol):
    """The store, as far as it is counted."""

    @property
    def dropped(self) -> int:
        """Events that were never kept."""


class Metrics:
    """All metrics of one gateway."""

    def __init__(self, runtime: Runtime, store: Keeper, lag: LoopLag, meter: Meter) -> None:
        self._runtime = runtime
        self._store = store
        self._lag = lag
        self._meter = meter
        self._restarts: Counter[str] = Counter()
        self._reloads = {"ok": 0, "failed": 0}
        self._reloaded_at = time.time()
        self._writing = asyncio.Lock()
        self._written: dict[bool, tuple[float, bytes]] = {}
        self.sessions: Callable[[], int] = lambda: 0
        """How many sessions there are; set by the edge that has some."""
        self.probes: Probes | None = None
        """What `/health` says; set where there is such a page."""
        self.is_on = True
        """Whether there is anything to tell."""

    def switch(self, *, is_on: bool) -> None:
        """Count requests from now on, on top of what was counted before, or none."""
        self.is_on = is_on
        self._runtime.meter = self._meter if is_on else None

    def listen(self, events: Events) -> None:
        """Count what is told as an event."""
        events.listen(UpstreamChanged, self._upstream_changed)
        events.listen(ConfigReloaded, self._config_reloaded)

    def _upstream_changed(self, event: UpstreamChanged) -> None:
        if event.state is State.CONNECTING and event.previous is not State.CONNECTING:
            self._restarts[event.upstream] += 1

    def _config_reloaded(self, event: ConfigReloaded) -> None:
        self._reloads["failed" if event.error else "ok"] += 1
        if not event.error:
            self._reloaded_at = time.time()

    async def text(self, *, openmetrics: bool = False) -> bytes:
        """All of it, in OpenMetrics 1.0 or in Prometheus's own format; at least as new as the call.

        One text at a time is written; those who wait for the same one share it.
        """
        asked = time.monotonic()
        async with self._writing:
            read_at, text = self._written.get(openmetrics, (0.0, b""))
            if read_at < asked:
                read_at = time.monotonic()
                text = await asyncio.to_thread(_write, self.read(), openmetrics=openmetrics)
                self._written[openmetrics] = (read_at, text)
            return text

    def read(self) -> list[Reading]:
        """Everything at this moment; what changes later does not change it."""
        supervisors = list(self._runtime.pool)
        self._forget({supervisor.spec.name for supervisor in supervisors})
        return [
            *self._calls(),
            *self._upstreams(supervisors),
            *self._catalog(),
            *self._health(),
            *self._gateway(),
        ]

    def _forget(self, configured: set[str]) -> None:
        """An upstream that was taken out of the configuration is not spoken of any more."""
        for upstream in {key[0] for key, _ in self._meter} - configured - {""}:
            self._meter.forget(upstream)
        for upstream in self._restarts.keys() - configured:
            del self._restarts[upstream]

    def _calls(self) -> Iterator[Reading]:
        for (upstream, method, outcome), cell in self._meter:
            error = "" if outcome == OK else outcome
            yield Reading(metric.CALLS, (upstream, method, outcome), cell.count)
            yield Reading(metric.DURATION, (method, error, upstream), cell.copy())

    def _upstreams(self, supervisors: Iterable[Supervisor]) -> Iterator[Reading]:
        under_way = self._runtime.backchannel.under_way()
        for supervisor in supervisors:
            name, state = supervisor.spec.name, supervisor.life.state
            yield Reading(metric.UP, (name,), int(state is State.READY))
            for each in State:
                yield Reading(metric.STATE, (name, each.value), int(state is each))
            yield Reading(metric.RESTARTS, (name,), self._restarts[name])
            yield Reading(metric.IN_FLIGHT, (name,), under_way[name])
            yield Reading(metric.WAITING, (name,), supervisor.waiting)
            yield Reading(metric.PARTITIONS, (name,), self._runtime.owned.count(name))

    def _catalog(self) -> Iterator[Reading]:
        for listing, entries in self._runtime.catalog.entries.items():
            for upstream, count in Counter(entry.upstream for entry in entries).items():
                yield Reading(metric.ENTRIES, (upstream, listing.value), count)

    def _health(self) -> Iterator[Reading]:
        if self.probes is None:
            return
        status = self.probes.status()
        for each in Status:
            yield Reading(metric.HEALTH, (each.value,), int(status is each))
        yield Reading(metric.READY, (), int(self.probes.ready().http == HTTPStatus.OK))

    def _gateway(self) -> Iterator[Reading]:
        runtime, lag = self._runtime, self._lag
        yield Reading(metric.PARKED, (), runtime.parking.parked)
        yield Reading(metric.SESSIONS, (), self.sessions())
        yield Reading(metric.STREAMS, (), len(runtime.notifier))
        yield Reading(metric.CHANGES, (), runtime.notifier.changes)
        yield Reading(metric.NOTICES, (), runtime.notifier.sent)
        yield Reading(metric.UNCLAIMED, (), runtime.backchannel.unclaimed)
        for outcome, count in self._reloads.items():
            yield Reading(metric.RELOADS, (outcome,), count)
        yield Reading(metric.RELOADED_AT, (), self._reloaded_at)
        yield Reading(metric.DROPPED, (), self._store.dropped)
        yield Reading(metric.LAG, (), lag.histogram.copy())
        yield Reading(metric.LAG_MAX, (), lag.worst)
        yield Reading(metric.BUILD, (__version__, platform.python_version()), 1)


def _write(readings: Sequence[Reading], *, openmetrics: bool) -> bytes:
    from onemcp.ops.metrics.exposition import write  # noqa: PLC0415 - its library takes a tenth of a second to import

    return write(readings, openmetrics=openmetrics)
