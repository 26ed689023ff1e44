"""`1mcp server enable` and `disable`: switch a server on or off, in the spelling that its entry has."""

import argparse
from collections.abc import Mapping

from onemcp.cli.arguments import Parser
from onemcp.cli.outcome import CommandError, Exit
from onemcp.cli.server.byhand import refuse_by_hand
from onemcp.cli.server.target import add_target, aim_of, place_of
from onemcp.cli.server.telling import told
from onemcp.config.edit.change import Edit, change
from onemcp.config.edit.layout import Layout, Place
from onemcp.config.edit.members import with_member, without_member
from onemcp.config.keys import SWITCHES_OFF, SWITCHES_ON
from onemcp.config.node import plain


def define(parser: Parser) -> None:
    """The verbs' arguments."""
    parser.add_argument("name", help="of the server")
    add_target(parser, file="the file that its entry is changed in, if there are several")


def run(args: argparse.Namespace, environ: Mapping[str, str]) -> Exit:
    """Switch it.

    Raises:
        CommandError: it could not be done; nothing was changed.
        ConfigError: the configuration is faulty, or would be; nothing was changed.
    """
    is_off = args.verb == "disable"

    def make(layout: Layout) -> Edit | None:
        place = place_of(layout, args.name, args.file)
        if _is_off(layout, args.name) == is_off:
            return None
        refuse_by_hand(layout, place, lambda entry: _switched(entry, is_off=is_off))
        text = _written(place, is_off=is_off)
        if not is_off and _is_off(layout.with_text(place.file, text), args.name):
            text = with_member(
                text, (*place.keys, "disabled"), value=False
            )  # a template or a lower file says so
        if _is_off(layout.with_text(place.file, text), args.name) != is_off:
            where = ", ".join(map(str, layout.places(args.name)))
            raise CommandError(f"another file has the last word on {args.name}", f"see {where}")
        return Edit(place.file, text, (args.name,))

    done = change(aim_of(args, environ), make)
    state = "disabled" if is_off else "enabled"
    if done is None:
        print(f"{args.name} is {state} already")
        return Exit.OK
    told(done, f"{args.name} is {state} in {done.file}")
    return Exit.OK


def _is_off(layout: Layout, name: str) -> bool:
    spec = layout.judged().spec(name)
    return spec is not None and spec.disabled


def _written(place: Place, *, is_off: bool) -> str:
    """The text with every switch of the entry set, and a new one if it has none to say so."""
    entry, text = plain(place.member.value), place.text
    present = [key for key in SWITCHES_ON if entry.get(key) is not None]
    for key in present:
        text = with_member(text, (*place.keys, key), not is_off)
    for key in SWITCHES_OFF:
        if is_off and (not present or entry.get(key) is not None):
            text = with_member(text, (*place.keys, key), value=True)
        elif not is_off and key in entry:
            text = without_member(text, (*place.keys, key))
    return text


def _switched(entry: dict[str, object], *, is_off: bool) -> dict[str, object]:
    """The entry for a file that is changed by hand."""
    present = [key for key in SWITCHES_ON if entry.get(key) is not None]
    rest = {key: value for key, value in entry.items() if key not in SWITCHES_OFF}
    if present:
        return {**rest, **dict.fromkeys(present, not is_off)}
    return {**rest, "disabled": True} if is_off else rest
