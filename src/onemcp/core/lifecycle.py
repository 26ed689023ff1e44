"""The life of an upstream: a table of states and events, and the back-off between attempts.

`step` is the only way from one `Life` to the next; the supervisor waits, steps and performs.
"""

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final

from onemcp.core.spec import RestartPolicy


class State(StrEnum):
    """Where an upstream stands."""

    DISABLED = "disabled"
    CONNECTING = "connecting"
    READY = "ready"
    AWAITING_AUTH = "awaiting_auth"
    BACKOFF = "backoff"
    FAILED = "failed"
    STOPPING = "stopping"


class Event(StrEnum):
    """What happened to it."""

    OPENED = "opened"
    """An attempt ended with a connection and a complete offering."""
    REFUSED = "refused"
    """An attempt ended without one."""
    UNFIT = "unfit"
    """An attempt failed in a way that no further attempt will mend."""
    DENIED = "denied"
    """The upstream wants credentials that we do not have."""
    LOST = "lost"
    """The connection is gone."""
    DUE = "due"
    """The back-off is over, or somebody asked to try now."""
    STOPPED = "stopped"
    """It is to go."""


TABLE: Final = {
    (State.CONNECTING, Event.OPENED): State.READY,
    (State.CONNECTING, Event.REFUSED): State.BACKOFF,
    (State.CONNECTING, Event.UNFIT): State.FAILED,
    (State.CONNECTING, Event.DENIED): State.AWAITING_AUTH,
    (State.READY, Event.LOST): State.BACKOFF,
    (State.READY, Event.DENIED): State.AWAITING_AUTH,
    (State.BACKOFF, Event.DUE): State.CONNECTING,
    (State.AWAITING_AUTH, Event.DUE): State.CONNECTING,
    (State.FAILED, Event.DUE): State.CONNECTING,
}
"""Every move there is; `STOPPED` leads from anywhere to `STOPPING`. An event without a row changes nothing."""

STABLE_AFTER: Final = 60.0
"""Seconds of readiness after which earlier failures are forgotten."""
OFFERING_GRACE: Final = 30.0
"""Seconds for which an upstream that went away stays in the lists, so that a quick restart does not flap them."""


@dataclass(frozen=True, slots=True)
class Life:
    """One moment in the life of an upstream. Times are seconds of the clock that `now` comes from."""

    state: State
    since: float
    failures: int = 0
    """Attempts and connections that ended badly in a row."""
    retry_at: float | None = None
    ready_at: float | None = None
    """When it was last ready; kept while it is away."""
    lost_at: float | None = None
    """When it went away; None while it is there."""
    reason: str = ""
    """Why it is not ready, for a person."""


def step(  # noqa: PLR0913 - three facts of the moment beside the life, the event and the policy
    life: Life, event: Event, now: float, policy: RestartPolicy, *, jitter: float, reason: str = ""
) -> Life:
    """The life after an event; the same life if the table has no move for it.

    `jitter` is a random number in [0, 1), which spreads the restarts of upstreams that died together.
    """
    if event is Event.STOPPED:
        return replace(life, state=State.STOPPING, since=now, retry_at=None)
    state = TABLE.get((life.state, event))
    if state is None:
        return life
    if state is State.READY:
        return Life(state, now, failures=life.failures, ready_at=now)
    if state is State.CONNECTING:
        return replace(life, state=state, since=now, retry_at=None)
    lost_at = now if life.state is State.READY else life.lost_at
    if state in (State.AWAITING_AUTH, State.FAILED):
        return replace(
            life, state=state, since=now, failures=life.failures + 1, lost_at=lost_at, reason=reason
        )
    stable = life.state is State.READY and now - life.since >= STABLE_AFTER
    failures = 1 if stable else life.failures + 1
    away = replace(life, since=now, failures=failures, lost_at=lost_at, reason=reason)
    if _spent(policy, failures):
        return replace(away, state=State.FAILED, retry_at=None)
    return replace(away, state=State.BACKOFF, retry_at=now + delay(policy, failures, jitter))


def _spent(policy: RestartPolicy, failures: int) -> bool:
    return not policy.enabled or (policy.max_restarts > 0 and failures > policy.max_restarts)


def delay(policy: RestartPolicy, failures: int, jitter: float) -> float:
    """Seconds before attempt `failures + 1`: doubling from the first delay up to the largest, the upper half random."""
    ceiling = min(policy.max_delay, policy.first_delay * 2.0 ** min(failures - 1, 30))
    return ceiling * (0.5 + jitter / 2)


def is_listed(life: Life, now: float) -> bool:
    """Whether the last offering still stands in the lists: while ready, and for a short while after."""
    if life.state is State.READY:
        return True
    return life.state in _AWAY and life.lost_at is not None and now - life.lost_at < OFFERING_GRACE


_AWAY: Final = frozenset({State.BACKOFF, State.CONNECTING, State.AWAITING_AUTH})
