"""Small sends that nobody waits for, owned by a channel: few at a time, and ended with it."""

import asyncio
import logging
from collections.abc import Coroutine
from typing import Any, Final

from onemcp.errors import UpstreamError

LIMIT: Final = 256

_log = logging.getLogger("onemcp.upstream")


class Errands:
    """Runs coroutines that bound themselves; what they fail with is logged, what is too much is dropped."""

    def __init__(self, server: str) -> None:
        self._server = server
        self._tasks: set[asyncio.Task[None]] = set()

    def __len__(self) -> int:
        return len(self._tasks)

    def run(self, errand: Coroutine[Any, Any, None], what: str) -> None:
        """Start an errand; `what` names it in the log."""
        if len(self._tasks) >= LIMIT:
            errand.close()
            _log.warning("%s: %s is dropped: %d sends are under way already", self._server, what, LIMIT)
            return
        task = asyncio.create_task(self._attempt(errand, what))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _attempt(self, errand: Coroutine[Any, Any, None], what: str) -> None:
        try:
            await errand
        except UpstreamError as error:
            _log.debug("%s: %s could not be sent: %s", self._server, what, error.what)

    async def aclose(self) -> None:
        """End what is under way."""
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
