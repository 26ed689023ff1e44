"""`1mcp server edit`: change one server, by options or in an editor."""

import argparse
from collections.abc import Callable, Mapping
from typing import Any, Final

from onemcp.cli.arguments import Parser
from onemcp.cli.outcome import CommandError, Exit
from onemcp.cli.server.byhand import refuse_by_hand
from onemcp.cli.server.editor import Desk
from onemcp.cli.server.entry import add_set, keys_of, settings_of
from onemcp.cli.server.target import add_target, aim_of, place_of
from onemcp.cli.server.telling import told, warn_of
from onemcp.config.edit.block import block_of, in_block
from onemcp.config.edit.change import Done, Edit, change, judged_before
from onemcp.config.edit.layout import Aim, Layout
from onemcp.config.edit.members import with_member, with_text, without_member
from onemcp.config.jsonc import scan
from onemcp.config.node import plain
from onemcp.errors import ConfigError, Problem

_WRITTEN: Final = "what you wrote"


def define(parser: Parser) -> None:
    """The verb's arguments."""
    parser.usage = (
        "1mcp server edit NAME\n       1mcp server edit NAME [--set KEY=JSON]... [--unset KEY]... [OPTIONS]"
    )
    parser.add_argument("name", help="of the server")
    add_set(parser)
    parser.add_argument(
        "--unset", metavar="KEY", action="append", default=[], help="take a member away; KEY as with --set"
    )
    add_target(parser, file="the file that its entry is changed in, if there are several")


def run(args: argparse.Namespace, environ: Mapping[str, str]) -> Exit:
    """Change it; without `--set` and `--unset` in the editor that VISUAL or EDITOR names.

    Raises:
        CommandError: it could not be done; nothing was changed.
        ConfigError: the configuration is faulty, or would be; nothing was changed.
    """
    aim = aim_of(args, environ)
    done = change(aim, _by_options(args)) if args.set or args.unset else _in_editor(args, aim, environ)
    if done is None:
        print(f"{args.name} is as it was")
        return Exit.OK
    place = next(place for place in done.after.places(args.name) if place.file == done.file)
    told(done, f"{args.name} is changed at {place}")
    warn_of(done, {args.name: plain(place.member.value)})
    return Exit.OK


def _by_options(args: argparse.Namespace) -> Callable[[Layout], Edit]:
    members = settings_of(args.set)

    def make(layout: Layout) -> Edit:
        place = place_of(layout, args.name, args.file)
        refuse_by_hand(layout, place, lambda entry: _changed(entry, members, args.unset))
        text = place.text
        for keys, value in members:
            try:
                text = with_member(text, (*place.keys, *keys), value)
            except ValueError:
                raise CommandError(
                    f"{keys[0]} of {args.name} is no object", f"set {keys[0]} as a whole"
                ) from None
        for key in args.unset:
            try:
                text = without_member(text, (*place.keys, *keys_of(key)))
            except ValueError:
                raise CommandError(f"{args.name} has no {key} at {place}", "nothing was changed") from None
        return Edit(place.file, text, (args.name,))

    return make


def _changed(
    entry: dict[str, Any], members: list[tuple[tuple[str, ...], Any]], gone: list[str]
) -> dict[str, Any]:
    """The entry for a file that is changed by hand."""
    for keys, value in [*members, *((keys_of(key), None) for key in gone)]:
        holder = entry if len(keys) == 1 else entry.setdefault(keys[0], {})
        if not isinstance(holder, dict):
            raise CommandError(f"{keys[0]} is no object", f"set {keys[0]} as a whole")
        holder.pop(keys[-1], None) if value is None else holder.update({keys[-1]: value})
    return entry


def _in_editor(args: argparse.Namespace, aim: Aim, environ: Mapping[str, str]) -> Done | None:
    layout = Layout.read(aim)
    judged_before(layout)
    place = place_of(layout, args.name, args.file)
    refuse_by_hand(layout, place, lambda entry: entry)
    shown = block_of(place.text, place.member)
    with Desk(environ, args.name, f"{args.name}, from {place}") as desk:
        text = desk.ask(shown)
        while text is not None:
            try:
                done = change(aim, _by_text(args, shown, text))
            except ConfigError as error:
                text = desk.ask(text, error.problems)
            else:
                desk.clear()
                return done
    return None


def _by_text(args: argparse.Namespace, shown: str, text: str) -> Callable[[Layout], Edit]:
    """The entry as it was written, if it is one, and nobody else has changed it meanwhile."""
    node, repeated = scan(text, _WRITTEN)
    if repeated:
        raise ConfigError(*repeated)
    if not isinstance(node.value, dict):
        raise ConfigError(Problem("expected an object", "", _WRITTEN, node.line, node.column))

    def make(layout: Layout) -> Edit:
        place = place_of(layout, args.name, args.file)
        if block_of(place.text, place.member) != shown:
            raise CommandError(f"somebody else has changed {args.name} meanwhile", "nothing was changed")
        written = in_block(place.text, place.member, text[node.start : node.end])
        return Edit(place.file, with_text(place.text, place.keys, written), (args.name,))

    return make
