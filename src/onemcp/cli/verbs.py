"""Commands that have verbs, as `1mcp config check`: which one is meant, and where it is."""

import argparse
from collections.abc import Mapping
from importlib import import_module
from typing import Any

from onemcp.cli.arguments import Parser
from onemcp.cli.commands import Command
from onemcp.cli.outcome import CommandError, Exit
from onemcp.config.setting import nearest


class Verbs:
    """The verbs of one command; each is a module with `define` and `run`, as a command is."""

    def __init__(self, command: str, verbs: Mapping[str, Command]) -> None:
        self._command = command
        self._verbs = verbs

    def define(self, parser: Parser) -> None:
        """The command's arguments: a verb, and what that verb takes."""
        room = max(map(len, self._verbs))
        verbs = "\n".join(f"  {name.ljust(room)}  {verb.summary}" for name, verb in self._verbs.items())
        parser.usage = f"1mcp {self._command} VERB [OPTIONS]"
        parser.epilog = f"verbs:\n{verbs}\n\n1mcp {self._command} VERB --help shows the options of one."
        parser.add_argument("verb", nargs="?", default="", help=argparse.SUPPRESS)
        parser.add_argument("rest", nargs=argparse.REMAINDER, help=argparse.SUPPRESS)

    def module(self, name: str) -> tuple[Any, Parser]:
        """The module of a verb, and the parser that it has defined.

        Raises:
            CommandError: there is no such verb.
        """
        if name not in self._verbs:
            guess = nearest(name, self._verbs)
            what = f"unknown verb {name}" if name else f"{self._command} needs a verb"
            fix = (
                f"did you mean 1mcp {self._command} {guess}?"
                if guess
                else f"there are {', '.join(self._verbs)}"
            )
            raise CommandError(what, fix, Exit.USAGE)
        module: Any = import_module(self._verbs[name].module)
        parser = Parser(f"{self._command} {name}", f"{self._verbs[name].summary}.".capitalize())
        module.define(parser)
        return module, parser
