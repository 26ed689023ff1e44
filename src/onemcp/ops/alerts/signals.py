"""What happens, in the words of the alert rules: from events, and from the upstreams as they are, to signals."""

from collections.abc import Iterable, Iterator
from typing import Final

from onemcp.config.interpolate import is_unresolved
from onemcp.core.alerts import Signal
from onemcp.core.events import (
    Alarm,
    AuthenticationFailed,
    ConfigReloaded,
    InstanceDraining,
    InstanceStarted,
    LoopStalled,
    StoreChanged,
    UpstreamChanged,
)
from onemcp.core.lifecycle import State
from onemcp.core.spec import UpstreamSpec

DOWN: Final = "server_down"
FLAPPING: Final = "server_flapping"
DENIED: Final = "server_needs_authorization"
UNRESOLVED: Final = "secret_unresolved"
OF_SERVERS: Final = (DOWN, FLAPPING, DENIED, UNRESOLVED)
"""Kinds whose subject is the name of a server."""
_AWAY: Final = frozenset({State.BACKOFF, State.FAILED})


def of_upstream(event: UpstreamChanged) -> Iterator[Signal]:
    """Of a server that moved. One that waits for authorization is not down, and not well again either."""
    name, reason = event.upstream, event.reason
    if event.state is State.READY:
        yield Signal(DOWN, name, "it is ready", is_on=False)
        yield Signal(DENIED, name, "it is ready", is_on=False)
    elif event.state is State.AWAITING_AUTH:
        yield Signal(DENIED, name, reason)
    elif event.state in _AWAY:
        yield Signal(DOWN, name, reason)
        if event.previous is State.READY:
            yield Signal(FLAPPING, name, reason)


def of_instance(event: object) -> Iterator[Signal]:
    """Of everything that is not about one server."""
    match event:
        case ConfigReloaded():
            yield Signal(
                "config_reload_failed", "", event.error or "it was reloaded", is_on=bool(event.error)
            )
        case StoreChanged():
            yield Signal("store_unreachable", "", event.error or "it answers again", is_on=bool(event.error))
        case LoopStalled():
            yield Signal("event_loop_stalled", "", f"nothing was done for {event.seconds:.1f} s")
        case AuthenticationFailed():
            yield Signal("auth_failure_burst", "", "credentials were refused")
        case InstanceStarted():
            yield Signal("instance_started")
            yield Signal("config_reload_failed", "", "the gateway was started with it", is_on=False)
            yield Signal("store_unreachable", "", "the gateway was started with it", is_on=False)
        case InstanceDraining():
            yield Signal("instance_draining", "", _draining(event.seconds))
        case Alarm():
            yield Signal(event.kind, event.subject, event.summary, is_on=event.is_on)


def _draining(seconds: float) -> str:
    return f"it ends within {seconds:g} s" if seconds else ""


def of_servers(servers: Iterable[tuple[UpstreamSpec, State]]) -> Iterator[Signal]:
    """Of all servers as they are configured now: some cannot even be tried, and never move."""
    for spec, state in servers:
        fault = spec.fault
        if fault is not None and is_unresolved(fault):
            yield Signal(UNRESOLVED, spec.name, fault.what)
            continue
        yield Signal(UNRESOLVED, spec.name, "it is there", is_on=False)
        if state is State.FAILED:
            yield Signal(DOWN, spec.name, fault.what if fault is not None else "")
