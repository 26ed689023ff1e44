"""The parts of a gateway: what is known before anything starts, and what has been constructed so far."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from onemcp.config.document import Document
from onemcp.config.settings import Settings
from onemcp.config.state import StateDir
from onemcp.core.events import Events
from onemcp.gateway.dispatch import Dispatcher
from onemcp.gateway.runtime import Runtime
from onemcp.gateway.sessions import Store
from onemcp.ops.drain import Drain
from onemcp.ops.health.readiness import Readiness
from onemcp.ops.metrics.lag import LoopLag


@dataclass(frozen=True, slots=True)
class Plan:
    """Everything that is known before anything is started."""

    settings: Settings
    document: Document
    environ: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Started:
    """What a running gateway tells whoever started it."""

    endpoint: str
    """The URL for clients; empty on stdio."""
    control: Path | None
    """The control socket; None where there is no state folder."""
    runtime: Runtime
    local: str = ""
    """The URL on this machine, which is another one than `endpoint` behind a proxy; empty on stdio."""


@dataclass(frozen=True, slots=True)
class DocumentApplied:
    """An event: a configuration that was read again is in force, as far as it is about servers."""

    document: Document


@dataclass(frozen=True, slots=True)
class Parts:
    """What every room of a running gateway may use."""

    plan: Plan
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
