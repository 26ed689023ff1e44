from hypothesis import given
from hypothesis import strategies as st

from onemcp.core.trickle import Trickle


def test_a_burst_passes_and_then_a_rate() -> None:
    trickle = Trickle(rate=2.0, burst=3)
    assert [trickle.passes(10.0) for _ in range(5)] == [True, True, True, False, False]
    assert trickle.held_back == 2
    assert [trickle.passes(10.5), trickle.passes(10.5), trickle.passes(11.0)] == [True, False, True]


def test_a_clock_that_goes_back_gives_nothing_away() -> None:
    trickle = Trickle(rate=1.0, burst=1)
    assert trickle.passes(100.0)
    assert not trickle.passes(1.0)
    assert not trickle.passes(100.5)
    assert trickle.passes(101.0)


@given(
    st.lists(st.floats(0, 1000), max_size=60),
    st.floats(0.1, 50),
    st.integers(1, 20),
)
def test_never_more_than_burst_and_rate_pass(times: list[float], rate: float, burst: int) -> None:
    times.sort()
    trickle = Trickle(rate, burst)
    passed = [now for now in times if trickle.passes(now)]
    if passed:
        assert len(passed) <= burst + (passed[-1] - times[0]) * rate + 1
    assert len(passed) + trickle.held_back == len(times)
