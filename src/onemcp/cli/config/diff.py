"""`1mcp config diff`: what a reload would change in the running gateway.

Exit code 0, or with `--exit-code` 1 if anything would change, as `git diff` has it; 78 if the configuration is faulty,
3 if no gateway runs.
"""

import argparse
import json
from collections.abc import Mapping

from onemcp.cli.arguments import Parser
from onemcp.cli.config.check import tell
from onemcp.cli.config.plan import is_different, render
from onemcp.cli.config.reading import REACH, running
from onemcp.cli.control import print_json
from onemcp.cli.options import add_settings
from onemcp.cli.outcome import Exit
from onemcp.errors import ConfigError


def define(parser: Parser) -> None:
    """The verb's arguments."""
    parser.add_argument("--exit-code", action="store_true", help="exit with 1 if anything would change")
    parser.add_argument("--json", action="store_true", help="print the control API's answer")
    add_settings(parser, REACH)


def run(args: argparse.Namespace, environ: Mapping[str, str]) -> Exit:
    """Print it.

    Raises:
        CommandError: no gateway runs, or it does not answer.
    """
    try:
        body = running(args, environ).diff()
    except ConfigError as error:
        return tell(error.problems, as_json=args.json)
    answer = json.loads(body)
    if args.json:
        print_json(body)
    else:
        print(render(answer, done=False))
    return Exit.FAILED if args.exit_code and is_different(answer) else Exit.OK
