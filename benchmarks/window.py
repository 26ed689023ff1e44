"""One window of time: what was answered in it, how fast, and what it cost."""

import time
from collections.abc import Sequence

import msgspec

from benchmarks.usage import cpu_seconds


class Window(msgspec.Struct, frozen=True):
    """What was seen.

    `cpu_us` is the CPU time of the measured processes a call, `generator` this process's own share of a core.
    """

    calls: int
    errors: int
    rate: float
    p50_ms: float
    p99_ms: float
    cpu_us: float
    generator: float


class Recorder:
    """Counts answers between two readings of the clocks."""

    def __init__(self, pids: Sequence[int]) -> None:
        self._pids = pids
        self.latencies: list[float] = []
        self.errors = 0
        self.over = False

    def begin(self) -> None:
        """Forget the warm-up and read the clocks; errors of the warm-up still count."""
        self.latencies.clear()
        self._wall, self._own, self._theirs = self._clocks()

    def end(self) -> Window:
        """Read the clocks again; sessions send nothing more."""
        self.over = True
        wall, own, theirs = (now - then for now, then in zip(self._clocks(), self._before(), strict=True))
        ordered = sorted(self.latencies) or [0.0]
        calls = len(self.latencies)
        return Window(
            calls=calls,
            errors=self.errors,
            rate=calls / wall,
            p50_ms=1000 * ordered[len(ordered) // 2],
            p99_ms=1000 * ordered[len(ordered) * 99 // 100],
            cpu_us=1e6 * theirs / max(1, calls),
            generator=own / wall,
        )

    def _before(self) -> tuple[float, float, float]:
        return self._wall, self._own, self._theirs

    def _clocks(self) -> tuple[float, float, float]:
        return time.perf_counter(), time.process_time(), sum(cpu_seconds(pid) for pid in self._pids)
