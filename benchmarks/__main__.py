"""`python -m benchmarks`: measure onemcp, beside the same calls sent directly to the upstream."""

import argparse
import os
import resource
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import msgspec

from benchmarks import machine, report
from benchmarks.figures import GROUPS
from benchmarks.gateway import default_executable
from benchmarks.measures import calls, idle, lists, memory, operations, reloads, starts
from benchmarks.samples import Sample, Setting, summarise

OTHERS: dict[str, Callable[[Setting], list[Sample]]] = {
    "list-500": lists.measure,
    "start": starts.measure,
    "memory": memory.measure,
    "session": idle.measure,
    "operations": operations.measure,
    "reload": reloads.measure,
}


def parse() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="windows of one second")
    parser.add_argument(
        "--rounds", type=int, default=3, help="how often each figure is measured; medians are shown"
    )
    parser.add_argument(
        "--only", action="append", metavar="NAME", help=f"only this, may be repeated: {', '.join(GROUPS)}"
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the results here, too")
    parser.add_argument("--sessions", type=int, default=500, help="how many idle sessions are opened")
    parser.add_argument(
        "--gateway",
        type=Path,
        default=default_executable(),
        metavar="FILE",
        help="the executable to measure, in place of this environment's 1mcp",
    )
    options = parser.parse_args()
    unknown = set(options.only or ()) - set(GROUPS)
    if unknown:
        parser.error(f"nothing is called {', '.join(sorted(unknown))}; there are {', '.join(GROUPS)}")
    if not options.gateway.exists():
        parser.error(f"there is no {options.gateway}; `make bench` installs it first")
    return options


def measure_round(setting: Setting, names: set[str]) -> Iterator[Sample]:
    """One sample or more of every figure that was asked for."""
    cases = [case for case in calls.CASES if case.name in names]
    if cases:
        yield from calls.measure(setting, cases)
    for name, measure in OTHERS.items():
        if name in names:
            yield from measure(setting)


def allow_sockets(sessions: int) -> None:
    """Raise the soft limit of open files for the processes to come, which some systems set to 256."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    needed = sessions + 512
    if soft < needed:
        resource.setrlimit(
            resource.RLIMIT_NOFILE, (needed if hard == resource.RLIM_INFINITY else min(needed, hard), hard)
        )


def main() -> int:
    options = parse()
    allow_sockets(options.sessions)
    names = set(options.only or GROUPS)
    before = machine.facts()
    samples: list[Sample] = []
    with TemporaryDirectory(prefix="bench-") as folder:
        seconds, warmup = (1.0, 0.3) if options.quick else (2.5, 0.5)
        setting = Setting(options.gateway.absolute(), Path(folder), seconds, warmup, options.sessions)
        for index in range(options.rounds):
            print(f"round {index + 1} of {options.rounds}", file=sys.stderr)
            try:
                samples += measure_round(setting, names)
            except RuntimeError as error:
                print(error, file=sys.stderr)
                return 1
    summaries = summarise(samples)
    before["load_average_after"] = [round(load, 2) for load in os.getloadavg()]
    for name, value in before.items():
        print(f"{name.replace('_', ' ')}: {value}")
    print(f"\n{report.table(summaries)}")
    if options.json:
        result = report.as_json(summaries, before)
        options.json.write_bytes(msgspec.json.format(msgspec.json.encode(result), indent=2) + b"\n")
    return 1 if any(summary.errors for summary in summaries) else 0


if __name__ == "__main__":
    sys.exit(main())
