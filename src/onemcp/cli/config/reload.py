"""`1mcp config reload`: have the running gateway read its configuration again.

Exit code 0 if what the files say is in force, 78 if it is faulty and the one before stays, 3 if no gateway runs.
"""

import argparse
import json
from collections.abc import Mapping

from onemcp.cli.arguments import Parser
from onemcp.cli.config.check import tell
from onemcp.cli.config.plan import render
from onemcp.cli.config.reading import REACH, running
from onemcp.cli.control import print_json
from onemcp.cli.options import add_settings
from onemcp.cli.outcome import Exit
from onemcp.errors import ConfigError


def define(parser: Parser) -> None:
    """The verb's arguments."""
    parser.add_argument("--json", action="store_true", help="print the control API's answer")
    add_settings(parser, REACH)


def run(args: argparse.Namespace, environ: Mapping[str, str]) -> Exit:
    """Ask for it, and print what it changed.

    Raises:
        CommandError: no gateway runs, or it does not answer.
    """
    try:
        body = running(args, environ).reload()
    except ConfigError as error:
        code = tell(error.problems, as_json=args.json)
        if not args.json:
            print("nothing was reloaded; the configuration before stays in force")
        return code
    if args.json:
        print_json(body)
    else:
        print(render(json.loads(body), done=True))
    return Exit.OK
