"""Partitions: connections to one upstream that belong to one session or one principal each.

A partition begins with its first call and ends with its session, after a time without calls, or when somebody else
needs its place. The upstream's shared connection stays beside them: what everybody is shown comes from it.
"""

import asyncio
import logging
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Final

from onemcp.core.lifecycle import State
from onemcp.core.spec import UpstreamSpec
from onemcp.errors import Reason, UpstreamError
from onemcp.upstream.retiring import Retiring
from onemcp.upstream.supervisor import Supervisor

SWEEP: Final = 1.0
"""Seconds between two looks for idle partitions."""

_log = logging.getLogger("onemcp.upstream")


@dataclass(slots=True, eq=False)
class Partition:
    """One connection of somebody's own."""

    key: str
    supervisor: Supervisor
    task: asyncio.Task[None]
    users: int = 0
    """Calls that hold it."""
    idle_since: float = 0.0


class Partitions:
    """The partitions of all upstreams, those used longest ago first."""

    def __init__(
        self, is_busy: Callable[[Supervisor], bool], on_end: Callable[[str, Supervisor], None]
    ) -> None:
        """`is_busy` tells of uses that are no lease: a parked call, a subscription.

        `on_end` hears whose connection has just been taken out, and which.
        """
        self._is_busy = is_busy
        self._on_end = on_end
        self._loop = asyncio.get_running_loop()
        self._by_upstream: dict[str, OrderedDict[str, Partition]] = {}
        self._ending: set[asyncio.Task[None]] = set()
        self._retiring = Retiring()
        self._timer: asyncio.TimerHandle | None = None

    def count(self, upstream: str) -> int:
        """How many an upstream has."""
        return len(self._by_upstream.get(upstream, ()))

    def __iter__(self) -> Iterator[Supervisor]:
        """All of them."""
        for partitions in self._by_upstream.values():
            for partition in partitions.values():
                yield partition.supervisor

    def of(self, key: str) -> Iterator[Supervisor]:
        """The connections of one owner."""
        for partitions in self._by_upstream.values():
            if key in partitions:
                yield partitions[key].supervisor

    def owner(self, supervisor: Supervisor) -> str:
        """Whose connection it is; empty for a shared one."""
        partitions: Mapping[str, Partition] = self._by_upstream.get(supervisor.spec.name, {})
        return next((key for key, each in partitions.items() if each.supervisor is supervisor), "")

    @contextmanager
    def lease(self, spec: UpstreamSpec, key: str, make: Callable[[], Supervisor]) -> Iterator[Supervisor]:
        """Hold the partition of `key`, which `make` makes if there is none; it is not ended meanwhile.

        Raises:
            UpstreamError: OVERLOADED, with every place taken by somebody who is using it.
        """
        partition = self._find(spec, key) or self._begin(spec, key, make)
        partition.users += 1
        try:
            yield partition.supervisor
        finally:
            partition.users -= 1
            partition.idle_since = self._loop.time()

    def _find(self, spec: UpstreamSpec, key: str) -> Partition | None:
        partitions = self._by_upstream.setdefault(spec.name, OrderedDict())
        partition = partitions.get(key)
        if partition is None:
            return None
        if partition.supervisor.life.state is State.FAILED:
            self._end(partition)
            return None
        partitions.move_to_end(key)
        return partition

    def _begin(self, spec: UpstreamSpec, key: str, make: Callable[[], Supervisor]) -> Partition:
        partitions = self._by_upstream[spec.name]
        most = spec.partitioning.max_connections
        if len(partitions) >= most:
            idle = next((each for each in partitions.values() if self._is_idle(each)), None)
            if idle is None:
                what = f"has {most} connections of sessions, all in use; try again, or raise maxConnections"
                raise UpstreamError(spec.name, Reason.OVERLOADED, what, ran=False)
            self._end(idle)
        supervisor = make()
        task = asyncio.create_task(supervisor.run(), name=f"upstream {spec.name} for {key}")
        partition = partitions[key] = Partition(key, supervisor, task, idle_since=self._loop.time())
        self._arm()
        return partition

    def _is_idle(self, partition: Partition) -> bool:
        return not partition.users and not self._is_busy(partition.supervisor)

    def adopt(self, spec: UpstreamSpec) -> None:
        """Take over a configuration that needs no restart."""
        for partition in self._by_upstream.get(spec.name, {}).values():
            partition.supervisor.adopt(spec)

    def forget(self, key: str) -> None:
        """End what belongs to one owner, who is gone."""
        for partitions in self._by_upstream.values():
            if key in partitions:
                self._end(partitions[key])

    async def stop(self, *upstreams: str, limit: float = 0.0) -> None:
        """Take all partitions of these upstreams out; returns when nothing runs any more of those that were idle.

        The others finish what they are doing, for `limit` seconds at most.
        """
        for name in upstreams:
            for partition in list(self._by_upstream.get(name, {}).values()):
                if limit and partition.users:
                    self._take_out(partition)
                    self._retiring.add(partition.task, partial(_is_used, partition), limit)
                else:
                    self._end(partition)
            self._by_upstream.pop(name, None)
        await asyncio.gather(*self._ending, return_exceptions=True)

    async def aclose(self) -> None:
        """End everything."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        await asyncio.gather(self._retiring.aclose(), self.stop(*self._by_upstream))

    def _end(self, partition: Partition) -> None:
        """Take it out at once; its connection closes on its own, within the bound of its channel."""
        self._take_out(partition)
        partition.task.cancel()
        self._ending.add(partition.task)
        partition.task.add_done_callback(self._ending.discard)

    def _take_out(self, partition: Partition) -> None:
        self._by_upstream[partition.supervisor.spec.name].pop(partition.key, None)
        self._on_end(partition.key, partition.supervisor)

    def _arm(self) -> None:
        if self._timer is None:
            self._timer = self._loop.call_later(SWEEP, self._sweep)

    def _sweep(self) -> None:
        self._timer = None
        now = self._loop.time()
        for partitions in self._by_upstream.values():
            for partition in list(partitions.values()):
                limit = partition.supervisor.spec.partitioning.idle_timeout
                if not self._is_idle(partition):
                    partition.idle_since = now
                elif now - partition.idle_since >= limit:
                    _log.info(
                        "%s: the connection of %s was idle and is closed", partition.supervisor, partition.key
                    )
                    self._end(partition)
        if any(self._by_upstream.values()):
            self._arm()


def _is_used(partition: Partition) -> bool:
    return partition.users > 0
