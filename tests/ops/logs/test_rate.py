import logging

from onemcp.ops.logs.rate import BURST, RATE, RateLimit


def record(message: str, *arguments: object) -> logging.LogRecord:
    return logging.LogRecord("onemcp.x", logging.INFO, __file__, 1, message, arguments, None)


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
