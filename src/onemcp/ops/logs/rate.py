"""Loggers whose lines others can cause at will are held to a rate."""

import logging
import time
from collections.abc import Callable
from typing import Final

from onemcp.core.trickle import Trickle
from onemcp.ops.logs.entry import server_of

RATE: Final = 20.0
"""Lines a second that pass in the long run, of each upstream."""
BURST: Final = 100
LIMITED: Final = ("onemcp.gateway.answers", "onemcp.upstream.message", "onemcp.upstream.stderr")
"""What clients are told, and what upstreams say; their standard error is also limited where each child's is read."""
MAX_KEYS: Final = 3000
"""Loggers and upstreams whose lines are counted at a time; of more, those that came first are counted anew."""


class RateLimit(logging.Filter):
    """Lets a trickle through; the next line that passes says in `left_out` how many did not."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self._clock = clock
        self._trickles: dict[tuple[str, str], Trickle] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether a record passes; those of one upstream, or of another kind, cost nothing. Called in the task that logs."""
        key = record.name, server_of(record)
        trickle = self._trickles.get(key)
        if trickle is None:
            if len(self._trickles) >= MAX_KEYS:
                del self._trickles[next(iter(self._trickles))]
            trickle = self._trickles[key] = Trickle(RATE, BURST)
        if not trickle.passes(self._clock()):
            return False
        if trickle.held_back:
            record.left_out = trickle.held_back
            trickle.held_back = 0
        return True
