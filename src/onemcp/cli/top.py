"""`1mcp top`: how busy each server of the running gateway is, as a table that is drawn anew each second.

Without a terminal, or with --once, one table over one second is printed.
"""

import argparse
import json
import sys
import time
from collections.abc import Mapping
from typing import Any, Final

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
    first = before = _sample(there)
    is_live = sys.stdout.isatty() and not args.once
    if is_live:
        sys.stdout.write(_CLEAR)
    try:
        while True:
            time.sleep(_INTERVAL)
            now = _sample(there)
            shown = render(first, before, now, environ)
            if not is_live:
                print(shown)
                return Exit.OK
            lines = shown.replace("\n", f"{_REST_OF_LINE}\n")
            sys.stdout.write(f"{_HOME}{lines}{_REST_OF_LINE}\n{_REST}")
            sys.stdout.flush()
            before = now
    except KeyboardInterrupt:
        return Exit.OK


def _sample(there: Gateway) -> Sample:
    sample: Sample = json.loads(there.top())
    return sample


def render(first: Sample, before: Sample, now: Sample, environ: Mapping[str, str]) -> str:
    """The table: rates since `before`, durations since `first` (since the start if nothing was called since then)."""
    seconds = max(now["time"] - before["time"], 0.001)
    earlier = {server["name"]: server for server in before["servers"]}
    beginning = {server["name"]: server for server in first["servers"]}
    rows = [
        _row(server, earlier.get(server["name"], {}), beginning.get(server["name"], {}), seconds)
        for server in now["servers"]
    ]
    calls = sum(
        server.get("calls", 0) - earlier.get(server["name"], {}).get("calls", 0) for server in now["servers"]
    )
    head = (
        f"onemcp  pid {now['pid']}  cpu {max(0.0, now['cpu'] - before['cpu']) / seconds:.0%}  "
        f"memory {now['memory'] / _MEBI:.0f} MiB at most  {calls / seconds:.0f} calls/s  {now['tasks']} tasks"
    )
    if not now["metrics"]:
        head += "\ncalls are not counted: the gateway runs with --no-metrics, or on standard streams"
    body = table([_HEADER, *rows], styles={1: state_style(sys.stdout, environ)}) if rows else "no servers"
    return f"{head}\n\n{body}"


def _row(server: Sample, before: Sample, first: Sample, seconds: float) -> tuple[str, ...]:
    common = (plain(server["name"]), server["state"])
    load = (str(server["inFlight"]), str(server["waiting"]))
    if "calls" not in server:
        return (*common, "-", "-", "-", *load, "-", "-")
    rate = max(0, server["calls"] - before.get("calls", 0)) / seconds
    counts = server["durations"]
    since = [now - then for now, then in zip(counts, first.get("durations", [0] * len(counts)), strict=False)]
    counts = since if sum(since) > 0 and min(since) >= 0 else counts
    middle, most = (_milliseconds(quantile(server["bounds"], counts, part)) for part in (0.5, 0.95))
    return (*common, str(server["calls"]), f"{rate:.0f}", str(server["errors"]), *load, middle, most)


def _milliseconds(seconds: float | None) -> str:
    return "-" if seconds is None else f"{seconds * 1000:.0f} ms"
