"""Which conditions are raised, and whose cooldown runs: kept in the store, so that the next process goes on with them."""

import hashlib
import logging
from collections.abc import Iterable
from typing import Final, TypeAlias

import msgspec

from onemcp.core.alerts import Track
from onemcp.core.events import ALERT_KINDS
from onemcp.errors import StoreError
from onemcp.store.base import Entries

_PREFIX: Final = "alerts/state/"
_FOREVER: Final = 365 * 24 * 3600.0
_SCAN: Final = 10_000

Tracked: TypeAlias = tuple[str, str, Track]
"""Kind, subject, and what is remembered of the condition."""

_log = logging.getLogger("onemcp.alerts")


class _Kept(msgspec.Struct, frozen=True):
    """A condition as it stands in the store."""

    kind: str
    subject: str
    track: Track


class AlertMemory:
    """The store's side of the conditions. A store that fails costs a warning, and is tried again at the next change."""

    def __init__(self, store: Entries) -> None:
        self._store = store
        self._kept: dict[tuple[str, str], Track] = {}

    async def load(self, now: float) -> list[Tracked]:
        """What an earlier process left."""
        try:
            found = await self._store.scan(_PREFIX, now, _SCAN)
        except StoreError as error:
            _log.warning("which alerts were raised cannot be read: %s", error)
            return []
        for key, entry in found:
            try:
                kept = msgspec.json.decode(entry.value, type=_Kept)
            except msgspec.MsgspecError as error:
                _log.warning("%s: what an earlier version kept is not understood: %s", key, error)
                continue
            self._kept[kept.kind, kept.subject] = kept.track
        return [(*key, track) for key, track in self._kept.items() if key[0] in ALERT_KINDS]

    async def keep(self, conditions: Iterable[Tracked], now: float) -> None:
        """Write what differs from what the store has."""
        tracks = {(kind, subject): track for kind, subject, track in conditions if track.raised_at > 0}
        try:
            for key, track in tracks.items():
                known = self._kept.get(key)
                if known is None or (known.is_raised, known.raised_at) != (track.is_raised, track.raised_at):
                    value = msgspec.json.encode(_Kept(*key, track))
                    await self._store.put(_key(*key), value, now + _FOREVER, now)
                    self._kept[key] = track
            for key in set(self._kept) - set(tracks):
                await self._store.delete(_key(*key), now)
                del self._kept[key]
        except StoreError as error:
            _log.warning("which alerts are raised is not kept for a restart: %s", error)


def _key(kind: str, subject: str) -> str:
    """Under which a condition is kept; subjects may have any characters, keys may not."""
    return f"{_PREFIX}{kind}/{hashlib.sha256(subject.encode()).hexdigest()[:32]}"
