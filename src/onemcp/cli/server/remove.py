"""`1mcp server remove`: take a server out of the file that it stands in."""

import argparse
from collections.abc import Mapping

from onemcp.cli.arguments import Parser
from onemcp.cli.outcome import Exit
from onemcp.cli.server.byhand import ByHandError
from onemcp.cli.server.target import add_target, aim_of, place_of
from onemcp.cli.server.telling import told
from onemcp.config.edit.change import Edit, change
from onemcp.config.edit.layout import Layout, is_json
from onemcp.config.edit.members import without_member


def define(parser: Parser) -> None:
    """The verb's arguments."""
    parser.add_argument("name", help="of the server")
    add_target(parser, file="the file that it is taken out of, if there are several")


def run(args: argparse.Namespace, environ: Mapping[str, str]) -> Exit:
    """Remove it, with the remarks right above it.

    Raises:
        CommandError: it could not be done; nothing was changed.
        ConfigError: the configuration is faulty, or would be; nothing was changed.
    """

    def make(layout: Layout) -> Edit:
        place = place_of(layout, args.name, args.file)
        if not is_json(place.file):
            what = f"{place.file} is changed by hand; nothing was changed"
            raise ByHandError(what, f"take out {args.name}, which is at {place}")
        return Edit(place.file, without_member(place.text, place.keys))

    done = change(aim_of(args, environ), make)
    if done is None:
        return Exit.OK
    told(done, f"{args.name} is gone from {done.file}")
    if others := ", ".join(map(str, done.after.places(args.name))):
        print(f"      it still stands at {others}")
    return Exit.OK
