"""`1mcp log-level`: the log level of the running gateway; another one, for a while or until it ends."""

import argparse
import json
from collections.abc import Mapping
from typing import Any

from onemcp.cli.arguments import Parser
from onemcp.cli.control import add_reach, gateway, print_json
from onemcp.cli.duration import seconds, shown
from onemcp.cli.outcome import CommandError, Exit
from onemcp.ops.logs.level import LEVELS, LONGEST


def define(parser: Parser) -> None:
    """The command's arguments."""
    parser.add_argument(
        "level", nargs="?", default="", metavar="|".join(LEVELS), help="shows the present one if left out"
    )
    parser.add_argument(
        "--for",
        dest="time",
        default="",
        metavar="TIME",
        help="back to the configured level after this time, as 30s, 10m, 2h",
    )
    parser.add_argument("--json", action="store_true", help="print the control API's answer")
    add_reach(parser)


def run(args: argparse.Namespace, environ: Mapping[str, str]) -> Exit:
    """Set the level if one was given, and print what it is.

    Raises:
        CommandError: no gateway runs, or it knows no such level.
    """
    try:
        time = seconds(args.time) if args.time else 0.0
    except ValueError as error:
        raise CommandError(f"--for: {error}", code=Exit.USAGE) from error
    if time > LONGEST:
        raise CommandError(f"--for: a level is set for at most {shown(LONGEST)}", code=Exit.USAGE)
    if args.level and args.level not in LEVELS:
        what = f"unknown log level {args.level}"
        raise CommandError(what, f"there are {', '.join(LEVELS)}", Exit.USAGE)
    if time and not args.level:
        raise CommandError("--for needs a level", "as 1mcp log-level debug --for 10m", Exit.USAGE)
    there = gateway(args, environ)
    body = there.set_log_level(args.level, time) if args.level else there.log_level()
    if args.json:
        print_json(body)
    else:
        print(render(json.loads(body)))
    return Exit.OK


def render(answer: Mapping[str, Any]) -> str:
    """The level for a person."""
    said = f"the log level is {answer['level']}"
    if answer["seconds"]:
        said += f" for {shown(answer['seconds'])}, then {answer['configured']} again"
    elif answer["level"] != answer["configured"]:
        said += f" until the gateway ends; {answer['configured']} is configured"
    if answer["lost"]:
        said += f"\nlines of the log that could not be written: {answer['lost']}"
    return said
