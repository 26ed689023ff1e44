"""The figures: how each is called, in what unit, which way is better and what it is to reach."""

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Figure:
    """One line of the table; `target` is what is to be reached, where something is."""

    label: str
    unit: str
    target: float | None = None
    more_is_better: bool = False

    def reached(self, value: float) -> bool | None:
        """Whether a value is as good as the target; None without one."""
        if self.target is None:
            return None
        return value >= self.target if self.more_is_better else value <= self.target


GROUPS: Final = {
    "calls-1": "calls, 1 session (stdio upstream)",
    "calls-16": "calls, 16 sessions (stdio and HTTP upstream)",
    "calls-64": "calls, 64 sessions (stdio and HTTP upstream)",
    "stdio-64": "calls, 64 sessions, stdio upstream",
    "http-64": "calls, 64 sessions, HTTP upstream",
    "stateless-64": "calls, 64 clients, 2026-07-28 on both sides",
    "translated-64": "calls, 64 sessions, upstreams at 2026-07-28",
    "list-500": "tools/list, 500 tools on 10 upstreams, 1 session",
    "start": "start",
    "memory": "resident memory",
    "session": "idle session",
    "operations": "metrics and logs at info, over neither",
    "reload": "reload, 200 servers of which one has changed",
}
"""What `--only` takes, and the table's headings, in its order."""

_WINDOW: Final = {
    "rate": ("a second", "1/s", True),
    "p50": ("p50", "ms", False),
    "p99": ("p99", "ms", False),
    "cpu": ("CPU of the process, each", "µs", False),
}
_TARGETS: Final = {
    "calls-64.rate": 15_000.0,
    "stdio-64.cpu": 60.0,
    "http-64.cpu": 70.0,
    "list-500.p50": 1.5,
}
_OTHERS: Final = {
    "start.initialize": Figure("process start to first initialize", "s", 0.4),
    "memory.idle": Figure("idle, upstreams ready", "MiB", 60),
    "memory.loaded": Figure("after 64 sessions of calls", "MiB", 80),
    "memory.helpers": Figure("helper processes, together", "MiB"),
    "session.kib": Figure("over a bare uvicorn connection", "KiB", 8),
    "operations.added": Figure("CPU added to each call", "µs", 5.0),
    "operations.bare": Figure("CPU of each call without", "µs"),
    "reload.one": Figure("demand to answer; beside it a restart", "s", 0.5),
    "session.bare": Figure("a bare uvicorn connection", "KiB"),
}


def figure(key: str) -> Figure:
    """The figure of a sample's key, `<group>.<quantity>`.

    Raises:
        KeyError: no such figure.
    """
    if key in _OTHERS:
        return _OTHERS[key]
    label, unit, more_is_better = _WINDOW[key.partition(".")[2]]
    return Figure(label, unit, _TARGETS.get(key), more_is_better)
