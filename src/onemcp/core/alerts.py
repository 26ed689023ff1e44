"""When somebody is told: rules over what happens, pure. `now` is seconds of a clock that outlives the process.

A condition is one kind and one subject (`server_down` of `git`). It is raised once and cleared once, however often it
flaps meanwhile, and not raised again before its cooldown is over; one that then still holds is raised then.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final

from onemcp.core.events import ALERT_KINDS, AlertKind, Nature, Severity

MAX_TRACKS: Final = 4096
"""Conditions that are followed at a time; what belongs to a further one is counted and forgotten."""
NEVER: Final = -1e15
"""A time before all others; finite, so that it can be kept as JSON."""
_CUT: Final = 0.001
"""Seconds that a moment in a record may be earlier than it was."""


@dataclass(frozen=True, slots=True)
class Rule:
    """What holds for one kind. Seconds."""

    severity: Severity
    seconds: float
    """A state: how long it must last, and be over; a burst: the time within which `threshold` occurrences count."""
    cooldown: float
    threshold: int = 1
    enabled: bool = True


def usual(kind: AlertKind) -> Rule:
    """The rule of a kind that the configuration says nothing about."""
    return Rule(kind.severity, kind.seconds, kind.cooldown, kind.threshold)


USUAL: Final = {name: usual(kind) for name, kind in ALERT_KINDS.items()}
"""The rules of a configuration that has none."""

FOLLOWS: Final = {kind.cleared_as: kind.name for kind in ALERT_KINDS.values() if kind.cleared_as}
"""Kinds that are the clear of another one, which has the rule for both."""


class Turn(StrEnum):
    """What is told of a condition."""

    RAISED = "raised"
    CLEARED = "cleared"
    """It is over."""


@dataclass(frozen=True, slots=True)
class Signal:
    """Something happened that a condition is made of."""

    kind: str
    subject: str = ""
    summary: str = ""
    is_on: bool = True


@dataclass(frozen=True, slots=True)
class Track:
    """What is remembered of one condition; times by the clock of `now`."""

    is_on: bool = False
    since: float = NEVER
    """When it came to be on or off as it is."""
    times: tuple[float, ...] = ()
    """The latest occurrences of a burst or moment, as many as its rule counts."""
    waiting: int = 0
    """Moments that are still to be told."""
    is_raised: bool = False
    raised_at: float = NEVER
    """The latest raise, also when it is cleared."""
    missed: int = 0
    """Since the latest raise: how often it would have been raised but for the cooldown."""
    summary: str = ""


@dataclass(frozen=True, slots=True)
class Notice:
    """One thing to tell: a condition is raised, or cleared."""

    kind: str
    subject: str
    turn: Turn
    severity: Severity
    at: float
    since: float
    """When it began, or when what is cleared was raised."""
    summary: str
    missed: int = 0
    """How often it has been so since the last raise without anybody being told."""


@dataclass(frozen=True, slots=True)
class Told:
    """What was told of a condition last, by the record of it; its moments may be up to a millisecond early."""

    turn: Turn
    at: float
    since: float
    """As in the notice: when it began, or when what is cleared was raised."""
    summary: str = ""


def recalled(track: Track | None, told: Told, nature: Nature) -> Track:
    """The track of an earlier process, which may have ended after it told and before it kept the track."""
    known = track if track is not None else Track()
    if told.turn is Turn.CLEARED:
        if told.at + _CUT < known.raised_at:
            return known
        raised_at = max(known.raised_at, told.since)
        return Track(since=told.at, raised_at=raised_at, summary=told.summary)
    if told.at <= known.raised_at:
        return known
    return Track(
        is_on=nature is Nature.STATE,
        since=told.since,
        times=(told.at,) if nature is Nature.BURST else (),
        is_raised=nature is not Nature.MOMENT,
        raised_at=told.at,
        summary=told.summary,
    )


def heard(track: Track, signal: Signal, nature: Nature, rule: Rule, now: float) -> Track:
    """The track after a signal."""
    summary = signal.summary or track.summary
    if nature is Nature.MOMENT:
        return replace(track, waiting=track.waiting + signal.is_on, since=now, summary=summary)
    if nature is Nature.BURST:
        times = (*track.times, now)[-rule.threshold :] if signal.is_on else ()
        missed = track.missed + _is_missed_burst(track, times, rule, now)
        return replace(track, times=times, missed=missed, summary=summary)
    if signal.is_on == track.is_on:
        return replace(track, summary=summary)
    untold = track.is_on and not track.is_raised and now - track.since >= rule.seconds
    return replace(track, is_on=signal.is_on, since=now, missed=track.missed + untold, summary=summary)


def _is_missed_burst(track: Track, times: tuple[float, ...], rule: Rule, now: float) -> bool:
    """Whether a burst is complete, and its cooldown keeps it from being told."""
    complete = len(times) == rule.threshold and now - times[0] <= rule.seconds
    return complete and not track.is_raised and now < track.raised_at + rule.cooldown


def settled(track: Track, nature: Nature, rule: Rule, now: float) -> tuple[Track, Turn | None]:
    """The track after a look at the clock, and what is to be told."""
    at = due(track, nature, rule)
    if at is None or now < at:
        return track, None
    if track.is_raised:
        return replace(track, is_raised=False, times=()), Turn.CLEARED
    if nature is Nature.BURST and now - track.times[-1] > rule.seconds:
        return replace(track, times=()), None  # over before its cooldown was; it is among the missed
    raised = replace(track, raised_at=now, missed=0, waiting=0, is_raised=nature is not Nature.MOMENT)
    return raised, Turn.RAISED


def due(track: Track, nature: Nature, rule: Rule) -> float | None:
    """When the track is to be settled if nothing is heard; None for never."""
    free = track.raised_at + rule.cooldown
    if nature is Nature.MOMENT:
        return free if track.waiting else None
    if nature is Nature.BURST:
        times = track.times
        if track.is_raised:
            return times[-1] + rule.seconds if times else track.raised_at
        complete = len(times) == rule.threshold and times[-1] - times[0] <= rule.seconds
        return max(times[-1], free) if complete else None
    if track.is_on == track.is_raised:
        return None
    return max(track.since + rule.seconds, NEVER if track.is_raised else free)


class Conditions:
    """All conditions that are followed, under one set of rules."""

    def __init__(self, rules: Mapping[str, Rule] = USUAL) -> None:
        self._rules = rules
        self._tracks: dict[tuple[str, str], Track] = {}
        self.refused = 0
        """Signals that were forgotten because too many conditions were followed already."""

    def __iter__(self) -> Iterator[tuple[str, str, Track]]:
        """Every condition: kind, subject, track."""
        return iter([(kind, subject, track) for (kind, subject), track in self._tracks.items()])

    def get(self, kind: str, subject: str = "") -> Track | None:
        """One condition; None if nothing is remembered of it."""
        return self._tracks.get((kind, subject))

    def restore(self, kind: str, subject: str, track: Track, now: float) -> None:
        """Go on with a condition that an earlier process followed; one whose kind has no rule any more is forgotten."""
        if kind in self._rules and self._rules[kind].enabled:
            past = replace(track, raised_at=min(track.raised_at, now), since=min(track.since, now))
            self._tracks[kind, subject] = past

    def adopt(self, rules: Mapping[str, Rule], now: float) -> list[Notice]:
        """Go by other rules from now on; a condition whose kind is switched off is cleared."""
        notices = []
        for (kind, subject), track in list(self._tracks.items()):
            if not rules[kind].enabled:
                del self._tracks[kind, subject]
                if track.is_raised:
                    over = replace(track, summary="its rule was switched off")
                    notices.append(self._notice((kind, subject), track, over, Turn.CLEARED, now))
            else:
                self._tracks[kind, subject] = replace(track, times=track.times[-rules[kind].threshold :])
        self._rules = rules
        return notices

    def hear(self, signal: Signal, now: float) -> list[Notice]:
        """Take a signal; what is to be told at once because of it."""
        kind, rule = ALERT_KINDS[signal.kind], self._rules[signal.kind]
        key = (signal.kind, signal.subject)
        track = self._tracks.get(key)
        if not rule.enabled or (track is None and not signal.is_on):
            return []
        if track is None and len(self._tracks) >= MAX_TRACKS:
            self.refused += 1
            return []
        late = self._settle([key], now) if track is not None else []
        self._tracks[key] = heard(self._tracks.get(key, Track()), signal, kind.nature, rule, now)
        return late + self._settle([key], now)

    def tick(self, now: float) -> list[Notice]:
        """Look at the clock: what is due to be told."""
        return self._settle(list(self._tracks), now)

    def due(self) -> float | None:
        """When `tick` has something to do; None for never."""
        moments = (
            due(track, ALERT_KINDS[kind].nature, self._rules[kind])
            for (kind, _), track in self._tracks.items()
        )
        return min((moment for moment in moments if moment is not None), default=None)

    def _settle(self, keys: Iterable[tuple[str, str]], now: float) -> list[Notice]:
        notices = []
        for kind, subject in keys:
            before = self._tracks[kind, subject]
            nature, rule = ALERT_KINDS[kind].nature, self._rules[kind]
            after, turn = settled(before, nature, rule, now)
            if turn is not None:
                notices.append(self._notice((kind, subject), before, after, turn, now))
            if _is_spent(after, nature, rule, now):
                del self._tracks[kind, subject]
            else:
                self._tracks[kind, subject] = after
        return notices

    def _notice(self, key: tuple[str, str], before: Track, after: Track, turn: Turn, now: float) -> Notice:
        (kind, subject), summary = key, after.summary
        declared, severity = ALERT_KINDS[kind], self._rules[kind].severity
        if turn is Turn.CLEARED:
            return Notice(
                declared.cleared_as or kind, subject, turn, severity, now, before.raised_at, summary
            )
        since = before.times[0] if declared.nature is Nature.BURST else before.since
        missed = before.missed + max(0, before.waiting - 1)
        return Notice(kind, subject, turn, severity, now, since, summary, missed)


def _is_spent(track: Track, nature: Nature, rule: Rule, now: float) -> bool:
    """Nothing of it matters any more."""
    if track.is_on or track.is_raised or track.waiting or track.missed:
        return False
    quiet = nature is not Nature.BURST or not track.times or now - track.times[-1] > rule.seconds
    return quiet and now >= track.raised_at + rule.cooldown
