"""What the operator's signals ask for: SIGINT and SIGTERM to stop, SIGHUP to reload. A second stop is at once.

SIGUSR1 and SIGUSR2 are given their meaning by `on`.
"""

import asyncio
import os
import signal
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any, Self


class Signals:
    """Takes the process's signals while the block runs."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._stopping = asyncio.Event()
        self._reload = asyncio.Event()
        self._before: dict[signal.Signals, Any] = {}
        """How each signal was treated until it was taken."""
        self.at_once: Callable[[], None] = lambda: None
        """What a hard stop does before it ends the process; must take a moment only and must not raise."""

    def __enter__(self) -> Self:
        """Begin to listen; SIGHUP then no longer ends the process."""
        for number in (signal.SIGINT, signal.SIGTERM):
            self.on(number, partial(self._stop, number))
        self.on(signal.SIGHUP, self._reload.set)
        return self

    def __exit__(self, *_: object) -> None:
        """Leave them to whoever had them before."""
        for number, before in self._before.items():
            self._loop.remove_signal_handler(number)
            signal.signal(number, before or signal.SIG_DFL)

    def on(self, number: signal.Signals, action: Callable[[], None]) -> None:
        """Do this whenever the signal comes; it must not block and must not raise."""
        self._before.setdefault(number, signal.getsignal(number))
        self._loop.add_signal_handler(number, action)

    def _stop(self, number: int) -> None:
        if self._stopping.is_set():
            try:
                self.at_once()
            finally:
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
