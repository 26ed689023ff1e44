from math import inf

import pytest
from hypothesis import given
from hypothesis import strategies as st

from onemcp.core.histogram import LAG, OPERATION, Histogram

values = st.lists(st.floats(0, 400, allow_nan=False), max_size=60)


def filled(numbers: list[float]) -> Histogram:
    histogram = Histogram(OPERATION)
    for number in numbers:
        histogram.note(number)
    return histogram


@pytest.mark.parametrize("bounds", [OPERATION, LAG])
def test_bounds_rise(bounds: tuple[float, ...]) -> None:
    assert list(bounds) == sorted(set(bounds))


def test_a_bound_belongs_to_its_own_span() -> None:
    assert dict(filled([0.01]).cumulative())[0.01] == 1
    assert dict(filled([0.010001]).cumulative())[0.01] == 0


@given(values)
def test_a_line_counts_all_values_up_to_its_bound_and_the_last_one_all(numbers: list[float]) -> None:
    histogram = filled(numbers)
    for bound, count in histogram.cumulative():
        assert count == sum(number <= bound for number in numbers)
    assert histogram.cumulative()[-1] == (inf, histogram.count) == (inf, len(numbers))
    assert histogram.total == pytest.approx(sum(numbers))


def test_a_copy_does_not_change_any_more() -> None:
    histogram = filled([1.0])
    copy = histogram.copy()
    histogram.note(2.0)
    assert (copy.count, copy.total) == (1, 1.0)
