"""The resident memory of the gateway: idle with every upstream ready, and after a window of calls."""

from benchmarks import fleet
from benchmarks.gateway import serving
from benchmarks.load import Load, run
from benchmarks.process import free_port
from benchmarks.samples import Sample, Setting
from benchmarks.usage import children, rss_kib


def measure(setting: Setting) -> list[Sample]:
    """A fresh gateway; helper processes of its own, which are not upstreams, are counted apart."""
    with (
        fleet.pair(setting.folder) as upstreams,
        serving(setting.executable, upstreams, free_port(), setting.folder) as gateway,
    ):
        idle = rss_kib(gateway.pid)
        targets = [upstream.through(gateway.port) for upstream in upstreams]
        window = run(Load(targets=targets, sessions=64, seconds=setting.seconds, warmup=setting.warmup))
        loaded = rss_kib(gateway.pid)
        helpers = [pid for pid, line in children(gateway.pid).items() if "benchmarks.upstreams" not in line]
        return [
            Sample("memory.idle", idle / 1024),
            Sample("memory.loaded", loaded / 1024, errors=window.errors),
            Sample("memory.helpers", sum(map(rss_kib, helpers)) / 1024),
        ]
