"""Loggers whose lines others can cause at will are held to a rate."""

import logging
import time
from collections.abc import Callable
from typing import Final

from onemcp.core.trickle import Trickle

RATE: Final = 20.0
"""Lines a second that pass in the long run, of each upstream."""
BURST: Final = 100
LIMITED: Final = ("onemcp.gateway.answers", "onemcp.upstream.message")
"""What clients are told, and what upstreams say. (Their standard error is limited where it is read.)"""
_MAX_KEYS: Final = 1000


class RateLimit(logging.Filter):
    """Lets a trickle through; the next line that passes says in `left_out` how many did not."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self._clock = clock
        self._trickles: dict[str, Trickle] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether a record passes; those of one upstream cost another one nothing."""
        arguments = record.args
        is_named = str(record.msg).startswith("%s: ") and isinstance(arguments, tuple) and arguments
        key = str(arguments[0]) if is_named and isinstance(arguments, tuple) else ""
        trickle = self._trickles.get(key)
        if trickle is None:
            if len(self._trickles) >= _MAX_KEYS:
                self._trickles.clear()
            trickle = self._trickles[key] = Trickle(RATE, BURST)
        if not trickle.passes(self._clock()):
            return False
        if trickle.held_back:
            record.left_out = trickle.held_back
            trickle.held_back = 0
        return True
