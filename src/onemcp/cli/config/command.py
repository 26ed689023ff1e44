"""`1mcp config`: which of its verbs is meant; each is a module with `define` and `run`, as a command is."""

import argparse
from collections.abc import Mapping
from importlib import import_module
from typing import Any, Final

from onemcp.cli.arguments import Parser
from onemcp.cli.commands import Command
from onemcp.cli.outcome import CommandError, Exit
from onemcp.config.setting import nearest

VERBS: Final = {
    "show": Command("onemcp.cli.config.show", "every value that counts, and where it comes from"),
    "check": Command("onemcp.cli.config.check", "all that is wrong, without starting anything"),
    "diff": Command("onemcp.cli.config.diff", "what a reload would change in the running gateway"),
    "reload": Command("onemcp.cli.config.reload", "have the running gateway read its configuration again"),
    "features": Command("onemcp.cli.config.features", "what can be switched off, and whether it is on"),
    "schema": Command("onemcp.cli.config.schema", "the JSON Schema of the file, for editors"),
}


def define(parser: Parser) -> None:
    """The command's arguments: a verb, and what that verb takes."""
    room = max(map(len, VERBS))
    verbs = "\n".join(f"  {name.ljust(room)}  {verb.summary}" for name, verb in VERBS.items())
    parser.usage = "1mcp config VERB [OPTIONS]"
    parser.epilog = f"verbs:\n{verbs}\n\n1mcp config VERB --help shows the options of one."
    parser.add_argument("verb", nargs="?", default="", help=argparse.SUPPRESS)
    parser.add_argument("rest", nargs=argparse.REMAINDER, help=argparse.SUPPRESS)


def run(args: argparse.Namespace, environ: Mapping[str, str]) -> Exit:
    """Do what the verb says.

    Raises:
        CommandError: there is no such verb, or it could not be done.
        ConfigError: the configuration cannot be used.
    """
    if args.verb not in VERBS:
        guess = nearest(args.verb, VERBS)
        what = f"unknown verb {args.verb}" if args.verb else "config needs a verb"
        fix = f"did you mean 1mcp config {guess}?" if guess else f"there are {', '.join(VERBS)}"
        raise CommandError(what, fix, Exit.USAGE)
    module: Any = import_module(VERBS[args.verb].module)
    parser = Parser(f"config {args.verb}", f"{VERBS[args.verb].summary}.".capitalize())
    module.define(parser)
    code: Exit = module.run(parser.parse(args.rest), environ)
    return code
