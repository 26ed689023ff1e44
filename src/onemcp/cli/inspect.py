"""`1mcp inspect`: what the servers of the running gateway offer, one of them, or one tool."""

import argparse
import json
import shlex
import sys
from collections.abc import Mapping
from typing import Any, Final

from onemcp.cli.arguments import Parser
from onemcp.cli.control import add_reach, gateway, print_json
from onemcp.cli.outcome import Exit
from onemcp.cli.schema import arguments, example_call
from onemcp.cli.status import tally
from onemcp.cli.text import one_line, plain, room, state_style, table, width

_LISTS: Final = (
    ("tools", "tools", "name"),
    ("prompts", "prompts", "name"),
    ("resources", "resources", "uri"),
    ("resourceTemplates", "resource templates", "uriTemplate"),
)
_MIN_ROOM: Final = 24
"""Columns that a description gets at least, however narrow the terminal."""


def define(parser: Parser) -> None:
    """The command's arguments."""
    parser.add_argument(
        "target", nargs="?", default="", metavar="SERVER[/TOOL]", help="all servers if left out"
    )
    parser.add_argument("--json", action="store_true", help="print the control API's answer")
    add_reach(parser)


def run(args: argparse.Namespace, environ: Mapping[str, str]) -> Exit:
    """Print what was asked for.

    Raises:
        CommandError: no gateway runs, or it knows no such server or tool.
    """
    server, _, tool = args.target.partition("/")
    body = gateway(args, environ).inspect(server, tool)
    if args.json:
        print_json(body)
        return Exit.OK
    answer = json.loads(body)
    if tool:
        print(render_tool(answer))
    elif server:
        print(render_server(answer))
    else:
        print(render_all(answer))
    return Exit.OK


def render_all(answer: Mapping[str, Any]) -> str:
    """All servers, a line each."""
    servers = answer["servers"]
    if not servers:
        return "no servers are configured"
    rows = [("name", "state", "tools", "prompts", "resources", "tags")]
    for server in servers:
        numbers = map(str, tally(server))
        rows.append((plain(server["name"]), server["state"], *numbers, plain(", ".join(server["tags"]))))
    return table(rows, styles={1: state_style(sys.stdout)})


def render_server(server: Mapping[str, Any]) -> str:
    """One server: how it is, and everything that it offers with the names under which clients see it."""
    facts = [server["state"], server["transport"], server["revision"]]
    if server["tags"]:
        facts.append("tags " + ", ".join(server["tags"]))
    parts = [plain("  ".join([server["name"], *filter(None, facts)]))]
    if server["reason"]:
        parts.append(one_line(server["reason"]))
    for key, heading, name in _LISTS:
        if server[key]:
            parts.append(f"\n{heading}\n{_entries(server[key], name)}")
    if not any(server[key] for key, _, _ in _LISTS):
        parts.append("\nit offers nothing at the moment")
    return "\n".join(parts)


def _entries(entries: list[Mapping[str, Any]], key: str) -> str:
    renamed = any(entry["listed"] != entry["entry"][key] for entry in entries)
    rows = []
    for entry in entries:
        own, listed = plain(entry["entry"][key]), plain(entry["listed"]) or "(not listed)"
        rows.append((own, f"as {listed}" if listed != "(not listed)" else listed) if renamed else (own,))
    taken = 2 + sum(max(width(row[index]) for row in rows) + 2 for index in range(len(rows[0])))
    limit = max(room(sys.stdout) - taken, _MIN_ROOM) if room(sys.stdout) else 0
    described = [(*row, one_line(_words(entry), limit)) for row, entry in zip(rows, entries, strict=True)]
    return table(described, indent=2)


def _words(entry: Mapping[str, Any]) -> str:
    item = entry["entry"]
    text = item.get("description") or item.get("title") or ""
    return text if isinstance(text, str) else ""


def render_tool(answer: Mapping[str, Any]) -> str:
    """One tool: what it does, its arguments, and a call to try if one can be guessed."""
    tool = answer["entry"]
    target = f"{answer['server']}/{tool['name']}"
    parts = [f"{plain(target)}  clients see {plain(answer['listed']) or 'nothing of it: it is disabled'}"]
    if isinstance(tool.get("description"), str):
        parts.append("\n" + plain(tool["description"]).strip())
    schema = tool.get("inputSchema")
    found = arguments(schema) if isinstance(schema, Mapping) else []
    if found:
        rows = [
            (plain(arg.name), plain(arg.type), "required" if arg.required else "", one_line(arg.description))
            for arg in found
        ]
        parts.append(f"\narguments\n{table(rows, indent=2)}")
    else:
        parts.append("\nit takes no arguments")
    example = example_call([tool])
    if example is not None and answer["listed"]:
        parts.append(
            f"\ntry\n  1mcp run {shlex.quote(plain(target))} --args {shlex.quote(plain(example[1]))}"
        )
    return "\n".join(parts)
