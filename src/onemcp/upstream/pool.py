"""The pool: all upstreams by name, each with its supervisor; the only way to a connection."""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import AbstractAsyncContextManager
from functools import partial
from types import TracebackType
from typing import Self

from onemcp.core.spec import UpstreamSpec
from onemcp.upstream.negotiate import Identity
from onemcp.upstream.retiring import Retiring
from onemcp.upstream.supervisor import Hearer, Listener, Opener, Supervisor


class UpstreamPool(AbstractAsyncContextManager["UpstreamPool"]):
    """Starts, finds and stops supervisors. Leaving it stops all of them at once, within the bound of the slowest."""

    def __init__(self, opener: Opener, identity: Identity, listener: Listener, hear: Hearer) -> None:
        self._opener = opener
        self._identity = identity
        self._listener = listener
        self._hear = hear
        self._supervisors: dict[str, Supervisor] = {}
        self._tasks: dict[Supervisor, asyncio.Task[None]] = {}
        self._retiring = Retiring()

    async def __aenter__(self) -> Self:
        """Nothing runs yet; `start` does that."""
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop everything."""
        await asyncio.gather(self._retiring.aclose(), self._end(list(self._tasks)))

    def __iter__(self) -> Iterator[Supervisor]:
        """All upstreams, in the order of the configuration."""
        return iter(self._supervisors.values())

    def get(self, name: str) -> Supervisor | None:
        """The upstream of that name, whatever its state."""
        return self._supervisors.get(name)

    def start(self, spec: UpstreamSpec) -> Supervisor:
        """Begin with an upstream; its supervisor runs on its own from here."""
        supervisor = self.supervisor(spec, self._listener)
        self._supervisors[spec.name] = supervisor
        self._tasks[supervisor] = asyncio.create_task(supervisor.run(), name=f"upstream {spec.name}")
        return supervisor

    def supervisor(self, spec: UpstreamSpec, listener: Listener) -> Supervisor:
        """One for a connection of this upstream, which somebody else runs."""
        return Supervisor(spec, self._opener, self._identity, listener, self._hear)

    async def stop(self, *names: str, is_busy: Callable[[Supervisor], bool]) -> list[Supervisor]:
        """Take these upstreams out, all at once; returns when nothing runs any more of those that were idle.

        The others are returned and go on: they are to be retired once their successors are there.
        """
        gone = [self._supervisors.pop(name) for name in names if name in self._supervisors]
        busy = [each for each in gone if each.waiting or is_busy(each)]
        await self._end([each for each in gone if each not in busy])
        return busy

    def retire(self, supervisor: Supervisor, is_busy: Callable[[Supervisor], bool], limit: float) -> None:
        """Let one that was taken out finish what it was asked, for `limit` seconds at most."""
        self._retiring.add(self._tasks.pop(supervisor), partial(is_busy, supervisor), limit)

    def order(self, names: list[str]) -> None:
        """Bring the upstreams into the order of the configuration."""
        self._supervisors = {name: self._supervisors[name] for name in names if name in self._supervisors}

    async def _end(self, supervisors: list[Supervisor]) -> None:
        tasks = [self._tasks.pop(supervisor) for supervisor in supervisors]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
