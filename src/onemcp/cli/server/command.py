"""`1mcp server`: the entries of the configuration, looked at and changed."""

import argparse
from collections.abc import Mapping
from typing import Final

from onemcp.cli.commands import Command
from onemcp.cli.outcome import CommandError, Exit
from onemcp.cli.server.byhand import ByHandError
from onemcp.cli.verbs import Verbs
from onemcp.errors import StoreError

VERBS: Final = {
    "list": Command("onemcp.cli.server.listing", "the servers, and where each of them stands"),
    "add": Command("onemcp.cli.server.add", "a new one: a command to start, or a url"),
    "edit": Command("onemcp.cli.server.edit", "change one, in an editor or with --set and --unset"),
    "enable": Command("onemcp.cli.server.switch", "switch one on"),
    "disable": Command("onemcp.cli.server.switch", "switch one off, and leave it where it stands"),
    "remove": Command("onemcp.cli.server.remove", "take one out of the file"),
    "import": Command("onemcp.cli.server.importing", "take over those of Claude Desktop, VS Code or Cursor"),
}
_VERBS: Final = Verbs("server", VERBS)

define = _VERBS.define


def run(args: argparse.Namespace, environ: Mapping[str, str]) -> Exit:
    """Do what the verb says. What stands behind `--` is a command line, for the verb that takes one.

    Raises:
        CommandError: there is no such verb, or it could not be done.
        ConfigError: the configuration cannot be used, before or after it.
    """
    module, parser = _VERBS.module(args.verb)
    typed, argv = _split(args.rest)
    found = parser.parse(typed, mixed=True)
    if argv is not None and args.verb != "add":
        raise CommandError(
            f"server {args.verb} takes no command line", f"see {parser.prog} --help", Exit.USAGE
        )
    found.verb, found.argv = args.verb, argv
    _check_texts(args.rest)
    try:
        code: Exit = module.run(found, environ)
    except StoreError as error:
        raise CommandError(error.what, error.fix) from None
    except ByHandError as error:
        if error.text:
            print(error.text)
        raise
    return code


def _split(rest: list[str]) -> tuple[list[str], list[str] | None]:
    """What stands before the first `--`, and behind it."""
    if "--" not in rest:
        return rest, None
    index = rest.index("--")
    return rest[:index], rest[index + 1 :]


def _check_texts(rest: list[str]) -> None:
    for text in rest:
        try:
            text.encode()
        except UnicodeEncodeError:
            raise CommandError("an argument is not UTF-8", "a file could not hold it", Exit.USAGE) from None
