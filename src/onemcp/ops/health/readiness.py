"""Whether new work should come to this gateway: known facts of the whole process, set by those who know."""

from dataclasses import dataclass


@dataclass(slots=True)
class Readiness:
    """The facts that `/health/ready` and `/health` go by, beside the upstreams. Plain attributes; read at any time."""

    loaded: bool = False
    """The configuration was read and its upstreams are being started."""
    draining: bool = False
    """The gateway is on its way out: it finishes what it has, and others should get what is new."""
    store_error: str = ""
    """Why the store did not answer when it was last looked at; empty while it does."""
    reload_error: str = ""
    """Why the last reload changed nothing; empty if it was a good one, or there was none."""
