"""`1mcp doctor`: what is wrong, and what to do about it, with or without a running gateway.

Exit code 0 if nothing is bad (warnings aside), else 1.
"""

import argparse
import asyncio
import json
import sys
from collections.abc import Iterator, Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, Final

from onemcp import __version__
from onemcp.cli.arguments import Parser
from onemcp.cli.control import add_reach, gateway, typed
from onemcp.cli.find import candidates, find
from onemcp.cli.outcome import CommandError, Exit
from onemcp.cli.text import one_line, plain, state_style, width
from onemcp.config.document import Document
from onemcp.config.loading import load
from onemcp.config.settings import Settings, resolve
from onemcp.config.state import StateDir
from onemcp.core.redact import without_secrets
from onemcp.errors import ConfigError, StartError
from onemcp.ops import checkup
from onemcp.ops.checkup import Finding, Grade
from onemcp.ops.reachability import gateway_at, reach
from onemcp.web.http.server import bind

_TIMEOUT: Final = 5.0
_COLOURED: Final = {Grade.OK: "ready", Grade.WARNING: "backoff", Grade.BAD: "failed"}
"""The states whose colours the grades have."""


def define(parser: Parser) -> None:
    """The command's arguments."""
    parser.add_argument("--config", "-c", metavar="PATH", help="the configuration file (ONE_MCP_CONFIG)")
    parser.add_argument(
        "--timeout",
        type=float,
        default=_TIMEOUT,
        metavar="SECONDS",
        help=f"for each server on HTTP (default {_TIMEOUT:g})",
    )
    parser.add_argument("--offline", action="store_true", help="ask no server on HTTP")
    parser.add_argument("--json", action="store_true", help="print the findings as JSON")
    add_reach(parser, host=True)


def run(args: argparse.Namespace, environ: Mapping[str, str]) -> Exit:
    """Print the findings."""
    findings = list(examine(args, environ))
    if args.json:
        print(json.dumps({"version": __version__, "findings": [asdict(f) for f in findings]}, indent=2))
    else:
        print(render(findings, environ))
    return Exit.FAILED if any(finding.grade is Grade.BAD for finding in findings) else Exit.OK


def examine(args: argparse.Namespace, environ: Mapping[str, str]) -> Iterator[Finding]:
    """All findings, in the order in which things depend on each other."""
    try:
        settings = resolve(environ, typed(args))
    except ConfigError as error:
        yield from (checkup.problem("settings", problem) for problem in error.problems)
        return
    status, found = _running(args, environ)
    yield found
    is_mute = found.grade is Grade.BAD
    document, findings = _configuration(settings, status, environ, is_mute=is_mute)
    yield from findings
    if document is not None:
        try:
            settings = resolve(environ, typed(args), document.settings)
        except ConfigError as error:
            yield from (checkup.problem("settings", problem) for problem in error.problems)
        well = {server["name"] for server in status.get("servers", ()) if server["state"] == "ready"}
        for spec in document.specs:
            if spec.name in well:
                yield Finding(f"server {spec.name}", Grade.OK, "is ready in the running gateway")
            else:
                yield checkup.server(spec, environ)
    yield from _machine(settings, args, environ, status, is_mute=is_mute)
    if document is not None and not args.offline:
        yield from asyncio.run(reach(document.specs, args.timeout))
    yield from _states(status)


def _running(args: argparse.Namespace, environ: Mapping[str, str]) -> tuple[dict[str, Any], Finding]:
    """What the running gateway says of itself; empty if there is none."""
    try:
        status: dict[str, Any] = json.loads(gateway(args, environ).status())
    except CommandError as error:
        if error.code is Exit.NO_GATEWAY:
            return {}, Finding("gateway", Grade.OK, "none runs here")
        fix = error.fix or "see its log; kill -USR2 dumps what it is doing"
        return {}, Finding("gateway", Grade.BAD, error.what, fix)
    what = f"runs as process {status['pid']}, {status['endpoint'] or 'on standard streams'}"
    if status["version"] != __version__:
        what += f", with version {status['version']}"
        fix = f"restart it: this is version {__version__}"
        return status, Finding("gateway", Grade.WARNING, what, fix)
    return status, Finding("gateway", Grade.OK, what)


def _configuration(
    settings: Settings, status: Mapping[str, Any], environ: Mapping[str, str], *, is_mute: bool
) -> tuple[Document | None, list[Finding]]:
    about = "configuration"
    named = settings.config or str(status.get("config", ""))
    try:
        path = Path(named) if named else find(environ)
    except ConfigError as error:
        return None, [checkup.problem(about, problem) for problem in error.problems]
    if path is None and is_mute:
        what = "which one the gateway has is not known, as it does not answer"
        return None, [Finding(about, Grade.WARNING, what, "name it with --config")]
    if path is None:
        places = ", ".join(map(str, candidates(environ)))
        return None, [
            Finding(about, Grade.BAD, f"there is none; looked for {places}", "name one with --config")
        ]
    try:
        document = asyncio.run(load(path, environ, settings)).document
    except ConfigError as error:
        return None, [checkup.problem(about, problem) for problem in error.problems]
    number = len(document.specs)
    well = Finding(about, Grade.OK, f"{path}: {number} server{'' if number == 1 else 's'}")
    notices = [Finding(about, Grade.WARNING, notice) for notice in (*settings.notices, *document.notices)]
    return document, [well, *notices]


def _machine(
    settings: Settings,
    args: argparse.Namespace,
    environ: Mapping[str, str],
    status: Mapping[str, Any],
    *,
    is_mute: bool,
) -> Iterator[Finding]:
    folder = gateway(args, environ).folder
    for found in (
        # Whoever is there and does not answer may well have the port.
        None if is_mute else _port(settings, args, folder, status),
        checkup.state_folder(StateDir(folder)),
        checkup.log_file(settings),
        checkup.clock(),
    ):
        if found is not None:
            yield found


def _port(
    settings: Settings, args: argparse.Namespace, folder: Path, status: Mapping[str, Any]
) -> Finding | None:
    taken = None
    if settings.transport == "http":
        try:
            bind(settings.host, settings.port).close()
        except StartError as error:
            taken = error
    if taken is not None and not status:
        version = asyncio.run(gateway_at(settings.host, settings.port, args.timeout))
        if version:
            what = f"{taken.what} by a gateway (version {version}) that nothing in {folder} leads to"
            fix = "name its --state-dir; if that was removed while it ran, restart it"
            return Finding("port", Grade.BAD, what, fix)
    return checkup.port(settings, taken, str(status.get("endpoint", "")))


def _states(status: Mapping[str, Any]) -> Iterator[Finding]:
    """How the running gateway sees its servers, those that are not well."""
    for server in status.get("servers", ()):
        if server["state"] not in ("ready", "disabled"):
            state = server["state"].replace("_", " ")
            reason = f": {without_secrets(server['reason'])}" if server["reason"] else ""
            grade = Grade.WARNING if server["state"] == "connecting" else Grade.BAD
            what = f"is {state} in the running gateway{reason}"
            yield Finding(f"server {server['name']}", grade, what, f"see 1mcp logs {server['name']}")


def render(findings: list[Finding], environ: Mapping[str, str]) -> str:
    """The findings for a person, each with what to do below it."""
    style = state_style(sys.stdout, environ)
    room = max(width(plain(finding.about)) for finding in findings)
    lines = []
    for finding in (replace(f, about=plain(f.about)) for f in findings):
        mark = style(_COLOURED[finding.grade]).replace(_COLOURED[finding.grade], f"{finding.grade.value:<4}")
        about = finding.about + " " * (room - width(finding.about))
        lines.append(f"{mark}  {about}  {one_line(finding.what)}")
        if finding.fix and finding.grade is not Grade.OK:
            lines.append(" " * (room + 8) + one_line(finding.fix))
    bad = sum(finding.grade is Grade.BAD for finding in findings)
    warnings = sum(finding.grade is Grade.WARNING for finding in findings)
    verdict = "nothing is wrong" if not bad else f"{bad} thing{'' if bad == 1 else 's'} to mend"
    if warnings:
        verdict += f", {warnings} warning{'' if warnings == 1 else 's'}"
    return "\n".join((*lines, "", verdict))
