"""`1mcp serve`: start the gateway and tell a person how the start goes.

Exit code 0 after an orderly stop, 78 for a configuration that cannot be used (or none), 2 for an option that means
nothing, 1 for what the machine refuses.
"""

import argparse
import shlex
import sys
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Final, TextIO, cast
from urllib.parse import urlsplit

from onemcp.app.parts import Plan, Started
from onemcp.app.serve import run as serve
from onemcp.cli.arguments import Parser
from onemcp.cli.commands import unknown_command
from onemcp.cli.console import Console
from onemcp.cli.find import find, five_lines
from onemcp.cli.outcome import Exit
from onemcp.cli.printer import Printer
from onemcp.cli.text import plain
from onemcp.config.document import load
from onemcp.config.setting import Kind, Setting
from onemcp.config.settings import Settings, flags, resolve
from onemcp.core.events import Events, UpstreamChanged
from onemcp.ops.logs.states import for_people

_DEFAULT_PORT: Final = 3050


def define(parser: Parser) -> None:
    """The command's arguments: the table of settings."""
    parser.usage = "1mcp [serve] [--config FILE] [OPTIONS]"
    parser.epilog = "A variable overrides the option, the option overrides the configuration file."
    parser.add_argument("word", nargs="?", default="serve", help=argparse.SUPPRESS)
    for setting in flags():
        names = [setting.short, setting.flag] if setting.short else [setting.flag]
        parser.add_argument(*names, dest=setting.name, help=_help(setting), **_manner(setting))


def _help(setting: Setting) -> str:
    default = setting.default
    if setting.kind in (Kind.TEXT, Kind.CHOICE, Kind.INTEGER):
        shown = f"default {default}{' ' + setting.unit if setting.unit else ''}; "
    elif setting.kind is Kind.MILLISECONDS:
        shown = f"default {default:g} ms; "
    elif setting.kind is Kind.FRACTION:
        shown = f"default {default:g}; "
    else:
        shown = ""
    return f"{setting.help} ({shown}{setting.variable})".replace("%", "%%")


def _manner(setting: Setting) -> dict[str, Any]:
    """What argparse needs beside name and help; values stay texts, which `resolve` reads."""
    if setting.kind is Kind.BOOLEAN:
        return {"action": argparse.BooleanOptionalAction, "default": argparse.SUPPRESS}
    if setting.kind is Kind.LIST:
        return {"action": "append", "metavar": "NAME,..."}
    if setting.kind is Kind.CHOICE:
        return {"metavar": "|".join(setting.choices)}
    words = {
        Kind.PATH: "PATH",
        Kind.INTEGER: "N",
        Kind.MILLISECONDS: "MS",
        Kind.FRACTION: "0..1",
        Kind.URL: "URL",
    }
    return {"metavar": words.get(setting.kind, "TEXT")}


def run(args: argparse.Namespace, environ: Mapping[str, str]) -> Exit:
    """Serve until somebody stops it.

    Raises:
        ConfigError, StartError, CommandError: it was not started, or had to stop.
    """
    typed = vars(args)
    word = typed.pop("word")
    if word != "serve":
        raise unknown_command(word)
    first = resolve(environ, typed)
    path = Path(first.config) if first.config else find(environ)
    if path is None:
        print(five_lines(environ), file=sys.stderr)
        return Exit.CONFIG
    document = load(path, environ, first.name_separator)
    settings = replace(resolve(environ, typed, document.settings), config=str(path))
    if for_people(settings):
        _note((*settings.notices, *document.notices))
    out = sys.stdout if settings.transport == "http" else sys.stderr
    with Printer(out) as printer:
        console = Console(cast("TextIO", printer), document.specs, _program(sys.argv[0]))

        def started(gateway: Started) -> None:
            console.started(gateway.endpoint, str(path), _reach(settings, gateway.local), gateway.local)

        events = Events()
        events.listen(UpstreamChanged, console.changed)
        serve(Plan(settings, document, environ), started, events)
        console.stopped()
    return Exit.OK


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
