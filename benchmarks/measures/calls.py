"""Calls of 64 bytes: how many a second, how long each takes, and what CPU time it costs."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from msgspec.structs import replace

from benchmarks import fleet
from benchmarks.gateway import Gateway, serving
from benchmarks.load import Load
from benchmarks.measures.windows import compare
from benchmarks.process import free_port
from benchmarks.samples import Sample, Setting


@dataclass(frozen=True, slots=True)
class Case:
    """So many sessions of one era, dealt out evenly to the upstreams."""

    name: str
    sessions: int
    upstreams: Sequence[str] = ("stdio", "http")
    stateless: bool = False


CASES: Final = (
    Case("calls-1", 1),
    Case("calls-16", 16),
    Case("calls-64", 64),
    Case("stdio-64", 64, ["stdio"]),
    Case("http-64", 64, ["http"]),
    Case("stateless-64", 64, ["stdio-new", "http-new"], stateless=True),
    Case("translated-64", 64, ["stdio-new", "http-new"]),
)


def measure(setting: Setting, cases: Sequence[Case]) -> list[Sample]:
    """One round of the cases against one gateway that has an upstream for each transport and era."""
    with (
        fleet.both_eras(setting.folder) as upstreams,
        serving(setting.executable, list(upstreams.values()), free_port(), setting.folder) as gateway,
    ):
        return [sample for case in cases for sample in _case(case, upstreams, gateway, setting)]


def _case(
    case: Case, upstreams: dict[str, fleet.Upstream], gateway: Gateway, setting: Setting
) -> list[Sample]:
    chosen = [upstreams[name] for name in case.upstreams]
    direct = Load(
        targets=[upstream.direct() for upstream in chosen],
        sessions=case.sessions,
        seconds=setting.seconds,
        warmup=setting.warmup,
        stateless=case.stateless,
        pids=[upstream.pid for upstream in chosen if upstream.pid],
    )
    through = replace(
        direct, targets=[upstream.through(gateway.port) for upstream in chosen], pids=[gateway.pid]
    )
    return compare(case.name, through, direct)
