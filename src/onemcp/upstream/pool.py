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
        self._ending: set[asyncio.Task[None]] = set()
        self._retiring = Retiring()

    async def __aenter__(self) -> Self:
        """Nothing runs yet; `start` does that."""
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop everything."""
        await asyncio.gather(self._retiring.aclose(), self._end(list(self._tasks)))
        await asyncio.gather(*self._ending, return_exceptions=True)

    def __iter__(self) -> Iterator[Supervisor]:
        """All upstreams of this moment, in the order of the configuration; a reload meanwhile is not seen."""
        return iter(tuple(self._supervisors.values()))

    def get(self, name: str) -> Supervisor | None:
        """The upstream of that name, whatever its state."""
        return self._supervisors.get(name)

    def start(self, spec: UpstreamSpec, after: asyncio.Task[None] | None = None) -> Supervisor:
        """Begin with an upstream, once what it replaces has ended; its supervisor runs on its own from here."""
        supervisor = self.supervisor(spec, self._listener)
        self._supervisors[spec.name] = supervisor
        self._tasks[supervisor] = asyncio.create_task(supervisor.run(after), name=f"upstream {spec.name}")
        return supervisor

    def supervisor(self, spec: UpstreamSpec, listener: Listener) -> Supervisor:
        """One for a connection of this upstream, which somebody else runs."""
        return Supervisor(spec, self._opener, self._identity, listener, self._hear)

    def take_out(
        self, *names: str, is_busy: Callable[[Supervisor], bool]
    ) -> tuple[list[Supervisor], dict[str, asyncio.Task[None]]]:
        """Take these upstreams out, all at once: those that are in use, which go on, and the ends of the others.

        Those in use are to be retired once their successors are there; an end is done when nothing of it runs.
        """
        gone = [self._supervisors.pop(name) for name in names if name in self._supervisors]
        busy = [each for each in gone if each.waiting or is_busy(each)]
        ends = {each.spec.name: self._tasks.pop(each) for each in gone if each not in busy}
        for task in ends.values():
            task.cancel()
            self._ending.add(task)
            task.add_done_callback(self._ending.discard)
        return busy, ends

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
