"""How well the gateway is, from what is known of its upstreams: a pure table, nothing is asked anew.

`/health`, readiness, metrics and alerts all speak from this one place.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from onemcp.core.lifecycle import State


class Status(StrEnum):
    """The state of the whole."""

    HEALTHY = "healthy"
    DEGRADED = "degraded"
    UNHEALTHY = "unhealthy"

    @property
    def http(self) -> int:
        """The HTTP status that says it."""
        return 503 if self is Status.UNHEALTHY else 200


WORDS: Final = {
    State.READY: "connected",
    State.CONNECTING: "connecting",
    State.BACKOFF: "restarting",
    State.AWAITING_AUTH: "awaiting_oauth",
    State.FAILED: "error",
    State.STOPPING: "error",
}
"""What the API calls the states of an upstream that is switched on."""


@dataclass(frozen=True, slots=True)
class Server:
    """What is known of one upstream that is switched on."""

    name: str
    state: State
    is_starting: bool = False
    """It has not been ready yet, and its first attempt is still under way."""
    required: bool = False
    """Without it the gateway is no good, its entry says."""
    tags: tuple[str, ...] = ()
    last_connected: float | None = None
    """Seconds since the epoch."""
    last_error: str = ""

    @property
    def is_well(self) -> bool:
        """Whether calls to it are answered now."""
        return self.state is State.READY

    @property
    def word(self) -> str:
        """Its state in the words of the API."""
        return WORDS.get(self.state, "error")


def overall(
    servers: Sequence[Server], *, loaded: bool = True, draining: bool = False, unhealthy_below: float = 0.5
) -> Status:
    """The state of the whole; the first line that matches counts.

    ===============================================================  =========
    the gateway is draining, that is, about to stop                  unhealthy
    the configuration is not loaded                                  unhealthy
    a server marked `required` is not well, and not just starting    unhealthy
    no server is switched on                                         degraded
    one is still in its first attempt to start                       degraded
    the part that is well is `unhealthy_below` or less               unhealthy
    one is not well                                                  degraded
    otherwise                                                        healthy
    ===============================================================  =========
    """
    well = sum(server.is_well for server in servers)
    missed = any(server.required and not server.is_well and not server.is_starting for server in servers)
    if draining or not loaded or missed:
        return Status.UNHEALTHY
    if not servers or any(server.is_starting for server in servers):
        return Status.DEGRADED
    if well <= unhealthy_below * len(servers):
        return Status.UNHEALTHY
    return Status.HEALTHY if well == len(servers) else Status.DEGRADED
