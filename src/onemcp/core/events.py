"""What has happened, as plain values in the past tense, and the place where they are told.

Whoever wants to know listens (the console, metrics, alerts). Who would tell asks first whether anybody does: no
listener, no event object.
"""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final, TypeVar

from onemcp.core.lifecycle import State
from onemcp.core.offering import Offering

_E = TypeVar("_E")


@dataclass(frozen=True, slots=True)
class UpstreamChanged:
    """An upstream moved to another state, or offers something else than before."""

    upstream: str
    state: State
    previous: State
    reason: str
    seconds: float
    """How long it had been in the previous state."""
    offering: Offering | None
    """What it offers while it is ready."""


@dataclass(frozen=True, slots=True)
class ConfigReloaded:
    """The configuration was read again."""

    file: str
    error: str = ""
    """Why nothing was changed; empty if all went well."""


@dataclass(frozen=True, slots=True)
class InstanceStarted:
    """The endpoint is open, and the upstreams of the configuration are being started."""

    endpoint: str
    """The URL for clients; empty on standard streams."""


@dataclass(frozen=True, slots=True)
class InstanceDraining:
    """The gateway is on its way out: it finishes what it has."""

    seconds: float = 0.0
    """How long that may take."""


@dataclass(frozen=True, slots=True)
class LoopStalled:
    """Nothing at all was done for a while: something held the event loop."""

    seconds: float


@dataclass(frozen=True, slots=True)
class StoreChanged:
    """The store does not answer any more, or answers again."""

    error: str = ""
    """Why it does not; empty if it does."""


@dataclass(frozen=True, slots=True)
class AuthenticationFailed:
    """Somebody came with credentials that are no good."""

    client: str = ""
    """The address that they came from."""


@dataclass(frozen=True, slots=True)
class Alarm:
    """Something that an alert may be made of and that has no event of its own; the rule of its kind decides."""

    kind: str
    """The name of one of `ALERT_KINDS`."""
    subject: str = ""
    """What it is about, as the name of a server; empty for the gateway. One condition for each."""
    summary: str = ""
    """What happened, in a sentence for strangers: nothing secret in it."""
    is_on: bool = True
    """False: it is over."""


class Severity(StrEnum):
    """How much it matters."""

    CRITICAL = "critical"
    WARNING = "warning"
    INFO = "info"


class Nature(StrEnum):
    """How a kind of alert begins and ends."""

    STATE = "state"
    """It is so until it is not: raised when it has been for `seconds`, cleared when it has not been for as long."""
    BURST = "burst"
    """Raised when it happened `threshold` times within `seconds`, cleared when it has not happened for as long."""
    MOMENT = "moment"
    """It happens, and there is nothing to clear."""


@dataclass(frozen=True, slots=True)
class AlertKind:
    """One kind of alert, with the rule that holds for it if the configuration has no other. Seconds."""

    name: str
    """Also the name of its page: `docs/runbook/<name>.md`."""
    severity: Severity
    nature: Nature
    meaning: str
    """What it says, in a sentence."""
    cooldown: float
    """From one raise to the next at least."""
    seconds: float = 0.0
    threshold: int = 1
    cleared_as: str = ""
    """The kind that its clear is told as, where that has a name of its own; it has no rule then."""


ALERT_KINDS: Final = {
    kind.name: kind
    for kind in (
        AlertKind(
            name="server_down",
            severity=Severity.CRITICAL,
            nature=Nature.STATE,
            meaning="a server does not answer, and starting it again has not helped",
            seconds=30.0,
            cooldown=300.0,
            cleared_as="server_recovered",
        ),
        AlertKind(
            name="server_recovered",
            severity=Severity.CRITICAL,
            nature=Nature.MOMENT,
            meaning="a server that was down is ready again",
            cooldown=0.0,
        ),
        AlertKind(
            name="server_flapping",
            severity=Severity.WARNING,
            nature=Nature.BURST,
            meaning="a server keeps going away and coming back",
            threshold=4,
            seconds=300.0,
            cooldown=900.0,
        ),
        AlertKind(
            name="server_needs_authorization",
            severity=Severity.WARNING,
            nature=Nature.STATE,
            meaning="a server wants credentials that the gateway does not have",
            cooldown=300.0,
        ),
        AlertKind(
            name="config_reload_failed",
            severity=Severity.WARNING,
            nature=Nature.STATE,
            meaning="the configuration was not reloaded; the one before is still in force",
            cooldown=60.0,
        ),
        AlertKind(
            name="secret_unresolved",
            severity=Severity.CRITICAL,
            nature=Nature.STATE,
            meaning="a server cannot start because a secret or variable that its entry names is not there",
            cooldown=300.0,
        ),
        AlertKind(
            name="auth_failure_burst",
            severity=Severity.CRITICAL,
            nature=Nature.BURST,
            meaning="many requests came with credentials that are no good",
            threshold=20,
            seconds=60.0,
            cooldown=900.0,
        ),
        AlertKind(
            name="store_unreachable",
            severity=Severity.CRITICAL,
            nature=Nature.STATE,
            meaning="what outlives a request or the process can be neither read nor written",
            cooldown=300.0,
        ),
        AlertKind(
            name="event_loop_stalled",
            severity=Severity.WARNING,
            nature=Nature.BURST,
            meaning="the gateway did nothing at all for a second or more",
            seconds=60.0,
            cooldown=600.0,
        ),
        AlertKind(
            name="instance_started",
            severity=Severity.INFO,
            nature=Nature.MOMENT,
            meaning="a gateway has started",
            cooldown=0.0,
        ),
        AlertKind(
            name="instance_draining",
            severity=Severity.INFO,
            nature=Nature.MOMENT,
            meaning="a gateway is on its way out and finishes what it has",
            cooldown=0.0,
        ),
    )
}
"""Every kind of alert there is, by name; declared here and nowhere else."""


class Events:
    """Who listens for which kind of event. A listener must not block and must not raise."""

    def __init__(self) -> None:
        self._listeners: dict[type, list[Callable[[Any], None]]] = {}
        self.on_failure: Callable[[object, Exception], None] = _raise
        """Hears of a listener that broke; unless somebody listens to that, it is raised."""

    def listen(self, kind: type[_E], listener: Callable[[_E], None]) -> None:
        """Hear of every event of a kind."""
        self._listeners.setdefault(kind, []).append(listener)

    def heard(self, kind: type) -> bool:
        """Whether anybody listens for a kind."""
        return kind in self._listeners

    def emit(self, event: object) -> None:
        """Tell an event to those who listen for its kind, in the order in which they came."""
        for listener in self._listeners.get(type(event), ()):
            try:
                listener(event)
            except Exception as error:  # noqa: BLE001 - a defect of one listener is not to silence the others
                self.on_failure(event, error)


def _raise(_event: object, error: Exception) -> None:
    raise error
