"""What is still to be delivered, what was told, and what could not be: in the store, so that a restart loses nothing.

Memory is where the outbox works; the store is written first where it can be. While the store fails, alerts (that of
the store's own failure among them) are delivered from memory all the same.
"""

import logging
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

import msgspec

from onemcp.core.alerts import Turn
from onemcp.core.events import ALERT_KINDS, Nature
from onemcp.errors import StoreError
from onemcp.ops.alerts.alert import Alert
from onemcp.store.base import Entries

MAX_PENDING: Final = 500
"""Alerts that wait for one webhook; when there are more, the oldest is given up."""
MAX_HISTORY: Final = 500
USUAL_LIMIT: Final = 20
"""Alerts of the history that are told if nobody says how many."""
MAX_DEAD: Final = 100
GIVE_UP: Final = 24 * 3600.0
"""Seconds after which an alert is not worth sending any more."""
KEEP: Final = 30 * 24 * 3600.0
"""Seconds for which history and dead letters are kept."""
_PENDING: Final = "alerts/outbox/"
_SCAN: Final = 20_000

_log = logging.getLogger("onemcp.alerts")


@dataclass(frozen=True, slots=True)
class Pending:
    """One alert on its way to one webhook."""

    alert: Alert
    webhook: str
    """Its id."""
    is_held: bool = False
    """It was added while nobody was told anything, and was never sent."""
    sendable_at: float = 0.0
    """When it may be sent at the earliest, if that is after it was made."""

    @property
    def key(self) -> str:
        """Under which it is kept; in the order of time."""
        return f"{_PENDING}{self.alert.id}/{self.webhook}"

    def age(self, now: float) -> float:
        """Seconds for which it could have been delivered."""
        return now - max(self.alert.at, self.sendable_at)


@dataclass(frozen=True, slots=True)
class _Shelf:
    """Documents that are kept for people to look at, by their keys in the order of time."""

    prefix: str
    most: int
    kept: dict[str, dict[str, Any]] = field(default_factory=dict)


class Outbox:
    """The queues of all webhooks, the history and the dead letters; each of them bounded."""

    def __init__(self, store: Entries) -> None:
        self._store = store
        self._pending: dict[str, dict[str, Pending]] = {}
        self._history = _Shelf("alerts/history/", MAX_HISTORY)
        self._dead = _Shelf("alerts/dead/", MAX_DEAD)
        self.unfinished: list[Alert] = []
        """What an earlier process did not finish adding: `add` them again, to whoever wants them now."""
        self.dead = 0
        """Dead letters since the start."""

    async def load(self, now: float) -> None:
        """Take up what an earlier process left."""
        for key, members in await self._scan(_PENDING, now):
            try:
                pending = msgspec.convert(members, Pending)
            except msgspec.ValidationError as error:
                _log.warning("%s: what an earlier version had to tell is not understood: %s", key, error)
                await self._delete(key, now)
                continue
            self._pending.setdefault(pending.webhook, {})[pending.key] = pending
        for shelf in (self._history, self._dead):
            shelf.kept.update(await self._scan(shelf.prefix, now))
        self.unfinished = self._unfinished()

    def _unfinished(self) -> list[Alert]:
        """What is queued and not in the history, which is written last; what is older than all of that was in it."""
        kept = self._history.kept
        oldest = next(iter(kept), "") if len(kept) >= self._history.most else ""
        alerts = {
            pending.alert.id: pending.alert for queue in self._pending.values() for pending in queue.values()
        }
        return [
            alert
            for name, alert in sorted(alerts.items())
            if self._history.prefix + name > oldest and self._history.prefix + name not in kept
        ]

    def latest(self) -> dict[str, dict[str, Any]]:
        """The newest document that was told of each condition, by its key; right after `load` those of before."""
        documents = [*self._history.kept.values(), *(alert.document() for alert in self.unfinished)]
        return {document["key"]: document for document in sorted(documents, key=lambda one: str(one["id"]))}

    def waiting(self, webhook: str) -> Collection[Pending]:
        """What waits for a webhook, the oldest first."""
        return self._pending.get(webhook, {}).values()

    def webhooks(self) -> list[str]:
        """The ids of those for which something waits."""
        return [webhook for webhook, waiting in self._pending.items() if waiting]

    def history(self, limit: int) -> list[dict[str, Any]]:
        """What was told, the newest first."""
        return list(self._history.kept.values())[: -limit - 1 : -1] if limit > 0 else []

    def dead_letters(self) -> list[dict[str, Any]]:
        """The latest alerts that were given up, with `webhook` and `error`, the newest first."""
        return list(self._dead.kept.values())[::-1]

    async def add(self, alert: Alert, webhooks: Collection[str]) -> None:
        """Queue an alert for these webhooks, and remember it.

        It is sent when all of it is in the store, so that the next process sends none of it under another id.
        """
        await self._add(alert, [Pending(alert, webhook) for webhook in webhooks])

    async def hold(self, alert: Alert, webhooks: Collection[str]) -> None:
        """Remember an alert while nobody is told anything, and queue what will still be news after that.

        What has nothing to clear is news only while it happens; what is over before anybody heard of it never is.
        """
        kind = ALERT_KINDS.get(alert.kind)
        if alert.status == Turn.RAISED and (kind is None or kind.nature is Nature.MOMENT):
            await self._add(alert, [])
            return
        added = []
        for webhook in webhooks:
            stale = [
                one for one in self.waiting(webhook) if one.is_held and _is_raise_of(one.alert, alert.key)
            ]
            for pending in stale:
                await self.delivered(pending, alert.at)
            if alert.status == Turn.RAISED or not stale:
                added.append(Pending(alert, webhook, is_held=True))
        await self._add(alert, added)

    async def release(self, now: float) -> None:
        """What was held may be sent, and has all its time before it."""
        for queue in self._pending.values():
            for key, pending in list(queue.items()):
                if pending.is_held:
                    queue[key] = replace(pending, is_held=False, sendable_at=now)
                    await self._keep(queue[key], now)

    async def _add(self, alert: Alert, added: Sequence[Pending]) -> None:
        for pending in added:
            await self._keep(pending, alert.at)
        await self._remember(self._history, alert.id, alert.document(), alert.at)
        for pending in added:
            queue = self._pending.setdefault(pending.webhook, {})
            queue[pending.key] = pending
            if len(queue) > MAX_PENDING:
                await self.bury(next(iter(queue.values())), "too many alerts wait for it", alert.at)

    async def _keep(self, pending: Pending, now: float) -> None:
        lifetime = KEEP if pending.is_held else 2 * GIVE_UP
        await self._put(pending.key, msgspec.to_builtins(pending), now + lifetime, now)

    async def delivered(self, pending: Pending, now: float) -> None:
        """It has arrived."""
        self._pending.get(pending.webhook, {}).pop(pending.key, None)
        await self._delete(pending.key, now)

    async def bury(self, pending: Pending, error: str, now: float) -> None:
        """Give it up: it becomes a dead letter."""
        self.dead += 1
        alert, webhook = pending.alert, pending.webhook
        _log.error("the alert %s (%s) was given up: the webhook %s", alert.id, alert.title, error)
        letter = {**alert.document(), "webhook": webhook, "error": error}
        await self._remember(self._dead, f"{alert.id}/{webhook}", letter, now)
        await self.delivered(pending, now)

    async def _remember(self, shelf: _Shelf, name: str, members: dict[str, Any], now: float) -> None:
        key = shelf.prefix + name
        shelf.kept[key] = members
        await self._put(key, members, now + KEEP, now)
        while len(shelf.kept) > shelf.most:
            oldest = next(iter(shelf.kept))
            del shelf.kept[oldest]
            await self._delete(oldest, now)

    async def _scan(self, prefix: str, now: float) -> list[tuple[str, dict[str, Any]]]:
        try:
            found = await self._store.scan(prefix, now, _SCAN)
        except StoreError as error:
            _log.warning("what an earlier process had to tell cannot be read: %s", error)
            return []
        return [(key, msgspec.json.decode(entry.value)) for key, entry in found]

    async def _put(self, key: str, members: dict[str, Any], expires: float, now: float) -> None:
        try:
            await self._store.put(key, msgspec.json.encode(members), expires, now)
        except StoreError as error:
            _log.warning("an alert is kept in memory only: %s", error)

    async def _delete(self, key: str, now: float) -> None:
        try:
            await self._store.delete(key, now)
        except StoreError as error:
            _log.warning("an alert may be sent again after a restart: %s", error)


def _is_raise_of(alert: Alert, key: str) -> bool:
    return alert.key == key and alert.status == Turn.RAISED
