"""`1mcp serve`: start the gateway and tell a person how the start goes.

Exit code 0 after an orderly stop, 78 for a configuration that cannot be used (or none), 2 for an option that means
nothing, 1 for what the machine refuses.
"""

import argparse
import asyncio
import io
import shlex
import sys
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Final, TextIO, cast
from urllib.parse import urlsplit

from onemcp.app.plan import Plan, Started
from onemcp.app.serve import run as serve
from onemcp.cli.arguments import Parser
from onemcp.cli.commands import unknown_command
from onemcp.cli.console import Console
from onemcp.cli.find import find, five_lines
from onemcp.cli.options import add_settings
from onemcp.cli.outcome import CommandError, Exit, report
from onemcp.cli.printer import Printer
from onemcp.cli.text import plain
from onemcp.config.loading import load
from onemcp.config.settings import Settings, resolve
from onemcp.core.events import Events, UpstreamChanged
from onemcp.errors import OnemcpError
from onemcp.ops.logs.entry import Entry
from onemcp.ops.logs.format import as_json
from onemcp.ops.logs.states import for_people

_DEFAULT_PORT: Final = 3050


def define(parser: Parser) -> None:
    """The command's arguments: the table of settings."""
    parser.usage = "1mcp [serve] [--config FILE] [OPTIONS]"
    parser.epilog = "A variable overrides the option, the option overrides the configuration file."
    parser.add_argument("word", nargs="?", default="serve", help=argparse.SUPPRESS)
    add_settings(parser)


def run(args: argparse.Namespace, environ: Mapping[str, str]) -> Exit:
    """Serve until somebody stops it.

    Where the log is JSON and goes to no terminal, nothing but JSON lines is written, the reason of a refused start too.

    Raises:
        ConfigError, StartError, CommandError: it was not started, or had to stop.
    """
    typed = vars(args)
    word = typed.pop("word")
    if word != "serve":
        raise unknown_command(word)
    first = resolve(environ, typed)
    if _for_programs(first, sys.stderr):
        return _in_json(lambda: _started(first, typed, environ))
    return _started(first, typed, environ)


def _started(first: Settings, typed: Mapping[str, Any], environ: Mapping[str, str]) -> Exit:
    """Serve; `first` are the settings as they are without the configuration file."""
    path = Path(first.config) if first.config else find(environ)
    if path is None:
        raise CommandError(five_lines(environ).removeprefix("1mcp: "), code=Exit.CONFIG)
    loaded = asyncio.run(load(path, environ, first))
    settings = replace(resolve(environ, typed, loaded.document.settings), config=str(path))
    plan = Plan(settings, loaded, environ, first, typed)
    if _for_programs(settings, sys.stdout if settings.transport == "http" else sys.stderr):
        return _in_json(lambda: _serve_unseen(plan))
    if for_people(settings):
        _note((*settings.notices, *loaded.document.notices))
    _serve_seen(plan)
    return Exit.OK


def _for_programs(settings: Settings, out: TextIO) -> bool:
    """Whether what is written there is read by programs only."""
    return settings.log_format == "json" and not out.isatty()


def _serve_seen(plan: Plan) -> None:
    """Serve, and tell a person how that goes."""
    settings = plan.settings
    out = sys.stdout if settings.transport == "http" else sys.stderr
    with Printer(out) as printer:
        console = Console(cast("TextIO", printer), plan.document.specs, _program(sys.argv[0]))

        def started(gateway: Started) -> None:
            reach = _reach(settings, gateway.local)
            console.started(gateway.endpoint, settings.source, reach, gateway.local)

        events = Events()
        events.listen(UpstreamChanged, console.changed)
        serve(plan, started, events)
        console.stopped()


def _serve_unseen(plan: Plan) -> Exit:
    serve(plan, lambda _: None, Events())
    return Exit.OK


def _in_json(work: Callable[[], Exit]) -> Exit:
    """Do it; if that is refused, the reason is a line of JSON, as all that is read there."""
    try:
        return work()
    except OnemcpError as error:
        told = io.StringIO()
        code = report(error, told)
        message = told.getvalue().strip().removeprefix("1mcp: ")
        sys.stderr.write(as_json(Entry(time.time(), "error", "onemcp", message, "", {})).decode())
        return code


def _program(called: str) -> str:
    """How this program was called: by a path from here, else by its name."""
    return called if called.startswith((".", "..")) and called.endswith("1mcp") else "1mcp"


def _note(notices: Iterable[str]) -> None:
    for notice in notices:
        print(f"1mcp: {plain(notice)}", file=sys.stderr)


def _reach(settings: Settings, local: str) -> str:
    """What the other commands need to find this gateway; nothing where they find it by themselves."""
    if settings.state_dir:
        return f" --state-dir {shlex.quote(str(Path(settings.state_dir).absolute()))}"
    port = urlsplit(local).port if local else None
    return f" --port {port}" if port not in (None, _DEFAULT_PORT) else ""
