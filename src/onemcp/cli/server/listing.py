"""`1mcp server list`: the servers of the configuration as they are written, and where."""

import argparse
import json
import re
import shlex
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Final

from onemcp.cli.arguments import Parser
from onemcp.cli.outcome import Exit
from onemcp.cli.server.target import add_target, aim_of
from onemcp.cli.text import one_line, plain, table
from onemcp.config.edit.layout import Layout
from onemcp.config.edit.members import member_at
from onemcp.config.keys import ADDRESSES, KINDS
from onemcp.config.node import plain as value_of
from onemcp.core.redact import SECRET, is_credential
from onemcp.core.secrets import masked_arguments
from onemcp.core.spec import UpstreamSpec

_HEADER: Final = ("name", "transport", "tags", "state", "command or url", "stands at")
_DEFAULT: Final = re.compile(r"\$\{(?:env:)?(\w+):-([^{}]*)\}")


@dataclass(frozen=True, slots=True)
class Row:
    """One server. References are as they are written, and credentials are `***`."""

    name: str
    transport: str
    command: str
    """On one line, as a shell takes it; empty for one that is reached by its url."""
    url: str
    tags: list[str]
    disabled: bool
    places: list[str]
    """As `mcp.json:3`, the file that has the last word last."""


def define(parser: Parser) -> None:
    """The verb's arguments."""
    parser.add_argument("--json", action="store_true", help="print JSON")
    add_target(parser)


def run(args: argparse.Namespace, environ: Mapping[str, str]) -> Exit:
    """Print them.

    Raises:
        CommandError: there is no configuration.
        ConfigError: it is faulty.
    """
    layout = Layout.read(aim_of(args, environ))
    rows = rows_of(layout)
    if args.json:
        print(json.dumps([asdict(row) for row in rows], indent=2))
    elif rows:
        print(table([_HEADER, *map(_cells, rows)]))
    else:
        print(f"no servers in {layout.aim.path}")
    return Exit.OK


def rows_of(layout: Layout) -> list[Row]:
    """The servers in the order of the configuration.

    Raises:
        ConfigError: it is faulty.
    """
    specs = layout.judged().document.specs
    tree, servers = layout.draft().tree, layout.servers
    found = []
    for spec in specs:
        member = member_at(tree, (servers, spec.name))
        assert member is not None  # the specs are made from the tree
        found.append(_row(layout, spec, value_of(member.value)))
    return found


def _row(layout: Layout, spec: UpstreamSpec, entry: Mapping[str, Any]) -> Row:
    command, args = entry.get("command"), entry.get("args") or []
    argv = [*(command if isinstance(command, list) else [command]), *args] if command is not None else []
    url = next((entry[key] for key in ADDRESSES if entry.get(key) is not None), "")
    return Row(
        name=spec.name,
        transport=_transport(entry, url),
        command=_joined(argv),
        url=masked_arguments([_masked(url)])[0] if url else "",
        tags=sorted(spec.tags),
        disabled=spec.disabled,
        places=[str(place) for place in layout.places(spec.name)],
    )


def _transport(entry: Mapping[str, Any], url: str) -> str:
    for key in KINDS:
        if entry.get(key):
            return str(entry[key])
    if url:
        path = re.split("[?#]", url, maxsplit=1)[0]
        return "sse" if path.rstrip("/").endswith("/sse") else "http"
    return "stdio"


def _joined(argv: list[str]) -> str:
    """A command line, with quotes only where a part has blanks: `***` and `${NAME}` read better without."""
    parts = masked_arguments([_masked(part) for part in argv])
    return " ".join(shlex.quote(part) if not part or re.search(r"[\s'\"]", part) else part for part in parts)


def _masked(text: str) -> str:
    """A text without the default of a reference to a credential."""
    return _DEFAULT.sub(lambda m: f"${{{m[1]}:-{SECRET}}}" if is_credential(m[1]) and m[2] else m[0], text)


def _cells(row: Row) -> tuple[str, ...]:
    return (
        plain(row.name),
        plain(row.transport),
        plain(",".join(row.tags)) or "-",
        "disabled" if row.disabled else "enabled",
        one_line(row.command or row.url),
        plain(", ".join(row.places)),
    )
