"""`1mcp config features`: what can be switched off, and whether it is on.

The running gateway says what is in force; where none runs, the files say what would be.
"""

import argparse
import json
import sys
from collections.abc import Iterable, Mapping
from typing import Any, Final

from onemcp.cli.arguments import Parser
from onemcp.cli.config.check import tell
from onemcp.cli.config.reading import read, running, usable
from onemcp.cli.config.show import shown_settings
from onemcp.cli.options import add_settings, typed_settings
from onemcp.cli.outcome import CommandError, Exit
from onemcp.cli.text import plain, state_style, table
from onemcp.config.table import TABLE
from onemcp.errors import ConfigError

SECTION: Final = "features."
_WORDS: Final = {True: "on", False: "off"}
_COLOURED: Final = {"on": "ready", "off": "backoff"}
"""The states whose colours they have."""


def define(parser: Parser) -> None:
    """The verb's arguments."""
    parser.usage = "1mcp config features [--json] [--config FILE] [OPTIONS]"
    parser.add_argument("--json", action="store_true", help="print JSON")
    add_settings(parser)


def run(args: argparse.Namespace, environ: Mapping[str, str]) -> Exit:
    """Print them.

    Raises:
        CommandError: a gateway runs and does not answer, or none runs and there is no configuration.
    """
    try:
        settings, source = _in_force(args, environ)
    except ConfigError as error:
        return tell(error.problems, as_json=args.json)
    meanings = {row.key: row.help for row in TABLE}
    features = [
        {
            "feature": setting["key"].removeprefix(SECTION),
            "on": setting["value"],
            "origin": setting["origin"],
            "meaning": meanings.get(setting["key"], ""),
        }
        for setting in settings
        if setting["key"].startswith(SECTION)
    ]
    if args.json:
        print(json.dumps({"source": source, "features": features}, indent=2))
    else:
        print(render(features, source, environ))
    return Exit.OK


def render(features: Iterable[Mapping[str, Any]], source: str, environ: Mapping[str, str]) -> str:
    """The features for a person."""
    style = state_style(sys.stdout, environ)
    rows = [
        (plain(each["feature"]), _WORDS[bool(each["on"])], plain(each["origin"]), each["meaning"])
        for each in features
    ]

    def coloured(cell: str) -> str:
        state = _COLOURED.get(cell.strip())
        return style(state).replace(state, cell) if state else cell

    return f"{table([('feature', 'state', 'origin', 'meaning'), *rows], styles={1: coloured})}\n\n{source}"


def _in_force(args: argparse.Namespace, environ: Mapping[str, str]) -> tuple[list[dict[str, Any]], str]:
    """The settings, and in a few words where they come from."""
    try:
        answer = json.loads(running(args, environ).settings())
    except CommandError as error:
        if error.code is not Exit.NO_GATEWAY:
            raise
        found = read(environ, typed_settings(args))
        usable(found)
        rows = [
            {"key": shown.setting.key, "value": shown.value, "origin": shown.origin}
            for shown in shown_settings(found)
        ]
        return rows, f"as {plain(str(found.path))} has it; no gateway runs here"
    return answer["settings"], "as the running gateway has it"
