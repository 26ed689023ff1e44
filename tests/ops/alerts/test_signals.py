"""What happens, in the words of the rules."""

import pytest

from onemcp.config.interpolate import expand
from onemcp.core.alerts import Signal
from onemcp.core.events import (
    ALERT_KINDS,
    Alarm,
    ConfigReloaded,
    InstanceDraining,
    LoopStalled,
    StoreChanged,
    UpstreamChanged,
)
from onemcp.core.lifecycle import State
from onemcp.core.spec import UpstreamSpec
from onemcp.errors import ConfigError, Problem
from onemcp.ops.alerts.signals import of_instance, of_servers, of_upstream


def moved(state: State, previous: State = State.CONNECTING) -> list[tuple[str, bool]]:
    event = UpstreamChanged("git", state, previous, "why", 1.0, None)
    return [(signal.kind, signal.is_on) for signal in of_upstream(event)]


@pytest.mark.parametrize(
    ("state", "previous", "expected"),
    [
        (State.READY, State.CONNECTING, [("server_down", False), ("server_needs_authorization", False)]),
        (State.BACKOFF, State.READY, [("server_down", True), ("server_flapping", True)]),
        (State.FAILED, State.READY, [("server_down", True), ("server_flapping", True)]),
        (State.BACKOFF, State.CONNECTING, [("server_down", True)]),
        (State.AWAITING_AUTH, State.READY, [("server_needs_authorization", True)]),
        (State.CONNECTING, State.BACKOFF, []),
        (State.STOPPING, State.READY, []),
    ],
)
def test_a_server_that_moves(state: State, previous: State, expected: list[tuple[str, bool]]) -> None:
    assert moved(state, previous) == expected


def fault_of(text: str) -> Problem:
    with pytest.raises(ConfigError) as caught:
        expand(text, {})
    return caught.value.problems[0]


@pytest.mark.parametrize(
    ("text", "unresolved"), [("${NOT_SET}", True), ("${SECRET:key}", True), ("${", False)]
)
def test_a_server_whose_entry_names_what_is_not_there_is_not_also_down(text: str, unresolved: bool) -> None:
    spec = UpstreamSpec("git", None, fault=fault_of(text))
    kinds = [signal.kind for signal in of_servers([(spec, State.FAILED)]) if signal.is_on]
    assert kinds == (["secret_unresolved"] if unresolved else ["server_down"])


def test_a_server_that_is_well_has_its_secrets() -> None:
    (signal,) = of_servers([(UpstreamSpec("git", None), State.READY)])
    assert (signal.kind, signal.is_on) == ("secret_unresolved", False)


@pytest.mark.parametrize(
    ("event", "expected"),
    [
        (ConfigReloaded("f", "bad"), Signal("config_reload_failed", "", "bad")),
        (ConfigReloaded("f"), Signal("config_reload_failed", "", "it was reloaded", is_on=False)),
        (StoreChanged("full"), Signal("store_unreachable", "", "full")),
        (StoreChanged(), Signal("store_unreachable", "", "it answers again", is_on=False)),
        (LoopStalled(2.345), Signal("event_loop_stalled", "", "nothing was done for 2.3 s")),
        (InstanceDraining(30.0), Signal("instance_draining", "", "it ends within 30 s")),
        (Alarm("auth_failure_burst", "x", "s"), Signal("auth_failure_burst", "x", "s")),
    ],
)
def test_what_is_not_about_one_server(event: object, expected: Signal) -> None:
    assert list(of_instance(event)) == [expected]
    assert expected.kind in ALERT_KINDS
