"""From the options of `1mcp server add` and `edit` to the members of an entry."""

import argparse
import json
from collections.abc import Sequence
from typing import Any, Final, NoReturn

from onemcp.cli.arguments import Parser
from onemcp.cli.outcome import CommandError, Exit
from onemcp.config.templates import EXTEND, PARAMETERS

_NUMBERS: Final = ("request_timeout", "connection_timeout")
_KEYS: Final = {"request_timeout": "requestTimeout", "connection_timeout": "connectionTimeout"}


def add_members(parser: Parser) -> None:
    """The options that stand for members of an entry."""
    more: dict[str, Any] = {"action": "append", "default": []}
    add = parser.add_argument
    add("--env", metavar="NAME=VALUE", help="a variable for it; may be given again, as those below", **more)
    add("--header", metavar="'NAME: VALUE'", help="a header that is sent to it", **more)
    add("--tag", metavar="WORD", help="a word by which clients choose", **more)
    add("--cwd", metavar="PATH", help="the folder that it starts in")
    add("--type", metavar="stdio|http|sse", help="how it is spoken to, if that is not told by the rest")
    add("--request-timeout", metavar="MS", type=int, help="for one answer")
    add("--connection-timeout", metavar="MS", type=int, help="until it is ready")
    add("--disabled", action="store_true", help="do not start it")
    add("--extend", "--extends", metavar="TEMPLATE", help="the template that it is laid over")
    add(
        "--param",
        metavar="NAME=VALUE",
        help="a parameter of the template; JSON for an array or an object",
        **more,
    )
    add_set(parser)


def add_set(parser: Parser) -> None:
    """The option that stands for any member."""
    parser.add_argument(
        "--set",
        metavar="KEY=JSON",
        action="append",
        default=[],
        help="any other member; KEY may be one of env or headers: env.NAME",
    )


def entry_of(args: argparse.Namespace) -> dict[str, Any]:
    """The entry that the options make.

    Raises:
        CommandError: they make none; exit code 2.
    """
    entry = _reached(args)
    if args.cwd is not None:
        entry["cwd"] = args.cwd
    _put(entry, "env", dict(_pair(text, "--env") for text in args.env))
    _put(entry, "headers", dict(_header(text) for text in args.header))
    _put(entry, "tags", args.tag)
    for name in _NUMBERS:
        if getattr(args, name) is not None:
            entry[_KEYS[name]] = getattr(args, name)
    _put(entry, "disabled", args.disabled)
    for (key, *inner), value in settings_of(args.set):
        if inner:
            below = entry.setdefault(key, {})
            if not isinstance(below, dict):
                _refuse(f"--set {key}.{inner[0]}: {key} is no object")
            below[inner[0]] = value
        else:
            entry[key] = value
    return entry


def _reached(args: argparse.Namespace) -> dict[str, Any]:
    """How it is reached: exactly one way."""
    entry: dict[str, Any] = {}
    if args.extend is not None:
        entry[EXTEND] = args.extend
        _put(entry, PARAMETERS, dict(_parameter(text) for text in args.param))
    elif args.param:
        _refuse("--param goes with --extend only")
    _put(entry, "type", args.type)
    if args.argv is not None:
        if args.url:
            _refuse(f"both a url and a command: {args.url}", "keep the one that is meant")
        if not args.argv or not args.argv[0]:
            _refuse("there is no command behind --")
        entry["command"] = args.argv[0]
        _put(entry, "args", args.argv[1:])
    elif args.url:
        if "://" not in args.url and not args.url.startswith("${"):
            _refuse(f"{args.url} is no url", "a command stands behind --, as in: add NAME -- COMMAND")
        entry["url"] = args.url
    elif args.extend is None and not args.set:
        _refuse("what is it?", "add NAME -- COMMAND [ARGUMENT...], or add NAME URL")
    return entry


def settings_of(texts: Sequence[str]) -> list[tuple[tuple[str, ...], Any]]:
    """The members that `--set` names, and their values.

    Raises:
        CommandError: one is no `KEY=JSON`; exit code 2.
    """
    found = []
    for text in texts:
        key, value = _pair(text, "--set")
        try:
            found.append((keys_of(key), json.loads(value, parse_constant=_no_number)))
        except (ValueError, RecursionError):
            # Not repeated: it may be a secret.
            _refuse(f"--set {key}: the value is no JSON", f"a text stands in quotes: --set '{key}=\"text\"'")
    return found


def keys_of(key: str) -> tuple[str, ...]:
    """The keys that a dotted one stands for: two at most, since names in `env` may have dots."""
    return tuple(key.split(".", 1))


def _no_number(word: str) -> NoReturn:
    raise ValueError(word)


def _pair(text: str, option: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals or not name:
        _refuse(f"{option} takes NAME=VALUE", "with an equals sign in between")
    return name, value


def _parameter(text: str) -> tuple[str, Any]:
    name, value = _pair(text, "--param")
    if value[:1] in ("[", "{"):
        try:
            return name, json.loads(value, parse_constant=_no_number)
        except (ValueError, RecursionError):
            return name, value
    return name, value


def _header(text: str) -> tuple[str, str]:
    name, colon, value = text.partition(":")
    if not colon or not name.strip():
        _refuse("--header takes 'NAME: VALUE'", "with a colon in between")
    return name.strip(), value.strip()


def _put(entry: dict[str, Any], key: str, value: object) -> None:
    if value:
        entry[key] = value


def _refuse(what: str, fix: str = "") -> NoReturn:
    raise CommandError(what, fix, Exit.USAGE)
