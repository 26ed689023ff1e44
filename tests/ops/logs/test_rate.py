import logging

from onemcp.core.access import View
from onemcp.gateway.context import CallContext
from onemcp.gateway.trail import Trail, following
from onemcp.ops.logs.rate import BURST, MAX_KEYS, RATE, RateLimit
from onemcp.wire.revisions import LATEST_STATELESS, Era


def record(message: str, *arguments: object, logger: str = "onemcp.x") -> logging.LogRecord:
    return logging.LogRecord(logger, logging.INFO, __file__, 1, message, arguments, None)


def passes_about(limit: RateLimit, server: str) -> bool:
    """Whether a line that names no server passes in the course of a request to one."""
    trail = Trail()
    trail.context = CallContext(Era.STATELESS, LATEST_STATELESS, View(), upstream=server)
    with following(trail):
        return limit.filter(record("answered with error %d", -32603))


def test_a_flood_is_a_trickle_that_says_what_it_left_out() -> None:
    now = 100.0
    limit = RateLimit(lambda: now)
    passed = [limit.filter(record("%s: x", "alpha")) for _ in range(BURST + 7)]
    assert passed.count(True) == BURST
    now += 1.5 / RATE
    later = record("%s: x", "alpha")
    assert limit.filter(later)
    assert getattr(later, "left_out", 0) == 7


def test_one_upstreams_flood_costs_another_nothing() -> None:
    limit = RateLimit(lambda: 100.0)
    for _ in range(BURST * 2):
        limit.filter(record("%s: x", "alpha"))
    assert limit.filter(record("%s: x", "beta"))
    assert limit.filter(record("about nobody"))


def test_the_errors_of_one_upstreams_calls_cost_those_of_another_nothing() -> None:
    limit = RateLimit(lambda: 100.0)
    assert [passes_about(limit, "alpha") for _ in range(BURST + 1)].count(True) == BURST
    assert passes_about(limit, "beta")
    assert limit.filter(record("about nobody's call"))


def test_what_a_server_says_does_not_hide_what_its_callers_are_told() -> None:
    limit = RateLimit(lambda: 100.0)
    for _ in range(BURST * 2):
        limit.filter(record("%s: x", "alpha", logger="onemcp.upstream.stderr"))
    assert limit.filter(record("%s: x", "alpha", logger="onemcp.gateway.answers"))


def test_what_is_counted_is_bounded() -> None:
    limit = RateLimit(lambda: 100.0)
    for number in range(MAX_KEYS + 10):
        limit.filter(record("%s: x", f"server {number}"))
    assert len(limit._trickles) == MAX_KEYS
