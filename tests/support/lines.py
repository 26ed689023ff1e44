"""Lines of the log for tests, and a bounded wait."""

import time
from collections.abc import Callable

from onemcp.ops.logs.entry import Entry


def entry(message: str = "all is well", server: str = "") -> Entry:
    """A line."""
    return Entry(1_795_526_388.0, "info", "onemcp", message, server, {})


def eventually(condition: Callable[[], bool], limit: float = 10.0) -> None:
    """Return when it holds; fail when it does not in time."""
    deadline = time.monotonic() + limit
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.005)
