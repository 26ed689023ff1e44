"""`1mcp secret`: the encrypted file of secrets on this machine.

A value is typed or piped in. It is never an argument, since those show in `ps` and in the shell's history.
"""

import argparse
import getpass
import json
import sys
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from onemcp.cli.arguments import Parser
from onemcp.cli.find import find
from onemcp.cli.outcome import CommandError, Exit
from onemcp.cli.text import plain, table
from onemcp.config.document import draft
from onemcp.config.secrets.provider import MAX_BYTES, SecretError, text_of
from onemcp.config.secrets.reference import parse
from onemcp.config.secrets.sealed import SealedConfig, vessel
from onemcp.config.secrets.secret import Secret
from onemcp.config.secrets.vessel import Entry, Vessel
from onemcp.config.settings import resolve
from onemcp.errors import ConfigError

_WHAT: Final = ("set", "get", "list", "rm", "rotate-key")


def define(parser: Parser) -> None:
    """The command's arguments."""
    parser.add_argument("what", choices=_WHAT, help="what to do with the secrets of the file")
    parser.add_argument("name", nargs="?", default="", help="of the secret: set, get and rm need it")
    parser.add_argument("more", nargs="*", help=argparse.SUPPRESS)
    parser.add_argument("--reveal", action="store_true", help="get: print the secret itself")
    parser.add_argument(
        "--file",
        default="",
        metavar="PATH",
        help="the encrypted file (ONE_MCP_SECRETS_FILE, or that of this user)",
    )
    parser.add_argument(
        "--key-file",
        default="",
        metavar="PATH",
        help="its key (ONE_MCP_SECRETS_KEY, ONE_MCP_SECRETS_KEY_FILE)",
    )
    parser.add_argument(
        "--config", "-c", metavar="PATH", help="the configuration, which may name both (ONE_MCP_CONFIG)"
    )
    parser.add_argument("--to", default="", metavar="PATH", help="rotate-key: a new file for the new key")
    parser.add_argument("--json", action="store_true", help="list, get: print JSON")


def run(args: argparse.Namespace, environ: Mapping[str, str]) -> Exit:
    """Do it.

    Raises:
        CommandError: it could not be done; nothing was changed.
    """
    _check(args)
    kept = _vessel(args, environ)
    commands: Mapping[str, Callable[[argparse.Namespace, Vessel], None]] = {
        "set": _set,
        "get": _get,
        "list": _list,
        "rm": _remove,
        "rotate-key": _rotate,
    }
    try:
        commands[args.what](args, kept)
    except SecretError as error:
        raise CommandError(error.what, error.fix) from None
    return Exit.OK


def _vessel(args: argparse.Namespace, environ: Mapping[str, str]) -> Vessel:
    """The file that is named, else the one that a gateway with this configuration would look into."""
    if args.file:
        return vessel(environ, args.file, args.key_file)
    settings = resolve(environ, {"config": args.config})
    path = Path(settings.config) if settings.config else find(environ)
    if path is None:
        return vessel(environ, "", args.key_file)
    local = draft(path, environ, settings.environment).secrets.providers.get("local")
    said = local if isinstance(local, SealedConfig) else SealedConfig()
    return vessel(environ, said.file, args.key_file or said.key_file)


def _check(args: argparse.Namespace) -> None:
    """Refuse what would be misunderstood, and above all a value among the arguments, without repeating it."""
    if args.more:
        fix = "type it when you are asked, or pipe it in: an argument shows in ps and in the shell's history"
        raise CommandError(f"{args.what} takes no value among its arguments", fix, Exit.USAGE)
    if (args.what in ("set", "get", "rm")) != bool(args.name):
        needed = "needs the name of a secret" if not args.name else "takes no name"
        raise CommandError(f"{args.what} {needed}", "see 1mcp secret --help", Exit.USAGE)
    if args.name:
        try:
            reference = parse(args.name)
        except ConfigError:
            reference = None
        if reference is None or reference.path != args.name:
            fix = "use letters, digits, - _ . and /"
            raise CommandError("no reference could name a secret that is called so", fix, Exit.USAGE)
    for option, needs in (("reveal", "get"), ("to", "rotate-key")):
        if getattr(args, option) and args.what != needs:
            raise CommandError(f"--{option} goes with {needs} only", code=Exit.USAGE)


def _set(args: argparse.Namespace, kept: Vessel) -> None:
    secret = _asked() if sys.stdin.isatty() else _piped()
    if not secret.reveal():
        raise CommandError(
            "the secret is empty; nothing was changed", f"1mcp secret rm {args.name} takes one away"
        )
    version = kept.set(args.name, secret, datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"))
    print(f"{args.name} is kept in {kept.path}, version {version}; refer to it as ${{SECRET:{args.name}}}")


def _asked() -> Secret:
    try:
        first = Secret(getpass.getpass("secret (not shown): "))
        second = Secret(getpass.getpass("once more: "))
    except EOFError:
        raise CommandError("nothing was typed; nothing was changed") from None
    except UnicodeDecodeError:
        raise CommandError(
            "what was typed is not UTF-8; nothing was changed", "pipe it in as base64"
        ) from None
    if first != second:
        raise CommandError("the two are not the same; nothing was changed")
    return first


def _piped() -> Secret:
    return Secret(text_of(sys.stdin.buffer.read(MAX_BYTES + 1), "what was piped in"))


def _get(args: argparse.Namespace, kept: Vessel) -> None:
    if args.reveal:
        found = kept.get(args.name)
        if found is None:
            raise _missing(args.name, kept)
        print(found[0].reveal())
        return
    entry = kept.entries().get(args.name)
    if entry is None:
        raise _missing(args.name, kept)
    if args.json:
        print(json.dumps(_facts(args.name, entry)))
    else:
        print(f"{args.name}: version {entry.version}, changed {entry.changed}; --reveal prints it")


def _list(args: argparse.Namespace, kept: Vessel) -> None:
    entries = kept.entries()
    if args.json:
        print(json.dumps([_facts(name, entry) for name, entry in entries.items()]))
    elif entries:
        rows = [(plain(name), str(entry.version), plain(entry.changed)) for name, entry in entries.items()]
        print(table([("name", "version", "changed"), *rows]))
    else:
        print(f"no secrets in {kept.path}")


def _remove(args: argparse.Namespace, kept: Vessel) -> None:
    if not kept.remove(args.name):
        raise _missing(args.name, kept)
    print(f"{args.name} is gone from {kept.path}")


def _rotate(args: argparse.Namespace, kept: Vessel) -> None:
    count, file = kept.rotate(Path(args.to) if args.to else None)
    plural = "" if count == 1 else "s"
    print(f"{count} secret{plural} sealed with a new key, which is in {file}")


def _missing(name: str, kept: Vessel) -> CommandError:
    return CommandError(
        f"there is no secret {name} in {kept.path}", "1mcp secret list names those that are there"
    )


def _facts(name: str, entry: Entry) -> dict[str, object]:
    return {"name": name, "version": entry.version, "changed": entry.changed}
