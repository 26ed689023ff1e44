"""`1mcp config show`: every value that counts, where it comes from, and nothing secret.

Secrets are not asked for, and what they would put in is `***`. Exit code 0, or 78 for a configuration that cannot be
used.
"""

import argparse
import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from onemcp.cli.arguments import Parser
from onemcp.cli.config.check import one_line, tell
from onemcp.cli.config.reading import Read, read, usable
from onemcp.cli.options import add_settings, typed_settings
from onemcp.cli.outcome import CommandError, Exit
from onemcp.cli.text import one_line as cut
from onemcp.cli.text import plain, room, width
from onemcp.config.effective import Value, values
from onemcp.config.keys import SERVERS, SERVERS_ALIAS
from onemcp.config.setting import Kind, Setting, nearest
from onemcp.config.table import TABLE
from onemcp.core.redact import SECRET, without_secrets
from onemcp.errors import ConfigError

_LEAST: Final = 16
"""Columns that a value needs to be worth a line with key and origin."""
_SERVERS: Final = (SERVERS, SERVERS_ALIAS)
_SPOKEN: Final = frozenset({Kind.TEXT, Kind.URL, Kind.LIST})
"""Kinds in whose values somebody may have put a credential."""


@dataclass(frozen=True, slots=True)
class Shown:
    """A setting as it is shown."""

    setting: Setting
    value: object
    origin: str

    @property
    def key(self) -> str:
        """Its place in the file, or its name where it has none."""
        return self.setting.key or self.setting.name


def define(parser: Parser) -> None:
    """The verb's arguments."""
    parser.usage = "1mcp config show [NAME] [--json] [--config FILE] [OPTIONS]"
    parser.add_argument("name", nargs="?", default="", help="only this setting, section or server")
    parser.add_argument("--json", action="store_true", help="print JSON")
    add_settings(parser)


def run(args: argparse.Namespace, environ: Mapping[str, str]) -> Exit:
    """Print it.

    Raises:
        CommandError: nothing is called so, or there is no configuration.
    """
    try:
        found = read(environ, typed_settings(args))
        tree = usable(found)
    except ConfigError as error:
        return tell(error.problems, as_json=args.json)
    settings = _named_settings(shown_settings(found), args.name)
    leaves = _named_values(values(tree.tree, tree.environ), args.name)
    if args.name and not settings and not leaves:
        raise _unknown(args.name, shown_settings(found), values(tree.tree, tree.environ))
    if args.json:
        print(_json(found, settings, leaves))
    elif len(settings) == 1 and not leaves:
        print(_one(settings[0]))
    else:
        print(render(settings, leaves, 0 if args.name else room(sys.stdout)))
    if not args.json:
        for line in (*map(one_line, found.faults), *map(plain, found.notices)):
            print(line, file=sys.stderr)
    return Exit.OK


def shown_settings(found: Read) -> list[Shown]:
    """Every setting, with `***` for what is secret."""
    rows = []
    for setting in TABLE:
        value, origin = getattr(found.settings, setting.name), found.settings.origins[setting.name]
        shown = SECRET if setting.secret and value else _masked(setting, value)
        rows.append(Shown(setting, shown, origin))
    return rows


def _masked(setting: Setting, value: object) -> object:
    if isinstance(value, tuple):
        return [without_secrets(str(part)) for part in value]
    return without_secrets(value) if setting.kind in _SPOKEN and isinstance(value, str) else value


def _named_settings(settings: Sequence[Shown], name: str) -> list[Shown]:
    """Those that a person means, who may say it in any of a setting's names, or name a section."""
    if not name:
        return list(settings)
    exact = [
        shown
        for shown in settings
        if name in (shown.setting.name, shown.key, shown.setting.flag, shown.setting.variable)
    ]
    return exact or [shown for shown in settings if shown.key.startswith(f"{name}.")]


def _named_values(leaves: Sequence[Value], name: str) -> list[Value]:
    """Those of a server, or below a key."""
    if not name:
        return list(leaves)
    of_server = [leaf for leaf in leaves if leaf.path[0] in _SERVERS and leaf.path[1:2] == (name,)]
    return of_server or [
        leaf for leaf in leaves if leaf.key == name or leaf.key.startswith((f"{name}.", f"{name}["))
    ]


def _unknown(name: str, settings: Iterable[Shown], leaves: Iterable[Value]) -> CommandError:
    names = {word for shown in settings for word in (shown.key, shown.setting.name)}
    names |= {word for leaf in leaves for word in (leaf.path[0], *leaf.path[1:2])}
    guess = nearest(name, sorted(names))
    fix = f"did you mean {guess}?" if guess else "1mcp config show has all that there is"
    return CommandError(f"no setting and no server is called {name}", fix)


def render(settings: Sequence[Shown], leaves: Sequence[Value], columns: int) -> str:
    """Everything, in `columns` (0: as many as it needs)."""
    rows = [(shown.key, text_of(shown.value), shown.origin) for shown in settings]
    entries = [(leaf.key, text_of(leaf.value), " ".join((leaf.origin, *leaf.references))) for leaf in leaves]
    return "\n\n".join(_block(block, columns) for block in (rows, entries) if block)


def text_of(value: object) -> str:
    """A value as one writes it: text without quotes, unless there is none."""
    text = value if isinstance(value, str) and value else json.dumps(_whole(value), ensure_ascii=False)
    return " ".join(plain(text).split("\n"))


def _whole(value: object) -> object:
    """Without the fraction that milliseconds mostly have not."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _block(rows: Sequence[tuple[str, str, str]], columns: int) -> str:
    rows = [(plain(key), value, plain(origin)) for key, value, origin in rows]
    keys, space, origins = (max(width(row[index]) for row in rows) for index in range(3))
    if columns:
        space = min(space, columns - keys - origins - 4)
    if space < _LEAST and columns:
        return "\n".join(f"{cut(f'{key} = {value}', columns)}\n    {origin}" for key, value, origin in rows)
    return "\n".join(
        f"{_padded(key, keys)}  {_padded(cut(value, space), space)}  {origin}" for key, value, origin in rows
    )


def _padded(text: str, columns: int) -> str:
    return text + " " * (columns - width(text))


def _one(shown: Shown) -> str:
    """One setting with all that is known of it."""
    setting = shown.setting
    places = [setting.variable, setting.flag, f"{setting.key} in the file" if setting.key else ""]
    default = text_of(SECRET if setting.secret and setting.default else _masked(setting, setting.default))
    change = "counts without a restart" if setting.reloadable else "a change needs a restart"
    return "\n".join(
        (
            f"{shown.key} = {text_of(shown.value)}",
            f"  from      {plain(shown.origin)}",
            f"  meaning   {setting.help}",
            f"  takes     {setting.accepts}{f' ({setting.unit})' if setting.unit else ''}; default {default}",
            f"  set by    {', '.join(filter(None, places))}",
            f"  reload    {change}",
        )
    )


def _json(found: Read, settings: Iterable[Shown], leaves: Iterable[Value]) -> str:
    answer = {
        "file": str(found.path),
        "environment": found.settings.environment,
        "settings": [
            {
                "setting": shown.setting.name,
                "key": shown.setting.key,
                "value": _whole(shown.value),
                "origin": shown.origin,
            }
            for shown in settings
        ],
        "values": [
            {
                "key": leaf.key,
                "value": leaf.value,
                "origin": leaf.origin,
                "references": list(leaf.references),
            }
            for leaf in leaves
        ],
        "notices": list(found.notices),
    }
    return json.dumps(answer, indent=2)
