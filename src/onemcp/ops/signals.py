"""What the operator's signals ask for: SIGINT and SIGTERM to stop, SIGHUP to reload. A second stop is at once."""

import asyncio
import os
import signal
from collections.abc import Awaitable, Callable
from typing import Self


class Signals:
    """Takes the process's signals while the block runs."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._stopping = asyncio.Event()
        self._reload = asyncio.Event()

    def __enter__(self) -> Self:
        """Begin to listen; SIGHUP then no longer ends the process."""
        for number in (signal.SIGINT, signal.SIGTERM):
            self._loop.add_signal_handler(number, self._stop, number)
        self._loop.add_signal_handler(signal.SIGHUP, self._reload.set)
        return self

    def __exit__(self, *_: object) -> None:
        """Leave them to Python again."""
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            self._loop.remove_signal_handler(number)

    def _stop(self, number: int) -> None:
        if self._stopping.is_set():
            os._exit(128 + number)  # the watchdog ends what is left
        self._stopping.set()

    async def until_stop(self) -> None:
        """Return when the process is to stop."""
        await self._stopping.wait()

    async def reloads(self, reload: Callable[[], Awaitable[None]]) -> None:
        """Reload whenever asked to, one at a time; for ever."""
        while True:
            await self._reload.wait()
            self._reload.clear()
            await reload()
