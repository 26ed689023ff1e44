"""The state of the whole: a table, line by line."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from onemcp.core.health import WORDS, Server, Status, overall
from onemcp.core.lifecycle import State

ON = [state for state in State if state is not State.DISABLED]
SERVERS = st.lists(
    st.builds(
        Server,
        name=st.text(max_size=3),
        state=st.sampled_from(ON),
        is_starting=st.booleans(),
        required=st.booleans(),
    ).map(lambda s: s if s.state is State.CONNECTING else Server(s.name, s.state, required=s.required)),
    max_size=6,
)


def server(state: State, *, is_starting: bool = False, required: bool = False) -> Server:
    return Server("s", state, is_starting, required)


READY, FAILED = server(State.READY), server(State.FAILED)
STARTING = server(State.CONNECTING, is_starting=True)


@pytest.mark.parametrize(
    ("servers", "expected"),
    [
        ([READY, READY], Status.HEALTHY),
        ([READY, READY, FAILED], Status.DEGRADED),
        ([READY, FAILED], Status.UNHEALTHY),
        ([FAILED], Status.UNHEALTHY),
        ([], Status.DEGRADED),
        ([STARTING], Status.DEGRADED),
        ([STARTING, FAILED], Status.DEGRADED),
        ([READY, READY, server(State.BACKOFF)], Status.DEGRADED),
        ([READY, READY, server(State.CONNECTING)], Status.DEGRADED),
        ([READY, READY, READY, server(State.AWAITING_AUTH)], Status.DEGRADED),
        ([READY, READY, READY, server(State.FAILED, required=True)], Status.UNHEALTHY),
        ([READY, server(State.CONNECTING, is_starting=True, required=True)], Status.DEGRADED),
    ],
)
def test_each_line_of_the_table(servers: list[Server], expected: Status) -> None:
    assert overall(servers) is expected


@given(SERVERS)
def test_without_a_configuration_nothing_is_well(servers: list[Server]) -> None:
    assert overall(servers, loaded=False) is Status.UNHEALTHY


@given(SERVERS, st.booleans())
def test_a_gateway_that_is_about_to_stop_is_unhealthy(servers: list[Server], loaded: bool) -> None:
    assert overall(servers, loaded=loaded, draining=True) is Status.UNHEALTHY


@given(SERVERS)
def test_healthy_means_that_every_server_answers(servers: list[Server]) -> None:
    well = bool(servers) and all(server.is_well for server in servers)
    assert (overall(servers) is Status.HEALTHY) is well


@given(SERVERS, st.floats(0, 1))
def test_one_server_more_that_is_well_never_makes_it_worse(servers: list[Server], below: float) -> None:
    order = [Status.UNHEALTHY, Status.DEGRADED, Status.HEALTHY]
    before = overall(servers, unhealthy_below=below)
    after = overall([*servers, READY], unhealthy_below=below)
    assert order.index(after) >= order.index(before)


@pytest.mark.parametrize(
    ("below", "expected"), [(0.0, Status.DEGRADED), (0.66, Status.DEGRADED), (0.67, Status.UNHEALTHY)]
)
def test_what_counts_as_too_few_can_be_chosen(below: float, expected: Status) -> None:
    assert overall([READY, READY, FAILED], unhealthy_below=below) is expected


def test_only_the_unhealthy_are_refused() -> None:
    assert {status: status.http for status in Status} == {"healthy": 200, "degraded": 200, "unhealthy": 503}


def test_every_state_of_a_server_that_is_on_has_its_word() -> None:
    assert {server(state).word for state in ON} == set(WORDS.values())
    assert set(WORDS) == set(ON)
