"""The parts of a gateway: what has been constructed so far, for every room to use."""

from dataclasses import dataclass, field

from onemcp.app.configuration import Configuration
from onemcp.app.plan import Plan
from onemcp.config.state import StateDir
from onemcp.core.events import Events
from onemcp.gateway.dispatch import Dispatcher
from onemcp.gateway.runtime import Runtime
from onemcp.gateway.sessions import Store
from onemcp.ops.drain import Drain
from onemcp.ops.health.readiness import Readiness
from onemcp.ops.metrics.lag import LoopLag


@dataclass(frozen=True, slots=True)
class Parts:
    """What every room of a running gateway may use."""

    plan: Plan
    """As it was at the start; what is in force is said by the configuration."""
    configuration: Configuration
    events: Events
    state: StateDir | None
    """None where there is no state folder."""
    store: Store
    runtime: Runtime
    dispatcher: Dispatcher
    started_at: float
    """Seconds since the epoch."""
    lag: LoopLag
    """How late the event loop is; it looks twice a second, and tells whoever wants to look as often."""
    readiness: Readiness = field(default_factory=Readiness)
    drain: Drain = field(default_factory=Drain)
