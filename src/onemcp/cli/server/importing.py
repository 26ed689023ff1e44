"""`1mcp server import`: take over the servers that another program has configured, all in one change."""

import argparse
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal
from urllib.parse import urlsplit

from onemcp.cli.arguments import Parser
from onemcp.cli.outcome import CommandError, Exit
from onemcp.cli.server.add import FRESH
from onemcp.cli.server.byhand import by_hand
from onemcp.cli.server.places import usual, workspace_of
from onemcp.cli.server.target import add_target, aim_of, file_for_new
from onemcp.cli.server.telling import told, warn_of
from onemcp.cli.text import one_line, plain
from onemcp.config.edit.change import Edit, change, checked_entries, faults_of, judged_before
from onemcp.config.edit.foreign import Candidate, candidates
from onemcp.config.edit.layout import Layout, is_json
from onemcp.config.edit.members import with_member
from onemcp.config.jsonc import scan
from onemcp.config.node import plain as value_of
from onemcp.config.setting import nearest
from onemcp.config.sources import read_text
from onemcp.core.redact import without_secrets
from onemcp.errors import ConfigError, Problem

_OWN: Final = frozenset({"1mcp", "onemcp"})
_LOCAL: Final = frozenset({"127.0.0.1", "localhost", "::1"})
Fate = Literal["take", "skip", "refuse"]


@dataclass(frozen=True, slots=True)
class Verdict:
    """What becomes of a candidate, and why."""

    candidate: Candidate
    fate: Fate
    why: str = ""


def define(parser: Parser) -> None:
    """The verb's arguments."""
    programs = ", ".join(usual({}))
    parser.usage = "1mcp server import FILE|PROGRAM [--dry-run] [--replace] [OPTIONS]"
    parser.add_argument("source", metavar="FILE|PROGRAM", help=f"a file, or one of {programs}")
    parser.add_argument("--dry-run", action="store_true", help="only say what would be taken")
    parser.add_argument("--replace", action="store_true", help="also those whose names there are already")
    add_target(parser, file="the file of the configuration that they go to")


def run(args: argparse.Namespace, environ: Mapping[str, str]) -> Exit:
    """Take them over; exit code 1 if one was refused, whatever became of the others.

    Raises:
        CommandError: there is nothing to take, or it could not be done; nothing was changed.
        ConfigError: one of the two configurations is faulty; nothing was changed.
    """
    source, found = _found(args.source, environ)
    aim = aim_of(args, environ, make=True)
    verdicts: list[Verdict] = []

    def make(layout: Layout) -> Edit | None:
        verdicts[:] = _judged(layout, found, args)
        return _edit(layout, verdicts, args)

    print(plain(f"from {source}:"))
    done = None
    try:
        if args.dry_run:
            layout = Layout.read(aim)
            judged_before(layout)
            make(layout)
        else:
            done = change(aim, make)
    finally:
        _tell(verdicts)
    taken = _taken(verdicts)
    if args.dry_run:
        print("nothing was changed")
    elif done is None:
        print("there is nothing to change")
    else:
        told(done, f"{len(taken)} server{'' if len(taken) == 1 else 's'} put into {done.file}")
        warn_of(done, taken)
    return Exit.FAILED if any(each.fate == "refuse" for each in verdicts) else Exit.OK


def _found(source: str, environ: Mapping[str, str]) -> tuple[Path, list[Candidate]]:
    """The file that is meant, and its servers."""
    programs = usual(environ)
    places = programs.get(source, (Path(source),))
    there = [place for place in places if place.is_file()]
    if source in programs and not there:
        raise CommandError(
            f"there is no configuration of {source}", f"looked for {', '.join(map(str, places))}"
        )
    if not there:
        guess = nearest(source, programs)
        fix = f"did you mean {guess}?" if guess else f"name a file, or one of {', '.join(programs)}"
        raise CommandError(f"there is no file {source}", fix)
    for place in there:
        root = scan(read_text(place), str(place))[0]
        if found := candidates(value_of(root), workspace_of(place)):
            return place, found
    raise CommandError(f"there are no servers in {', '.join(map(str, there))}")


def _judged(layout: Layout, found: list[Candidate], args: argparse.Namespace) -> list[Verdict]:
    file = file_for_new(layout, args.file)
    verdicts = []
    names: set[str] = set()
    for candidate in found:
        if candidate.name in names:
            verdicts.append(Verdict(candidate, "refuse", "another one of these is called so"))
        else:
            verdicts.append(_verdict(layout, candidate, file, replace_=args.replace))
        names.add(candidate.name)
    wrong = _faulty(layout, faults_of(layout), _taken(verdicts))
    return [
        Verdict(each.candidate, "refuse", wrong[each.candidate.name])
        if each.fate == "take" and each.candidate.name in wrong
        else each
        for each in verdicts
    ]


def _verdict(layout: Layout, candidate: Candidate, file: Path, *, replace_: bool) -> Verdict:
    """What becomes of it if it is not faulty."""
    if _is_gateway(candidate.entry):
        return Verdict(candidate, "skip", "it is a gateway of this kind itself")
    places = layout.places(candidate.name)
    if places and not replace_:
        return Verdict(candidate, "skip", f"there is one at {', '.join(map(str, places))}")
    if any(place.file != file for place in places):
        return Verdict(candidate, "refuse", f"there is one at {', '.join(map(str, places))}, not in {file}")
    return Verdict(candidate, "take", "in the place of the one there is" if places else "")


def _faulty(
    layout: Layout, known: Mapping[str, Problem], entries: Mapping[str, dict[str, Any]]
) -> dict[str, str]:
    """Why entries would not do, by name: found by halves, since each look is one at the whole configuration."""
    if not entries:
        return {}
    try:
        checked_entries(layout, known, entries)
    except ConfigError as error:
        names = list(entries)
        if len(names) == 1:
            why = " / ".join(without_secrets(one_line(str(each))) for each in error.problems[1:])
            return {names[0]: why}
        halves = names[: len(names) // 2], names[len(names) // 2 :]
        return {
            name: why
            for half in halves
            for name, why in _faulty(layout, known, {each: entries[each] for each in half}).items()
        }
    return {}


def _taken(verdicts: list[Verdict]) -> dict[str, dict[str, Any]]:
    return {each.candidate.name: each.candidate.entry for each in verdicts if each.fate == "take"}


def _edit(layout: Layout, verdicts: list[Verdict], args: argparse.Namespace) -> Edit | None:
    taken = _taken(verdicts)
    if not taken:
        return None
    file = file_for_new(layout, args.file)
    if not is_json(file):
        if args.dry_run:
            return None
        raise by_hand(layout, file, taken)
    text = layout.text(file) or FRESH
    for name, entry in taken.items():
        text = with_member(text, (layout.servers, name), entry)
    return Edit(file, text, tuple(taken))


def _is_gateway(entry: Mapping[str, Any]) -> bool:
    """Whether it leads to a gateway on this machine: it would be its own server."""
    argv = [*_texts(entry.get("command")), *_texts(entry.get("args"))]
    if any(Path(part).name in _OWN for part in argv[:3]):
        return True
    try:
        parts = urlsplit(str(entry.get("url") or ""))
        return parts.hostname in _LOCAL and parts.path.endswith("/mcp") and parts.port in (3050, 3051, 3052)
    except ValueError:  # no address, or no port of one
        return False


def _texts(value: object) -> list[str]:
    return [str(part) for part in value] if isinstance(value, list) else [str(value)] if value else []


def _tell(verdicts: list[Verdict]) -> None:
    for each in verdicts:
        why = f": {each.why}" if each.why else ""
        print(_in_line(f"  {each.fate:<6}  {each.candidate.name}{why}"))
        if each.fate == "take":
            for remark in each.candidate.remarks:
                print(_in_line(f"          {remark}"))


def _in_line(text: str) -> str:
    """What a foreign file says must not look like a line of ours."""
    return " ".join(plain(text).split("\n"))
