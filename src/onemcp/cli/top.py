"""`1mcp top`: how busy each server of the running gateway is, as a table that is drawn anew each second.

A terminal that has no room for all servers shows the busiest. Without a terminal, or with --once, one table over one second is printed.
"""

import argparse
import json
import shutil
import sys
import time
from collections.abc import Mapping, Sequence
from typing import Any, Final, NoReturn

from onemcp.cli.arguments import Parser
from onemcp.cli.control import Gateway, add_reach, gateway, print_json
from onemcp.cli.outcome import Exit
from onemcp.cli.text import plain, state_style, table
from onemcp.ops.top import quantile

_HEADER: Final = ("name", "state", "calls", "calls/s", "errors", "in flight", "waiting", "p50", "p95")
_INTERVAL: Final = 1.0
_HOME: Final = "\x1b[H"
_CLEAR: Final = "\x1b[2J"
_REST_OF_LINE: Final = "\x1b[K"
_REST: Final = "\x1b[J"
_CUT: Final = "\x1b[?7l"
"""What has no room in its line is left out (DECAWM), or one line would take two."""
_WRAP: Final = "\x1b[?7h"
_MEBI: Final = 1024 * 1024

Sample = Mapping[str, Any]


def define(parser: Parser) -> None:
    """The command's arguments."""
    parser.add_argument("--once", action="store_true", help="print one table and end")
    parser.add_argument("--json", action="store_true", help="print the control API's answer and end")
    add_reach(parser)


def run(args: argparse.Namespace, environ: Mapping[str, str]) -> Exit:
    """Show the table until Ctrl-C.

    Raises:
        CommandError: no gateway runs, or it does not answer.
    """
    there = gateway(args, environ)
    if args.json:
        print_json(there.top())
        return Exit.OK
    first = _sample(there)
    if args.once or not sys.stdout.isatty():
        time.sleep(_INTERVAL)
        print(render(first, first, _sample(there), environ))
        return Exit.OK
    sys.stdout.write(_CLEAR)
    try:
        _go_on(there, first, environ)
    except KeyboardInterrupt:
        return Exit.OK


def _go_on(there: Gateway, first: Sample, environ: Mapping[str, str]) -> NoReturn:
    """Draw the table each second."""
    before = first
    while True:
        time.sleep(_INTERVAL)
        now = _sample(there)
        shown = render(first, before, now, environ, shutil.get_terminal_size().lines - 1)
        lines = shown.replace("\n", f"{_REST_OF_LINE}\n")
        sys.stdout.write(f"{_CUT}{_HOME}{lines}{_REST_OF_LINE}\n{_REST}{_WRAP}")
        sys.stdout.flush()
        before = now


def _sample(there: Gateway) -> Sample:
    sample: Sample = json.loads(there.top())
    return sample


def render(
    first: Sample, before: Sample, now: Sample, environ: Mapping[str, str], room: int = sys.maxsize
) -> str:
    """The table: rates since `before`, durations since `first` (since the start if nothing was called since then).

    It has at most `room` lines, or a few if that is not enough for one server.
    """
    seconds = max(now["time"] - before["time"], 0.001)
    earlier = {server["name"]: server for server in before["servers"]}
    beginning = {server["name"]: server for server in first["servers"]}
    calls = {server["name"]: _new_calls(server, earlier.get(server["name"], {})) for server in now["servers"]}
    head = (
        f"onemcp  pid {now['pid']}  cpu {max(0.0, now['cpu'] - before['cpu']) / seconds:.0%}  "
        f"memory {now['memory'] / _MEBI:.0f} MiB at most  {sum(calls.values()) / seconds:.0f} calls/s  "
        f"{now['tasks']} tasks"
    )
    if not now["metrics"]:
        head += "\ncalls are not counted: the gateway runs with --no-metrics, or on standard streams"
    shown = _fitting(now["servers"], calls, room - head.count("\n") - 3)
    rows = [
        _row(server, calls[server["name"]] / seconds, beginning.get(server["name"], {})) for server in shown
    ]
    body = table([_HEADER, *rows], styles={1: state_style(sys.stdout, environ)}) if rows else "no servers"
    if len(shown) < len(now["servers"]):
        body += f"\nand {len(now['servers']) - len(shown)} that are less busy; --once prints all"
    return f"{head}\n\n{body}"


def _new_calls(server: Sample, before: Sample) -> int:
    """Calls since then; none if the counts began anew meanwhile."""
    return max(0, int(server.get("calls", 0)) - int(before.get("calls", 0)))


def _fitting(servers: Sequence[Sample], calls: Mapping[str, int], room: int) -> Sequence[Sample]:
    """All servers, or where there is no room for them the busiest, and room for a line that says so."""
    if len(servers) <= room:
        return servers

    def business(server: Sample) -> tuple[int, int]:
        return server["inFlight"] + server["waiting"], calls[server["name"]]

    return sorted(servers, key=business, reverse=True)[: max(1, room - 1)]


def _row(server: Sample, rate: float, first: Sample) -> tuple[str, ...]:
    common = (plain(server["name"]), server["state"])
    load = (str(server["inFlight"]), str(server["waiting"]))
    if "calls" not in server:
        return (*common, "-", "-", "-", *load, "-", "-")
    counts = server["durations"]
    since = [now - then for now, then in zip(counts, first.get("durations", [0] * len(counts)), strict=False)]
    counts = since if sum(since) > 0 and min(since) >= 0 else counts
    middle, most = (_milliseconds(quantile(server["bounds"], counts, part)) for part in (0.5, 0.95))
    return (*common, str(server["calls"]), f"{rate:.0f}", str(server["errors"]), *load, middle, most)


def _milliseconds(seconds: float | None) -> str:
    return "-" if seconds is None else f"{seconds * 1000:.0f} ms"
