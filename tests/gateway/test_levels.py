"""The upstreams are asked for the most that anybody wants to hear, and for no longer than that."""

from hypothesis import given
from hypothesis import strategies as st

from onemcp.gateway.levels import REMEMBERED, Levels
from onemcp.wire.loglevel import LogLevel

ORDER = [level.value for level in LogLevel]


def test_it_is_the_lowest_of_all_and_the_usual_one_for_nobody() -> None:
    levels = Levels()
    assert levels.lowest(0.0) == "info"
    levels.hold("a", "error")
    assert levels.lowest(0.0) == "error"
    levels.hold("b", "debug")
    assert levels.lowest(0.0) == "debug"
    levels.release("b")
    assert levels.lowest(0.0) == "error"
    levels.release("a")
    levels.release("a")
    assert levels.lowest(0.0) == "info"


def test_what_a_request_asked_for_stands_for_a_while() -> None:
    levels = Levels()
    levels.hold("a", "error")
    assert levels.mention("debug", 0.0)
    assert not levels.mention("debug", 10.0)
    assert levels.lowest(REMEMBERED + 9) == "debug"
    assert levels.lowest(REMEMBERED + 10) == "error"
    assert levels.mention("debug", REMEMBERED + 10)


@given(st.dictionaries(st.integers(0, 9), st.sampled_from(ORDER), min_size=1))
def test_nobody_hears_less_than_it_asked_for(held: dict[int, str]) -> None:
    levels = Levels()
    for owner, level in held.items():
        levels.hold(owner, level)
    lowest = ORDER.index(levels.lowest(0.0))
    assert lowest == min(map(ORDER.index, held.values()))
