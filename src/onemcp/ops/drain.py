"""The drain: how the gateway ends without failing anybody who could be served.

Four phases, each entered once: while it *serves* nothing is different; while it *discourages* everything is still
served, but those who balance over several gateways are told to go elsewhere; while it *drains* nothing new is taken
and what is under way finishes; then it has *stopped*. The edges report what is under way, and hear of each phase.

Source: the two numbers of Envoy's drain (`--drain-time-s` while still accepting) and HAProxy's `hard-stop-after`.
"""

import asyncio
import logging
from collections.abc import Callable
from enum import StrEnum
from typing import Any, Final

from onemcp.errors import RpcError
from onemcp.wire.envelope import INTERNAL_ERROR

REASON: Final = "gateway_shutting_down"
"""`data.reason` of the errors that clients get because of a drain."""
GRACE: Final = 2.0
"""Seconds that a call which was ended has for telling its client so."""

_log = logging.getLogger("onemcp")


class Phase(StrEnum):
    """Where the drain is."""

    SERVING = "serving"
    DISCOURAGING = "discouraging"
    DRAINING = "draining"
    STOPPED = "stopped"


class Drain:
    """What is under way, and the phase. `run` goes through the phases; everything else only looks."""

    def __init__(self) -> None:
        self.phase = Phase.SERVING
        self.is_refusing = False
        """New sessions, and what belongs to none, are refused: `refused`."""
        self._calls: set[asyncio.Task[Any]] = set()
        self.begin = self._calls.add
        """This task answers a request."""
        self._ended: set[asyncio.Task[Any]] = set()
        self._listeners: list[Callable[[Phase], object]] = []
        self._quiet: asyncio.Event | None = None

    @property
    def under_way(self) -> int:
        """How many requests are being answered."""
        return len(self._calls)

    def listen(self, listener: Callable[[Phase], object]) -> None:
        """Hear of each phase after the first one, when it begins. A listener must not block and must not raise."""
        self._listeners.append(listener)

    def end(self, task: asyncio.Task[Any]) -> None:
        """It has answered."""
        self._calls.discard(task)
        if self._quiet is not None and not self._calls:
            self._quiet.set()

    def absorbed(self, task: asyncio.Task[Any]) -> bool:
        """Whether the cancellation that this task has just caught was the drain's; then it goes on, with `overdue`."""
        if task not in self._ended:
            return False
        self._ended.discard(task)
        task.uncancel()
        return True

    async def run(self, minimum: float, timeout: float) -> None:
        """Serve on for `minimum` seconds, let what is under way finish for `timeout` seconds, and end the rest.

        Returns at once where nothing is under way and `minimum` is 0.
        """
        self._enter(Phase.DISCOURAGING)
        if minimum:
            _log.info(
                "stopping: everything is served for another %g s; a second signal stops at once", minimum
            )
            await asyncio.sleep(minimum)
        self.is_refusing = True
        self._enter(Phase.DRAINING)
        if self._calls:
            what = "stopping: requests under way: %d; they have up to %g s, a second signal stops at once"
            _log.info(what, len(self._calls), timeout)
        if not await self._until_quiet(timeout):
            _log.warning("requests that did not finish in time and were ended: %d", len(self._calls))
            self._end_all()
            await self._until_quiet(GRACE)
        self._enter(Phase.STOPPED)

    def _enter(self, phase: Phase) -> None:
        self.phase = phase
        for listener in self._listeners:
            listener(phase)

    def _end_all(self) -> None:
        self._ended = set(self._calls)
        for task in self._ended:
            task.cancel()

    async def _until_quiet(self, seconds: float) -> bool:
        """Whether nothing was under way at some moment within the time."""
        if not self._calls:
            return True
        self._quiet = asyncio.Event()
        try:
            async with asyncio.timeout(seconds):
                await self._quiet.wait()
        except TimeoutError:
            return False
        return True


def refused() -> RpcError:
    """The answer to what is not taken any more: it was not done, and may be asked of another gateway."""
    what = "The gateway is shutting down and takes nothing new; nothing was done, send it again in a moment"
    return RpcError(INTERNAL_ERROR, what, {"reason": REASON}, status=503)


def overdue() -> RpcError:
    """The answer to what was under way and did not finish in time.

    Its status is not 503: whoever stands in between may take that as leave to send the request again.
    """
    what = "The gateway is shutting down and this did not finish in time; whether it was done is not known"
    return RpcError(INTERNAL_ERROR, what, {"reason": REASON})
