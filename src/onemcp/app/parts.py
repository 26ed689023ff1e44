"""The parts of a gateway: what is known before anything starts, and what has been constructed so far."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from onemcp.config.document import Document
from onemcp.config.settings import Settings
from onemcp.config.state import StateDir
from onemcp.core.events import Events
from onemcp.gateway.dispatch import Dispatcher
from onemcp.gateway.runtime import Runtime
from onemcp.gateway.sessions import Store


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
