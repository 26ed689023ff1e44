"""`1mcp logs`: the last lines of the running gateway's log, of one server or of all, and with -f those that come."""

import argparse
import json
import sys
from collections.abc import Mapping

from onemcp.cli.arguments import Parser
from onemcp.cli.control import add_reach, gateway
from onemcp.cli.outcome import CommandError, Exit
from onemcp.cli.text import plain
from onemcp.ops.logs.format import seconds_of, text

_LINES = 100


def define(parser: Parser) -> None:
    """The command's arguments."""
    parser.add_argument(
        "server", nargs="?", default="", metavar="SERVER", help="only lines about this server"
    )
    parser.add_argument("--follow", "-f", action="store_true", help="go on with each line as it comes")
    parser.add_argument(
        "--lines", "-n", type=int, default=_LINES, metavar="N", help=f"of the past (default {_LINES})"
    )
    parser.add_argument("--json", action="store_true", help="print each line as a JSON object")
    add_reach(parser)


def run(args: argparse.Namespace, environ: Mapping[str, str]) -> Exit:
    """Print the lines; with -f until Ctrl-C or the end of the gateway.

    Raises:
        CommandError: no gateway runs, or it has no such server.
    """
    if args.lines < 0:
        raise CommandError("--lines is a number from 0 on", code=Exit.USAGE)
    try:
        for line in gateway(args, environ).logs(args.server, args.lines, follow=args.follow):
            if args.json:
                sys.stdout.write(line.decode(errors="replace"))
            else:
                print(render(line))
            if args.follow:
                sys.stdout.flush()
    except KeyboardInterrupt:
        if not args.follow:
            raise
    return Exit.OK


def render(line: bytes) -> str:
    """One line for a person."""
    document = json.loads(line)
    return plain(text(document, seconds_of(document["timestamp"])))
