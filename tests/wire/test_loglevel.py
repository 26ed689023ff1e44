"""The order of log levels."""

from itertools import pairwise

import pytest

from onemcp.wire.loglevel import LogLevel, lower, passes


def test_each_level_lets_itself_and_what_is_more_severe_pass() -> None:
    for talkative, severe in pairwise(LogLevel):
        assert passes(severe, talkative)
        assert passes(severe, severe)
        assert not passes(talkative, severe)


@pytest.mark.parametrize(
    ("one", "other", "lowest"),
    [
        ("debug", "error", "debug"),
        ("error", "debug", "debug"),
        ("", "error", "error"),
        ("info", "", "info"),
        ("", "", ""),
    ],
)
def test_the_lower_level_is_the_more_talkative_one(one: str, other: str, lowest: str) -> None:
    assert lower(one, other) == lowest
