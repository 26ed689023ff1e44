"""`1mcp server add`: a new server in the configuration, which is made if there is none."""

import argparse
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from onemcp.cli.arguments import Parser
from onemcp.cli.outcome import CommandError, Exit
from onemcp.cli.server.byhand import by_hand
from onemcp.cli.server.entry import add_members, entry_of
from onemcp.cli.server.target import add_target, aim_of, file_for_new, place_of
from onemcp.cli.server.telling import told, warn_of
from onemcp.config.edit.change import Edit, change, checked_entries, faults_of
from onemcp.config.edit.layout import Layout, is_json
from onemcp.config.edit.members import with_member

FRESH: Final = "{}\n"
"""What a new file begins as."""


def define(parser: Parser) -> None:
    """The verb's arguments."""
    parser.usage = (
        "1mcp server add NAME [OPTIONS] -- COMMAND [ARGUMENT...]\n"
        "       1mcp server add NAME URL [OPTIONS]\n"
        "       1mcp server add NAME --extend TEMPLATE [--param NAME=VALUE] [OPTIONS]"
    )
    parser.add_argument("name", help="what the server is to be called")
    parser.add_argument("url", nargs="?", default="", help="its address, if it runs elsewhere")
    add_members(parser)
    parser.add_argument("--replace", action="store_true", help="in the place of the one that has the name")
    add_target(parser, file="the file of the configuration that it goes to; a new one in conf.d is made")


def run(args: argparse.Namespace, environ: Mapping[str, str]) -> Exit:
    """Add it.

    Raises:
        CommandError: it could not be done; nothing was changed.
        ConfigError: the configuration is faulty, or would be; nothing was changed.
    """
    entry = entry_of(args)
    aim = aim_of(args, environ, make=True)
    name = args.name

    def make(layout: Layout) -> Edit:
        file = _file(layout, args)
        if not is_json(file):
            checked_entries(layout, faults_of(layout), {name: entry})
            place = place_of(layout, name, args.file) if layout.places(name) else None
            raise by_hand(layout, file, {name: entry}, place)
        text = layout.text(file)
        return Edit(file, with_member(text or FRESH, (layout.servers, name), entry), (name,))

    done = change(aim, make)
    if done is None:
        print(f"{name} is there already, just so")
        return Exit.OK
    place = next(place for place in done.after.places(name) if place.file == done.file)
    told(done, f"{name} is at {place}")
    warn_of(done, {name: entry})
    return Exit.OK


def _file(layout: Layout, args: argparse.Namespace) -> Path:
    """Where it goes: to its own place if it is to be replaced."""
    places = layout.places(args.name)
    if not places:
        return file_for_new(layout, args.file)
    if not args.replace:
        where = ", ".join(map(str, places))
        fix = "--replace puts this one in its place, 1mcp server edit changes it"
        raise CommandError(f"there is a server {args.name} already, at {where}", fix)
    return place_of(layout, args.name, args.file).file
