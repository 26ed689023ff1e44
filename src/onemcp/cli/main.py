"""The command line as a whole: which command is meant, running it, and how that ends.

Exit codes (`onemcp.cli.outcome.Exit`): 0 when all went well; 1 when something could not be done, or what was asked
about is not well; 2 for what was typed wrongly; 3 where there is no gateway to ask; 78 (EX_CONFIG) for a
configuration that cannot be used, or none; 130 for Ctrl-C.

A command is a module with `define(parser)` and `run(args, environ)`, loaded only when it is meant, so that
`1mcp status` pays for no web server.
"""

import errno
import os
import sys
from collections.abc import Mapping, Sequence
from importlib import import_module
from typing import Any

from onemcp import __version__
from onemcp.cli.arguments import Parser
from onemcp.cli.commands import COMMANDS, which
from onemcp.cli.outcome import Exit, report
from onemcp.errors import OnemcpError


def run(argv: Sequence[str], environ: Mapping[str, str]) -> int:
    """Run one command; the exit code. Nothing that a person can cause ends in a traceback."""
    _never_fail_on_a_character()
    try:
        return _written(_run(argv, environ))
    except OnemcpError as error:
        return report(error)
    except KeyboardInterrupt:
        return Exit.INTERRUPTED
    except BrokenPipeError:
        # Whoever read the output has gone (`1mcp inspect | head`).
        _silence()
        return Exit.FAILED
    except OSError as error:
        if error.errno != errno.ENOSPC:
            raise
        _silence()
        print(f"1mcp: the output could not be written: {error.strerror}", file=sys.stderr)
        return Exit.FAILED


def _written(code: int) -> int:
    """The code, once all that was printed has left."""
    if not sys.stdout.closed:
        sys.stdout.flush()
    return code


def _silence() -> None:
    """Let Python not complain once more, on its way out, of what it could not write."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _run(argv: Sequence[str], environ: Mapping[str, str]) -> int:
    if argv and argv[0] in ("-h", "--help", "help"):
        print(overview())
        return Exit.OK
    if argv and argv[0] in ("-V", "--version"):
        print(f"onemcp {__version__}")
        return Exit.OK
    name, rest = which(argv)
    module: Any = import_module(COMMANDS[name].module)
    parser = Parser(name, f"{COMMANDS[name].summary}.".capitalize())
    module.define(parser)
    code: int = module.run(parser.parse(rest), environ)
    if not sys.stdout.closed:  # the stdio transport closes it
        sys.stdout.flush()
    return code


def overview() -> str:
    """The help of the whole."""
    names = max(map(len, COMMANDS))
    commands = "\n".join(f"  {name.ljust(names)}  {command.summary}" for name, command in COMMANDS.items())
    return (
        "usage: 1mcp [COMMAND] [OPTIONS]\n\n"
        "One MCP endpoint in front of all your MCP servers.\n\n"
        f"commands:\n{commands}\n\n"
        "1mcp COMMAND --help shows the options of one; 1mcp serve --help has every setting of the gateway.\n"
        "Every setting is also an environment variable (ONE_MCP_...), which overrides the option."
    )


def _never_fail_on_a_character() -> None:
    """Where the terminal has no UTF-8, print an escape instead of dying of it."""
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None:
            reconfigure(errors="backslashreplace")
