"""How a command ends: its exit code, and the sentence that goes with every code but 0."""

import sys
from dataclasses import replace
from enum import IntEnum
from typing import TextIO

from onemcp.cli.text import plain
from onemcp.errors import ConfigError, OnemcpError, StartError


class Exit(IntEnum):
    """The exit codes of every command."""

    OK = 0
    FAILED = 1
    """It could not be done, or what was asked about is not well."""
    USAGE = 2
    """What was typed means nothing."""
    NO_GATEWAY = 3
    """There is no gateway to ask."""
    CONFIG = 78
    """The configuration cannot be used, or there is none; EX_CONFIG of sysexits.h."""
    INTERRUPTED = 130
    """Ctrl-C, before there was anything to stop in order."""


class CommandError(OnemcpError):
    """A command ends here: what happened, what to do about it, and the exit code."""

    def __init__(self, what: str, fix: str = "", code: Exit = Exit.FAILED) -> None:
        super().__init__(f"{what}; {fix}" if fix else what)
        self.what = what
        self.fix = fix
        self.code = code


def report(error: OnemcpError, stream: TextIO | None = None) -> Exit:
    """Say on standard error what happened and, indented below, what to do; the exit code that fits."""
    out = stream or sys.stderr
    if isinstance(error, ConfigError):
        for problem in error.problems:
            what = str(replace(problem, fix=""))
            _say(out, what if problem.file else f"1mcp: {what}", problem.fix)
        typed = all(problem.key.startswith("--") for problem in error.problems)
        return Exit.USAGE if typed else Exit.CONFIG
    if isinstance(error, CommandError | StartError):
        _say(out, f"1mcp: {error.what}", error.fix)
    else:
        _say(out, f"1mcp: {error}", "")
    return error.code if isinstance(error, CommandError) else Exit.FAILED


def _say(out: TextIO, what: str, fix: str) -> None:
    print(plain(what), file=out)
    for line in plain(fix).splitlines():
        print(f"      {line}" if line else "", file=out)
