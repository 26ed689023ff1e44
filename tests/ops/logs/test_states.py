"""What `serve` tells a person, told to the log."""

import logging

import pytest

from onemcp.core.events import UpstreamChanged
from onemcp.core.lifecycle import State
from onemcp.core.spec import UpstreamSpec
from onemcp.errors import Problem
from onemcp.ops.logs.states import LOGGER, StateLog

SPECS = (
    UpstreamSpec("alpha", None),
    UpstreamSpec("beta", None),
    UpstreamSpec("faulty", None, fault=Problem("no such thing", "make one")),
    UpstreamSpec("off", None, disabled=True),
)


def moved(name: str, state: State, reason: str = "") -> UpstreamChanged:
    return UpstreamChanged(name, state, State.CONNECTING, reason, 0.5, None)


def test_the_start_is_told_and_the_sum_once_all_have_come_to_something(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with caplog.at_level(logging.INFO, LOGGER):
        states = StateLog(SPECS)
        states.started("http://a/mcp", "http://127.0.0.1:1/mcp", "mcp.json", ["odd"])
        states.changed(moved("alpha", State.READY))
        states.changed(moved("beta", State.BACKOFF, "refused"))
        states.changed(moved("beta", State.READY))
        states.stopped()
    told = caplog.messages
    assert told[0] == "odd"
    assert told[1].endswith("serves http://a/mcp (at http://127.0.0.1:1/mcp, behind a proxy) from mcp.json")
    assert told[2:] == [
        "faulty: is failed: no such thing; make one",
        "beta: is backoff: refused",
        "1 of 3 servers ready",
        "stopped; all servers have ended",
    ]


def test_without_servers_the_sum_is_told_at_once(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, LOGGER):
        StateLog(()).started("", "", "mcp.json", ())
    assert caplog.messages[0].endswith("serves its standard streams from mcp.json")
    assert caplog.messages[1] == "0 of 0 servers ready"
