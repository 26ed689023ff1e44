"""Reading files beside what is served: a file system may never answer, and nobody waits for one for ever."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from threading import Thread
from typing import Final, TypeVar

from onemcp.core.readable import readable
from onemcp.errors import ConfigError, Problem

LIMIT: Final = 120.0
"""Seconds for one reading of a configuration; the largest that is allowed takes half of it on a slow machine."""
MOST: Final = 16
"""Readings that may be under way, those that are no longer waited for included."""

T = TypeVar("T")


class Reading:
    """Runs what reads the files of one configuration, each time in a thread of its own.

    A thread that never comes back holds up neither the event loop nor the end of the process, as one of the loop's own
    would.
    """

    def __init__(self, path: Path, limit: float = LIMIT) -> None:
        self._file = readable(str(path))
        self._limit = limit
        self.under_way = 0
        """Threads that have not come back."""

    async def __call__(self, work: Callable[[], T]) -> T:
        """What `work` returns, or raises.

        Raises:
            ConfigError: it took longer than the limit, or the file system refuses.
        """
        if self.under_way >= MOST:
            raise ConfigError(
                Problem(f"{MOST} readings of it have not come back", "restart the gateway", self._file)
            )
        loop = asyncio.get_running_loop()
        done: asyncio.Future[T] = loop.create_future()

        def settle(outcome: T | None, error: BaseException | None) -> None:
            self.under_way -= 1
            if done.done():
                return  # nobody waits any more
            if error is not None:
                done.set_exception(error)
            else:
                done.set_result(outcome)  # type: ignore[arg-type]  # without an error there is an outcome

        def run() -> None:
            outcome, error = None, None
            try:
                outcome = work()
            except BaseException as raised:  # noqa: BLE001 - it is whoever waits that has to hear of it
                error = raised
            with suppress(RuntimeError):  # the loop is closed: the process ends
                loop.call_soon_threadsafe(settle, outcome, error)

        self.under_way += 1
        Thread(target=run, name="reading", daemon=True).start()
        return await self._waited(done)

    async def _waited(self, done: asyncio.Future[T]) -> T:
        try:
            await asyncio.wait((done,), timeout=self._limit)
            if not done.done():
                raise ConfigError(
                    Problem(
                        f"it could not be read within {self._limit:g} s",
                        "see whether its file system answers, and whether it is a file and no pipe",
                        self._file,
                    )
                )
            return done.result()
        except OSError as error:
            what = f"it cannot be read: {error.strerror or error}"
            raise ConfigError(Problem(what, "", self._file)) from error
        finally:
            done.cancel()
