"""`1mcp connect`: what to paste into Claude Code, Cursor, VS Code and Codex, so that they use this gateway.

The formats are those of the clients' own pages: code.claude.com/docs/en/mcp, cursor.com/docs/mcp,
code.visualstudio.com/docs/copilot/customization/mcp-servers, developers.openai.com/codex/mcp.
"""

import argparse
import json
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from onemcp.cli.arguments import Parser
from onemcp.cli.control import add_reach, endpoint
from onemcp.cli.outcome import CommandError, Exit
from onemcp.config.setting import nearest


@dataclass(frozen=True, slots=True)
class Client:
    """One program that speaks MCP: its name, where its configuration stands, and what to put there."""

    title: str
    place: str
    snippet: str


def _json(value: object) -> str:
    return json.dumps(value, indent=2)


def clients(url: str) -> dict[str, Client]:
    """All clients by the word that names them here."""
    return {
        "claude-code": Client(
            "Claude Code", "run in a terminal", f"claude mcp add --transport http onemcp {url}"
        ),
        "cursor": Client(
            "Cursor",
            "~/.cursor/mcp.json, or .cursor/mcp.json of one project",
            _json({"mcpServers": {"onemcp": {"url": url}}}),
        ),
        "vscode": Client(
            "VS Code", ".vscode/mcp.json", _json({"servers": {"onemcp": {"type": "http", "url": url}}})
        ),
        "codex": Client("Codex", "~/.codex/config.toml", f"[mcp_servers.onemcp]\nurl = {json.dumps(url)}"),
    }


_NAMES: Final = tuple(clients(""))


def define(parser: Parser) -> None:
    """The command's arguments."""
    parser.add_argument("client", nargs="?", default="", metavar="CLIENT", help=f"one of {', '.join(_NAMES)}")
    add_reach(parser, host=True)


def run(args: argparse.Namespace, environ: Mapping[str, str]) -> Exit:
    """Print the snippets, or only one, which then stands alone on standard output.

    Raises:
        CommandError: there is no such client.
    """
    if args.client and args.client not in _NAMES:
        guess = nearest(args.client, _NAMES)
        fix = f"did you mean {guess}?" if guess else f"there are {', '.join(_NAMES)}"
        raise CommandError(f"no snippet for {args.client}", fix, Exit.USAGE)
    url, source = endpoint(args, environ)
    known = clients(url)
    if args.client:
        client = known[args.client]
        print(f"{url} ({source}); {client.title}: {client.place}", file=sys.stderr)
        print(client.snippet)
        return Exit.OK
    print(f"{url} ({source})")
    for client in known.values():
        print(f"\n{client.title}: {client.place}\n")
        print("\n".join(f"    {line}" for line in client.snippet.splitlines()))
    return Exit.OK
