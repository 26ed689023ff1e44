"""`1mcp alerts`: what is raised now, what was told, and whether the webhooks can be reached.

`list` (also without a word): exit code 0 if nothing is raised, 1 if something is. `test`: 0 if every webhook took it,
1 if one did not or there is none. `history`: 0.
"""

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from typing import Any, Final

from onemcp.cli.arguments import Parser
from onemcp.cli.control import Gateway, add_reach, gateway, print_json
from onemcp.cli.outcome import CommandError, Exit
from onemcp.cli.text import one_line, table
from onemcp.ops.alerts.outbox import MAX_HISTORY, USUAL_LIMIT

_RAISED: Final = ("alert", "server", "severity", "since", "summary")
_WEBHOOKS: Final = ("webhook", "format", "delivered", "waiting", "last error")
_HISTORY: Final = ("time", "alert", "status", "server", "summary")
_DEAD: Final = ("time", "alert", "server", "webhook", "why")


def define(parser: Parser) -> None:
    """The command's arguments."""
    parser.add_argument(
        "what",
        nargs="?",
        default="list",
        choices=("list", "history", "test"),
        help="what is raised now (list), what was told (history), or send each webhook a test",
    )
    parser.add_argument(
        "--limit",
        type=int,
        default=USUAL_LIMIT,
        metavar="N",
        help=f"alerts of the history (default {USUAL_LIMIT}, {MAX_HISTORY} at most)",
    )
    parser.add_argument("--json", action="store_true", help="print the control API's answer")
    add_reach(parser)


def run(args: argparse.Namespace, environ: Mapping[str, str]) -> Exit:
    """Print what was asked for.

    Raises:
        CommandError: no gateway runs, it does not answer, there is no webhook to test, or so many are not kept.
    """
    if not 1 <= args.limit <= MAX_HISTORY:
        raise CommandError(f"--limit is a number from 1 to {MAX_HISTORY}", code=Exit.USAGE)
    body = _asked(gateway(args, environ), args)
    answer = json.loads(body)
    if args.what == "test" and not answer["results"]:
        raise CommandError(
            "no webhook is configured, so nobody is told of alerts",
            'add "alerts": {"webhooks": [{"url": "https://..."}]} to the configuration',
        )
    if args.json:
        print_json(body)
    else:
        print(_RENDER[args.what](answer))
    return _outcome(answer)


def _asked(reached: Gateway, args: argparse.Namespace) -> bytes:
    if args.what == "history":
        return reached.alert_history(args.limit)
    known = reached.alerts()
    if args.what == "list":
        return known
    return reached.test_alerts(max((one["timeout"] for one in json.loads(known)["webhooks"]), default=0.0))


def _outcome(answer: Mapping[str, Any]) -> Exit:
    """Something is raised, or a webhook did not take its test: not well."""
    failed = [result for result in answer.get("results", ()) if result["error"]]
    if failed:
        print(
            f"1mcp: {len(failed)} of {len(answer['results'])} webhooks did not take the test", file=sys.stderr
        )
    return Exit.FAILED if failed or answer.get("raised") else Exit.OK


def render_list(answer: Mapping[str, Any]) -> str:
    """What is raised, and how the webhooks are."""
    raised = [
        (
            one_line(one["kind"]),
            _or_dash(one["subject"]),
            one["severity"],
            one["since"],
            one_line(one["summary"]),
        )
        for one in answer["raised"]
    ]
    webhooks = [
        (
            one_line(one["webhook"]),
            one["format"],
            str(one["delivered"]),
            str(one["waiting"]),
            one_line(one["error"]) or "-",
        )
        for one in answer["webhooks"]
    ]
    parts = [_titled(_RAISED, raised) or "nothing is raised", _titled(_WEBHOOKS, webhooks) or "no webhooks"]
    if answer.get("silent"):
        parts.append("webhooks are told nothing: features.alerts is off")
    if answer["dead"]:
        parts.append(f"{answer['dead']} alerts were given up; 1mcp alerts history says which")
    return "\n\n".join(parts)


def render_history(answer: Mapping[str, Any]) -> str:
    """What was told, the newest first, and what could not be."""
    told = [
        (
            one["at"],
            one_line(one["kind"]),
            one["status"],
            _or_dash(one["subject"]),
            one_line(one["summary"]),
        )
        for one in answer["alerts"]
    ]
    dead = [
        (
            one["at"],
            one_line(one["kind"]),
            _or_dash(one["subject"]),
            one_line(one["webhook"]),
            one_line(one["error"]),
        )
        for one in answer["dead"]
    ]
    parts = [_titled(_HISTORY, told) or "no alerts yet"]
    if dead:
        parts.append("given up:\n\n" + _titled(_DEAD, dead))
    return "\n\n".join(parts)


def render_test(answer: Mapping[str, Any]) -> str:
    """What became of a test, webhook by webhook."""
    rows = [(one_line(one["webhook"]), one_line(one["error"]) or "took it") for one in answer["results"]]
    return f"test {answer['id']}\n\n{table(rows, indent=2)}"


def _titled(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    return table([header, *rows]) if rows else ""


def _or_dash(subject: str) -> str:
    return one_line(subject) or "-"


_RENDER: Final = {"list": render_list, "history": render_history, "test": render_test}
