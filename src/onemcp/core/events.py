"""What has happened, as plain values in the past tense.

Whoever wants to know listens (the log, the console, later metrics and alerts). No listener, no event object.
"""

from dataclasses import dataclass

from onemcp.core.lifecycle import State
from onemcp.core.offering import Offering


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
