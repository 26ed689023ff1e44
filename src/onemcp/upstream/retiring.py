"""Retiring: connections that the configuration no longer has, and that still answer what they were asked before."""

import asyncio
from collections.abc import Callable
from typing import Final

TICK: Final = 0.05
"""Seconds between two looks whether one has become idle."""


class Retiring:
    """Ends them as soon as nobody uses them any more, or when their time is over."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[None]] = set()

    def __len__(self) -> int:
        """How many there are."""
        return len(self._tasks)

    def add(self, run: asyncio.Task[None], is_busy: Callable[[], bool], limit: float) -> None:
        """`run` is cancelled when `is_busy` says no, at the latest after `limit` seconds."""
        task = asyncio.create_task(_retire(run, is_busy, limit))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def aclose(self) -> None:
        """End all that are left at once; returns when nothing of them runs any more."""
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _retire(run: asyncio.Task[None], is_busy: Callable[[], bool], limit: float) -> None:
    loop = asyncio.get_running_loop()
    until = loop.time() + limit
    try:
        while is_busy() and loop.time() < until:  # noqa: ASYNC110 - the end of a call, which tells nobody, costs nothing
            await asyncio.sleep(TICK)
    finally:
        run.cancel()
        await asyncio.wait((run,))
