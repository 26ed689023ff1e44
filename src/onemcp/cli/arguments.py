"""The argument parser: argparse that says in one sentence what is wrong, with the nearest thing that is right."""

import argparse
from collections.abc import Sequence
from typing import Final, NoReturn

from onemcp.cli.outcome import CommandError, Exit
from onemcp.config.setting import nearest

_WIDTH: Final = 100


class _Formatter(argparse.RawDescriptionHelpFormatter):
    def __init__(self, prog: str) -> None:
        super().__init__(prog, max_help_position=34, width=_WIDTH)


class Parser(argparse.ArgumentParser):
    """The parser of one command. It never exits by itself but for `--help`."""

    def __init__(self, command: str, description: str) -> None:
        super().__init__(
            prog=f"1mcp {command}", description=description, formatter_class=_Formatter, allow_abbrev=False
        )

    def parse(self, argv: Sequence[str], *, mixed: bool = False) -> argparse.Namespace:
        """The arguments; with `mixed` options may stand between those that are none.

        Raises:
            CommandError: they mean nothing; exit code 2.
        """
        args, extra = self.parse_known_intermixed_args(argv) if mixed else self.parse_known_args(argv)
        if extra:
            self._refuse(extra[0])
        return args

    def error(self, message: str) -> NoReturn:
        """Raise what argparse would print.

        Raises:
            CommandError: always.
        """
        what = message.removeprefix("argument ").replace(": expected one argument", " needs a value")
        raise CommandError(what, f"see {self.prog} --help", Exit.USAGE)

    def _refuse(self, argument: str) -> NoReturn:
        if not argument.startswith("-") or argument == "-":
            raise CommandError(f"unexpected argument {argument}", f"see {self.prog} --help", Exit.USAGE)
        name = argument.partition("=")[0]
        options = [option for option in self._option_string_actions if option.startswith("--")]
        guess = nearest(name, options)
        fix = f"did you mean {guess}?" if guess else f"see {self.prog} --help"
        raise CommandError(f"unknown option {name}", fix, Exit.USAGE)
