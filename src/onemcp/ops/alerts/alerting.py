"""Alerting: hears what happens, steps the rules, and hands what is to be told to the outbox and its deliveries."""

import asyncio
import logging
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractAsyncContextManager
from types import TracebackType
from typing import Final, Self, TypeAlias

from onemcp.config.alerts import AlertsConfig
from onemcp.core.alerts import FOLLOWS, Conditions, Notice, Signal, recalled
from onemcp.core.events import (
    ALERT_KINDS,
    Alarm,
    AuthenticationFailed,
    ConfigReloaded,
    Events,
    InstanceDraining,
    InstanceStarted,
    LoopStalled,
    Severity,
    StoreChanged,
    UpstreamChanged,
)
from onemcp.core.lifecycle import State
from onemcp.core.spec import UpstreamSpec
from onemcp.ops.alerts.alert import Alert, make, told
from onemcp.ops.alerts.delivery import Delivery
from onemcp.ops.alerts.memory import AlertMemory
from onemcp.ops.alerts.outbox import Outbox
from onemcp.ops.alerts.signals import DENIED, DOWN, OF_SERVERS, of_instance, of_servers, of_upstream
from onemcp.store.base import Entries

FLUSH: Final = 2.0
"""Seconds, on the way out, for what still waits; what is left then stays in the store."""
_OTHERS: Final = (
    Alarm,
    AuthenticationFailed,
    ConfigReloaded,
    InstanceDraining,
    InstanceStarted,
    LoopStalled,
    StoreChanged,
)

Servers: TypeAlias = Callable[[], Iterable[tuple[UpstreamSpec, State]]]
"""All servers of the configuration and their states."""

_log = logging.getLogger("onemcp.alerts")


class Alerting(AbstractAsyncContextManager["Alerting"]):
    """Everything about alerts, while the block runs. `gateway` is how this gateway calls itself in them."""

    def __init__(self, events: Events, store: Entries, servers: Servers, gateway: str) -> None:
        self._events = events
        self._servers = servers
        self.gateway = gateway
        self.config = AlertsConfig()
        self.is_silent = False
        """Webhooks are told nothing; conditions are followed all the same."""
        self.conditions = Conditions()
        self.outbox = Outbox(store)
        self._memory = AlertMemory(store)
        self._adopting: AlertsConfig | None = None
        self._deliveries: dict[str, tuple[Delivery, asyncio.Task[None]]] = {}
        self._notices: list[Notice] = []
        self._wake = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._is_closed = False
        self._epoch = time.time() - time.monotonic()

    def now(self) -> float:
        """Seconds since the epoch, by a clock that nobody sets meanwhile."""
        return self._epoch + time.monotonic()

    async def __aenter__(self) -> Self:
        """Take up what an earlier process left, and begin to listen. `adopt` says whom to tell."""
        await self.outbox.load(self.now())
        await self._recall()
        self._events.listen(UpstreamChanged, lambda event: self._hear(of_upstream(event)))
        for other in _OTHERS:
            self._events.listen(other, self._take)
        self._task = asyncio.create_task(self._run(), name="alerts")
        return self

    async def _recall(self) -> None:
        """Go on with the conditions as they were kept, and as they were told of after that."""
        tracks = {(kind, subject): track for kind, subject, track in await self._memory.load(self.now())}
        for key, document in self.outbox.latest().items():
            kind, _, subject = key.partition("/")
            if kind not in ALERT_KINDS:
                continue
            try:
                track = recalled(tracks.get((kind, subject)), told(document), ALERT_KINDS[kind].nature)
            except (KeyError, ValueError) as error:
                _log.warning("%s: what an earlier version told is not understood: %r", key, error)
                continue
            tracks[kind, subject] = track
        for (kind, subject), track in tracks.items():
            self.conditions.restore(kind, subject, track, self.now())

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Listen no more: what ends from here on ends because the gateway does. Deliver what can be at once."""
        self._is_closed = True
        self._wake.set()
        if self._task is not None:
            await asyncio.wait({self._task}, timeout=FLUSH)
            await _ended(self._task)
        deliveries = [delivery for delivery, _ in self._deliveries.values()]
        try:
            async with asyncio.timeout(FLUSH):
                await asyncio.gather(*(delivery.at_rest() for delivery in deliveries))
        except TimeoutError:
            _log.info("a webhook takes its time; what it did not get, the next start goes on with")
        for _, task in self._deliveries.values():
            await _ended(task)

    @property
    def deliveries(self) -> list[Delivery]:
        """One for each webhook, in the order of the configuration."""
        return [
            self._deliveries[webhook.id][0]
            for webhook in self.config.webhooks
            if webhook.id in self._deliveries
        ]

    def adopt(self, config: AlertsConfig, *, is_silent: bool = False) -> None:
        """Go by these rules at once, and tell these webhooks soon; or nobody, from now on.

        At the end of a silence they are told what is raised by then and was not before, and what is over that was.
        """
        if is_silent and not self.is_silent:
            _log.warning("webhooks are told nothing while features.alerts is off")
            for delivery, _ in self._deliveries.values():
                delivery.is_silent = True
        self.is_silent = is_silent
        self._notices += self.conditions.adopt(config.rules, self.now())
        self._adopting = config
        self._wake.set()

    async def _adopt(self, config: AlertsConfig) -> None:
        self._adopting = None
        self.config = config
        wanted = {webhook.id: webhook for webhook in config.webhooks}
        for key, (delivery, task) in list(self._deliveries.items()):
            if wanted.get(key) != delivery.webhook:
                await _ended(task)
                del self._deliveries[key]
        for key, webhook in wanted.items():
            if key not in self._deliveries:
                delivery = Delivery(webhook, self.outbox, self.now, is_silent=True)
                self._deliveries[key] = (delivery, asyncio.create_task(delivery.run(), name="webhook"))
        for alert in self.outbox.unfinished:
            await self._queue(alert, self._wanting(alert.kind, Severity(alert.severity)))
        self.outbox.unfinished = []
        for key in set(self.outbox.webhooks()) - set(wanted):
            for pending in list(self.outbox.waiting(key)):
                await self.outbox.bury(pending, "is not in the configuration any more", self.now())
        if not self.is_silent:
            await self.outbox.release(self.now())
            for delivery in self.deliveries:
                delivery.is_silent = False
                delivery.wake()

    def _take(self, event: object) -> None:
        """An event that is not about one server; after some of them all servers are looked at."""
        self._hear(of_instance(event))
        if isinstance(event, InstanceStarted) or (isinstance(event, ConfigReloaded) and not event.error):
            self.look()

    def look(self) -> None:
        """See how the servers of the configuration are, and let go of those that are not in it any more."""
        servers = list(self._servers())
        self._hear(of_servers(servers))
        present = {spec.name for spec, state in servers if state is not State.DISABLED}
        for kind, subject, _ in self.conditions:
            if kind in OF_SERVERS and subject not in present:
                self._hear([Signal(kind, subject, "it is not configured any more", is_on=False)])

    def _hear(self, signals: Iterable[Signal]) -> None:
        if self._is_closed:
            return
        now = self.now()
        for signal in signals:
            if signal.kind == DENIED and signal.is_on:
                self._withdraw(DOWN, signal.subject, now)
            if signal.kind in ALERT_KINDS and signal.kind not in FOLLOWS:
                self._notices += self.conditions.hear(signal, now)
            else:
                _log.error("%s is no kind of alert, so nobody is told of it", signal.kind)
        self._wake.set()

    def _withdraw(self, kind: str, subject: str, now: float) -> None:
        """It is not so any more; but one that was raised stays so until it is really over."""
        track = self.conditions.get(kind, subject)
        if track is not None and not track.is_raised:
            self._notices += self.conditions.hear(Signal(kind, subject, is_on=False), now)

    async def _run(self) -> None:
        """Tell what is to be told, and look at the clock when something is due, until it is closed."""
        while not self._is_closed:
            self._wake.clear()
            if self._adopting is not None:
                await self._adopt(self._adopting)
            self._notices += self.conditions.tick(self.now())
            await self._write()
            due = self.conditions.due()
            try:
                async with asyncio.timeout(None if due is None else max(0.0, due - self.now())):
                    await self._wake.wait()
            except TimeoutError:
                continue
        await self._write()

    async def _write(self) -> None:
        """Bring what is to be told into the outbox, and only then into the store that it was."""
        while self._notices:
            await self._tell(self._notices[0])
            del self._notices[0]
        await self._memory.keep(self.conditions, self.now())

    async def _tell(self, notice: Notice) -> None:
        condition = FOLLOWS.get(notice.kind, notice.kind)
        alert = make(notice, condition, self.config.runbooks, self.gateway)
        wanted = self._wanting(notice.kind, notice.severity)
        level = _level(alert.status, alert.severity, is_sent=bool(wanted) and not self.is_silent)
        _log.log(
            level,
            "alert %s %s: %s",
            alert.title,
            alert.status,
            notice.summary or ALERT_KINDS[notice.kind].meaning,
        )
        await self._queue(alert, wanted)
        for webhook in wanted:
            if webhook in self._deliveries:
                self._deliveries[webhook][0].wake()

    async def _queue(self, alert: Alert, webhooks: Sequence[str]) -> None:
        if self.is_silent:
            await self.outbox.hold(alert, webhooks)
        else:
            await self.outbox.add(alert, webhooks)

    def _wanting(self, kind: str, severity: Severity) -> list[str]:
        """The ids of the webhooks that get such an alert."""
        return [webhook.id for webhook in self.config.webhooks if webhook.wants(kind, severity)]


def _level(status: str, severity: str, *, is_sent: bool) -> int:
    """How loud an alert is in the log; what is no trouble, and nobody is sent, says nothing that is not there anyway."""
    if severity == "info" and not is_sent:
        return logging.DEBUG
    return logging.INFO if status == "cleared" or severity == "info" else logging.WARNING


async def _ended(task: asyncio.Task[None]) -> None:
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
