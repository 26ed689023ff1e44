"""`1mcp status`: how every server of the running gateway is.

Exit code 0 if all enabled servers are ready, 1 if one is not, 3 if no gateway runs.
"""

import argparse
import json
import os
import sys
import time
from collections.abc import Iterator, Mapping
from typing import Any, Final

from onemcp.cli.arguments import Parser
from onemcp.cli.control import add_reach, gateway, print_json
from onemcp.cli.outcome import Exit
from onemcp.cli.text import one_line, plain, state_style, table

_HEADER: Final = ("name", "state", "tools", "prompts", "resources", "revision", "transport", "reason")


def define(parser: Parser) -> None:
    """The command's arguments."""
    parser.add_argument("--json", action="store_true", help="print the control API's answer")
    add_reach(parser)


def run(args: argparse.Namespace, environ: Mapping[str, str]) -> Exit:
    """Print the state; the exit code says whether all is well.

    Raises:
        CommandError: no gateway runs, or it does not answer.
    """
    body = gateway(args, environ).status()
    status = json.loads(body)
    if args.json:
        print_json(body)
    else:
        print(render(status, environ))
    enabled = [server for server in status["servers"] if server["state"] != "disabled"]
    return Exit.OK if all(server["state"] == "ready" for server in enabled) else Exit.FAILED


def render(status: Mapping[str, Any], environ: Mapping[str, str] = os.environ) -> str:
    """The status for a person."""
    endpoint = status["endpoint"] or "standard streams"
    age = _duration(max(0.0, time.time() - status["started"]))
    head = f"onemcp {status['version']}  {plain(endpoint)}  pid {status['pid']}  up {age}"
    head += "".join(f"\n{line}" for line in _about_configuration(status))
    servers = status["servers"]
    if not servers:
        return f"{head}\n\nno servers are configured"
    rows = [_HEADER, *(_row(server) for server in servers)]
    return f"{head}\n\n{table(rows, styles={1: state_style(sys.stdout, environ)})}"


def _about_configuration(status: Mapping[str, Any]) -> Iterator[str]:
    """Where it is another one than its files say."""
    if error := status.get("reloadError"):
        yield f"the configuration was not reloaded, and the one before is in force: {one_line(error)}"
    if keys := status.get("needsRestart"):
        yield f"counts only after a restart: {', '.join(map(plain, keys))}"


def _row(server: Mapping[str, Any]) -> tuple[str, ...]:
    tools, prompts, resources = tally(server)
    return (
        plain(server["name"]),
        server["state"],
        str(tools),
        str(prompts),
        str(resources),
        server["revision"] or "-",
        server["transport"] or "-",
        one_line(server["reason"]),
    )


def tally(server: Mapping[str, Any]) -> tuple[int, int, int]:
    """How many tools, prompts and resources (templates among them) a server offers."""
    numbers = server["counts"]
    return numbers["tools"], numbers["prompts"], numbers["resources"] + numbers["resourceTemplates"]


def _duration(seconds: float) -> str:
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    if days:
        return f"{days} d {hours} h"
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min" if minutes else f"{rest} s"
