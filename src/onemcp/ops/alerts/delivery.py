"""Delivery: one task for each webhook takes from its queue, so that a dead one holds up nobody but itself."""

import asyncio
import logging
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from onemcp.config.webhooks import Webhook
from onemcp.core.lifecycle import delay
from onemcp.core.spec import RestartPolicy
from onemcp.ops.alerts.outbox import GIVE_UP, Outbox, Pending
from onemcp.ops.alerts.webhook import Outcome, post

PAUSES: Final = RestartPolicy(first_delay=1.0, max_delay=300.0)
"""Between attempts: doubling from a second to five minutes, the upper half random."""

_log = logging.getLogger("onemcp.alerts")


@dataclass(slots=True)
class _Refused:
    """What is known of an alert that the webhook, otherwise well, did not take."""

    attempts: int
    due: float


@dataclass(slots=True)
class Delivery:
    """Brings what waits for one webhook there, the oldest first; `clock` gives seconds since the epoch."""

    webhook: Webhook
    outbox: Outbox
    clock: Callable[[], float]
    pauses: RestartPolicy = PAUSES
    delivered: int = 0
    """Since the start, as the two below."""
    attempts: int = 0
    failures: int = 0
    """Failed attempts in a row."""
    error: str = ""
    """Why the last attempt failed; empty if it did not."""
    is_silent: bool = False
    """Nothing is sent, and nothing that waits grows old; `wake` after a change."""
    _due: float = 0.0
    _refused: dict[str, _Refused] = field(default_factory=dict)
    _more: asyncio.Event = field(default_factory=asyncio.Event)
    _resting: asyncio.Event = field(default_factory=asyncio.Event)

    def wake(self) -> None:
        """Something waits that did not before."""
        self._more.set()

    async def at_rest(self) -> None:
        """Try what waits once more, whenever its turn is; return when all is delivered, or cannot be for now."""
        self._due = 0.0
        for refused in self._refused.values():
            refused.due = 0.0
        self._resting.clear()
        self.wake()
        await self._resting.wait()

    async def run(self) -> None:
        """Deliver, for ever."""
        while True:
            self._more.clear()
            now = self.clock()
            await self._bury_old(now)
            pending = self._next(now)
            if pending is not None:
                await self._attempt(pending)
            else:
                await self._rest(now)

    def _next(self, now: float) -> Pending | None:
        """The oldest alert whose turn it is."""
        if self.is_silent or now < self._due:
            return None
        ready = (pending for pending in self.outbox.waiting(self.webhook.id) if self._due_of(pending) <= now)
        return next(ready, None)

    def _due_of(self, pending: Pending) -> float:
        refused = self._refused.get(pending.key)
        return refused.due if refused is not None else 0.0

    async def _attempt(self, pending: Pending) -> None:
        self.attempts += 1
        outcome = await post(self.webhook, pending.alert)
        if outcome.error:
            self._put_off(pending, outcome)
            return
        if self.error:
            _log.info("the webhook %s takes alerts again", self.webhook.label)
        self.delivered += 1
        self.failures, self.error, self._due = 0, "", 0.0
        self._refused.pop(pending.key, None)
        await self.outbox.delivered(pending, self.clock())

    def _put_off(self, pending: Pending, outcome: Outcome) -> None:
        """A webhook that is not well gets nothing for a while; one that does not take this alert may take the next."""
        self.failures += 1
        if outcome.error != self.error:
            _log.warning("the webhook %s %s; it is tried again", self.webhook.label, outcome.error)
        self.error = outcome.error
        now = self.clock()
        if outcome.is_theirs:
            asked = min(outcome.wait, self.pauses.max_delay)
            self._due = now + max(asked, self._pause(self.failures))
            return
        known = self._refused.get(pending.key)
        attempts = known.attempts + 1 if known is not None else 1
        self._refused[pending.key] = _Refused(attempts, now + self._pause(attempts))

    def _pause(self, failures: int) -> float:
        return delay(self.pauses, failures, random.random())  # noqa: S311 - spreads attempts, keeps no secret

    async def _bury_old(self, now: float) -> None:
        for pending in list(self.outbox.waiting(self.webhook.id)):
            if pending.age(now) >= GIVE_UP and not self.is_silent:
                self._refused.pop(pending.key, None)
                await self.outbox.bury(pending, self.error or "did not take it in time", now)

    async def _rest(self, now: float) -> None:
        """Until there is something to do, or an hour has passed: alerts grow old."""
        self._resting.set()
        queue = self.outbox.waiting(self.webhook.id) if not self.is_silent else ()
        waiting = [max(self._due, self._due_of(pending)) for pending in queue]
        seconds = max(0.01, min([moment - now for moment in waiting], default=3600.0))
        try:
            async with asyncio.timeout(seconds):
                await self._more.wait()
        except TimeoutError:
            return
