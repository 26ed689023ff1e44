"""A histogram: how many values fell into which span, and their sum. Noting one costs a fraction of a microsecond."""

from bisect import bisect_left
from collections.abc import Sequence
from typing import Final

OPERATION: Final = (0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0)
"""Upper bounds in seconds that OpenTelemetry asks for in the duration of an MCP operation."""
LAG: Final = (0.001, 0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)
"""Upper bounds in seconds for how late an event loop is."""


class Histogram:
    """Counts of values by rising upper bounds, which belong to their span, and one more for what is above them all."""

    __slots__ = ("bounds", "counts", "total")

    def __init__(self, bounds: Sequence[float]) -> None:
        self.bounds = bounds
        self.counts = [0] * (len(bounds) + 1)
        self.total = 0.0
        """The sum of all values."""

    def note(self, value: float) -> None:
        """One more value."""
        self.counts[bisect_left(self.bounds, value)] += 1
        self.total += value

    @property
    def count(self) -> int:
        """How many values there were."""
        return sum(self.counts)

    def copy(self) -> "Histogram":
        """The same at this moment."""
        twin = Histogram(self.bounds)
        twin.counts = self.counts.copy()
        twin.total = self.total
        return twin

    def cumulative(self) -> list[tuple[float, int]]:
        """Each upper bound with the number of values up to it; the last bound is infinite."""
        reached = 0
        lines = []
        for bound, count in zip((*self.bounds, float("inf")), self.counts, strict=True):
            reached += count
            lines.append((bound, reached))
        return lines
