"""How many file descriptors are left: who comes new is sent away before there are none for those who are here."""

import logging
import math
import os
import resource
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Final

from onemcp.errors import RpcError
from onemcp.wire.envelope import INTERNAL_ERROR

SHARE: Final = 0.9
"""The part of the process's limit that may be in use before new sessions are refused."""
REASON: Final = "too_many_open_files"
"""`data.reason` of the error that they get."""
_OWN: Final = "/proc/self/fd"
PAUSE: Final = 60.0
"""Seconds between two lines in the log at least."""

_log = logging.getLogger("onemcp")


class Descriptors:
    """Whether they run short."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._was_short = False
        self._clock = clock
        self._told_at = -math.inf

    def look(self) -> bool:
        """Count them, and say in the log when they begin to run short; microseconds, however many there are."""
        most, open_now = limit(), used()
        was_short, is_short = self._was_short, open_now >= most * SHARE
        self._was_short = is_short
        now = self._clock()
        if is_short and not was_short and now - self._told_at >= PAUSE:
            self._told_at = now
            _log.error(
                "%d of %d file descriptors are in use, so new sessions are refused; raise the limit (ulimit -n)",
                open_now,
                most,
            )
        return is_short


def limit() -> int:
    """How many the process may have open (`RLIMIT_NOFILE`)."""
    return resource.getrlimit(resource.RLIMIT_NOFILE)[0]


def used(folder: str = _OWN) -> int:
    """How many are open; where the system does not count them in `folder`, the lowest that is free: that many are open at least.

    Source: Linux 6.2, `proc_fd_getattr` (the size of the folder is their number); POSIX, `open` (the lowest is given).
    """
    with suppress(OSError):
        if counted := os.stat(folder).st_size:  # noqa: PTH116 - half as dear
            return counted
    try:
        free = os.open(os.devnull, os.O_RDONLY)
    except OSError:
        return limit()
    os.close(free)
    return free


def exhausted() -> RpcError:
    """The answer to a client that wants a new session when they run short: nothing was done."""
    what = "The gateway has nearly no file descriptors left and opens no new session; try again in a moment"
    return RpcError(INTERNAL_ERROR, what, {"reason": REASON}, status=503)
