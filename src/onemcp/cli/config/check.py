"""`1mcp config check`: all that is wrong with a configuration, without starting anything.

Exit code 0 if a gateway would start with it and every server could be tried, else 78. Warnings change nothing.
"""

import argparse
import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from typing import Any

from onemcp.cli.arguments import Parser
from onemcp.cli.config.reading import Read, read
from onemcp.cli.options import add_settings, typed_settings
from onemcp.cli.outcome import Exit
from onemcp.cli.text import plain
from onemcp.errors import ConfigError, Problem


def define(parser: Parser) -> None:
    """The verb's arguments."""
    parser.usage = "1mcp config check [--secrets] [--json] [--config FILE] [OPTIONS]"
    parser.add_argument(
        "--secrets", action="store_true", help="ask for every secret that is referred to, too"
    )
    parser.add_argument("--json", action="store_true", help="print problems and warnings as JSON")
    add_settings(parser)


def run(args: argparse.Namespace, environ: Mapping[str, str]) -> Exit:
    """Print what is wrong, one thing a line."""
    try:
        found = read(environ, typed_settings(args), with_secrets=args.secrets)
    except ConfigError as error:
        return tell(error.problems, as_json=args.json)
    print(_json(found) if args.json else render(found))
    return Exit.CONFIG if _problems(found) else Exit.OK


def render(found: Read) -> str:
    """What is wrong, for a person."""
    problems = _problems(found)
    lines = [*map(one_line, problems), *(f"warning: {plain(notice)}" for notice in found.notices)]
    number = len(found.document.specs)
    servers = f"{number} server{'' if number == 1 else 's'}"
    verdict = (
        counted(len(problems), "problem") if problems else f"{plain(str(found.path))} is fine: {servers}"
    )
    warnings = f", {counted(len(found.notices), 'warning')}" if found.notices else ""
    return "\n".join((*lines, verdict + warnings))


def tell(problems: Iterable[Problem], *, as_json: bool) -> Exit:
    """Print problems as `check` does, where there is nothing else to say; exit code 78."""
    problems = tuple(problems)
    if as_json:
        print(_document("", problems, ()))
    else:
        print("\n".join((*map(one_line, problems), counted(len(problems), "problem"))))
    return Exit.CONFIG


def one_line(problem: Problem) -> str:
    """As `mcp.json:3:5: port: what; fix`, on one line."""
    return " ".join(plain(str(problem)).split("\n"))


def counted(number: int, thing: str) -> str:
    """As `2 problems`."""
    return f"{number} {thing}{'' if number == 1 else 's'}"


def _problems(found: Read) -> tuple[Problem, ...]:
    """All of them, in the order of the files; those of variables and options first."""
    problems = dict.fromkeys((*found.problems, *found.faults))
    return tuple(sorted(problems, key=lambda problem: (problem.file, problem.line, problem.column)))


def _json(found: Read) -> str:
    return _document(str(found.path), _problems(found), found.notices)


def _document(file: str, problems: Iterable[Problem], warnings: Iterable[str]) -> str:
    answer: dict[str, Any] = {
        "file": file,
        "problems": [asdict(problem) for problem in problems],
        "warnings": list(warnings),
    }
    return json.dumps(answer, indent=2)
