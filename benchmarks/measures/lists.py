"""`tools/list` with 500 tools on ten upstreams; parsing the answer, which a client has to do, is not in it."""

from msgspec.structs import replace

from benchmarks import fleet
from benchmarks.gateway import serving
from benchmarks.load import Load, Target
from benchmarks.measures.windows import compare
from benchmarks.process import free_port
from benchmarks.samples import Sample, Setting


def measure(setting: Setting) -> list[Sample]:
    """One session that lists over and over; beside it one upstream that has all 500 tools itself."""
    with (
        fleet.many(setting.folder) as upstreams,
        fleet.http("all", setting.folder, tools=500) as whole,
        serving(setting.executable, upstreams, free_port(), setting.folder) as gateway,
    ):
        direct = Load(
            targets=[Target(port=whole.port)],
            sessions=1,
            seconds=setting.seconds,
            warmup=setting.warmup,
            method="tools/list",
            contains='"echo_499"',
            pids=[whole.pid],
        )
        through = replace(
            direct,
            targets=[Target(port=gateway.port)],
            contains=f'"{gateway.tools[-1]}"',
            pids=[gateway.pid],
        )
        return compare("list-500", through, direct)
