"""What has happened, as plain values in the past tense, and the place where they are told.

Whoever wants to know listens (the console, metrics, alerts). Who would tell asks first whether anybody does: no
listener, no event object.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

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


class Events:
    """Who listens for which kind of event. A listener must not block and must not raise."""

    def __init__(self) -> None:
        self._listeners: dict[type, list[Callable[[Any], None]]] = {}

    def listen(self, kind: type[_E], listener: Callable[[_E], None]) -> None:
        """Hear of every event of a kind."""
        self._listeners.setdefault(kind, []).append(listener)

    def heard(self, kind: type) -> bool:
        """Whether anybody listens for a kind."""
        return kind in self._listeners

    def emit(self, event: object) -> None:
        """Tell an event to those who listen for its kind, in the order in which they came."""
        for listener in self._listeners.get(type(event), ()):
            listener(event)
