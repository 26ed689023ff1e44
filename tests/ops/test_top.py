import pytest
from hypothesis import given
from hypothesis import strategies as st

from onemcp.ops.top import quantile

BOUNDS = [0.1, 0.2, 0.5, 1.0]


@pytest.mark.parametrize(
    ("counts", "part", "expected"),
    [
        ([0, 0, 0, 0, 0], 0.5, None),
        ([10, 0, 0, 0, 0], 0.5, 0.05),
        ([0, 10, 0, 0, 0], 0.5, 0.15),
        ([5, 5, 0, 0, 0], 0.5, 0.1),
        ([90, 0, 0, 10, 0], 0.95, 0.75),
        ([0, 0, 0, 0, 3], 0.5, 1.0),
    ],
)
def test_a_quantile_lies_in_its_span(counts: list[int], part: float, expected: float | None) -> None:
    found = quantile(BOUNDS, counts, part)
    assert found == (pytest.approx(expected) if expected is not None else None)


@given(st.lists(st.integers(0, 1000), min_size=5, max_size=5), st.floats(0, 1), st.floats(0, 1))
def test_quantiles_rise_and_stay_within_the_bounds(counts: list[int], one: float, other: float) -> None:
    low, high = (quantile(BOUNDS, counts, part) for part in sorted((one, other)))
    if low is not None and high is not None:
        assert 0 <= low <= high + 1e-9 <= BOUNDS[-1] + 2e-9
