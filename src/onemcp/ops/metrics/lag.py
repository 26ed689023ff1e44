"""How late the event loop is: a timer that looks at the clock whenever it is called."""

import asyncio
from collections import deque
from collections.abc import Callable
from time import monotonic
from types import TracebackType
from typing import Final, Self

from onemcp.core.histogram import LAG, Histogram

INTERVAL: Final = 0.5
"""Seconds between two looks."""
_REMEMBERED: Final = 120
"""Looks, which is a minute."""


class LoopLag:
    """Looks while the block runs."""

    def __init__(self, interval: float = INTERVAL) -> None:
        self.histogram = Histogram(LAG)
        self._listeners: list[Callable[[float], None]] = []
        self._interval = interval
        self._latest: deque[float] = deque(maxlen=_REMEMBERED)
        self._loop = asyncio.get_running_loop()
        self._due = 0.0
        self._timer: asyncio.TimerHandle | None = None

    def __enter__(self) -> Self:
        """Begin to look."""
        self._arm()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop looking."""
        if self._timer is not None:
            self._timer.cancel()

    def listen(self, listener: Callable[[float], None]) -> None:
        """Hear how late each look was, in seconds. A listener must not block and must not raise."""
        self._listeners.append(listener)

    @property
    def worst(self) -> float:
        """The latest that it was within the last 120 looks."""
        return max(self._latest, default=0.0)

    def _arm(self) -> None:
        self._due = monotonic() + self._interval
        self._timer = self._loop.call_later(self._interval, self._look)

    def _look(self) -> None:
        late = max(0.0, monotonic() - self._due)
        self.histogram.note(late)
        self._latest.append(late)
        for listener in self._listeners:
            listener(late)
        self._arm()
