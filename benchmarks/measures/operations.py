"""What metrics and logs at info add to a call: a gateway with both beside one with neither."""

from typing import Final

from benchmarks import fleet
from benchmarks.gateway import QUIET, Gateway, serving
from benchmarks.load import Load, run
from benchmarks.process import free_port
from benchmarks.samples import Sample, Setting
from benchmarks.window import Window

CALLS: Final = 20_000
"""How many each of the two is to answer in a round, so that ten rounds can be trusted."""
SESSIONS: Final = 64

_FULL: Final = ("--log-level", "info", "--metrics")
_BARE: Final = (*QUIET, "--no-metrics")


def measure(setting: Setting) -> list[Sample]:
    """Four windows, with, without, without, with: what changes steadily meanwhile changes neither sum."""
    with (
        fleet.pair(setting.folder) as upstreams,
        serving(setting.executable, upstreams, free_port(), setting.folder, _FULL) as full,
        serving(setting.executable, upstreams, free_port(), setting.folder, _BARE) as bare,
    ):
        windows = [run(_load(gateway, upstreams, setting)) for gateway in (full, bare, bare, full)]
    return _samples([windows[0], windows[3]], windows[1:3])


def _load(gateway: Gateway, upstreams: tuple[fleet.Upstream, ...], setting: Setting) -> Load:
    return Load(
        targets=[upstream.through(gateway.port) for upstream in upstreams],
        sessions=SESSIONS,
        seconds=setting.seconds,
        warmup=setting.warmup,
        pids=[gateway.pid],
    )


def _samples(full: list[Window], bare: list[Window]) -> list[Sample]:
    calls = min(sum(window.calls for window in windows) for windows in (full, bare))
    errors = sum(window.errors for window in (*full, *bare))
    warning = f"fewer than {CALLS:,} calls of each in a round" if calls < CALLS else ""
    without = _cost(bare)
    return [
        Sample("operations.added", _cost(full) - without, errors=errors, warning=warning),
        Sample("operations.bare", without),
    ]


def _cost(windows: list[Window]) -> float:
    """CPU time of a call, in microseconds."""
    calls = sum(window.calls for window in windows)
    return sum(window.cpu_us * window.calls for window in windows) / max(1, calls)
