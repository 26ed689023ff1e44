"""The control client: how the other commands find the running gateway and ask it, every wait bounded."""

import argparse
import asyncio
import json
import os
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import Final
from urllib.parse import urlencode

import msgspec

from onemcp.cli.arguments import Parser
from onemcp.cli.outcome import CommandError, Exit
from onemcp.cli.text import plain
from onemcp.config.endpoint import client_url
from onemcp.config.settings import Settings, resolve
from onemcp.config.state import StateDir, default_state_dir
from onemcp.errors import ConfigError, Problem
from onemcp.net.fault import Fault, HttpError
from onemcp.net.http1 import HttpClient
from onemcp.net.origin import Origin
from onemcp.net.pool import Limits

TIMEOUT: Final = 10.0
"""Seconds that the gateway has for an answer that needs no upstream."""
CONFIG_TIMEOUT: Final = 150.0
"""Seconds for an answer that may need all secrets anew, of which each provider has two minutes."""
_MAX_ANSWER: Final = 256 * 1024 * 1024
"""Bytes of an answer; a tool's result may be as large as the gateway lets it."""
_LOCK_LIMIT: Final = 1.0
"""Seconds for which the lock of a gateway that was killed may still be there."""
_JSON: Final = (("content-type", "application/json"),)


class _Faulty(msgspec.Struct):
    """The answer where a configuration cannot be used."""

    problems: list[Problem]


@dataclass(frozen=True, slots=True)
class Gateway:
    """The gateway that holds one state folder. Every verb returns the JSON text of its answer.

    Raises (every verb):
        CommandError: there is no gateway, it does not answer in time, or it says no.
    """

    folder: Path
    """Its state folder."""

    def status(self) -> bytes:
        """The gateway and all its servers."""
        return self._ask("GET", "/status")

    def inspect(self, server: str, tool: str) -> bytes:
        """All servers, one, or one tool of one."""
        given = {name: value for name, value in (("server", server), ("tool", tool)) if value}
        return self._ask("GET", f"/inspect?{urlencode(given)}" if given else "/inspect")

    def run(self, server: str, tool: str, arguments: str, timeout: float) -> bytes:
        """Call one tool with the JSON text of its arguments."""
        order = msgspec.json.encode(
            {"server": server, "tool": tool, "arguments": msgspec.Raw(arguments.encode())}
        )
        return self._ask("POST", "/run", order, timeout)

    def alerts(self) -> bytes:
        """What is raised now, and how every webhook is."""
        return self._ask("GET", "/alerts")

    def alert_history(self, limit: int) -> bytes:
        """What was told, the newest first, and what could not be."""
        return self._ask("GET", f"/alerts/history?limit={limit}")

    def test_alerts(self, slowest: float) -> bytes:
        """Try every webhook once; what became of it. `slowest` is the longest time that one of them has, in seconds."""
        return self._ask("POST", "/alerts/test", timeout=slowest + TIMEOUT)

    def top(self) -> bytes:
        """How busy the gateway and its servers are."""
        return self._ask("GET", "/top")

    def log_level(self) -> bytes:
        """The log level, and until when."""
        return self._ask("GET", "/log-level")

    def set_log_level(self, level: str, seconds: float) -> bytes:
        """Another log level; for so many seconds, or 0 for as long as the gateway runs."""
        return self._ask("POST", "/log-level", msgspec.json.encode({"level": level, "seconds": seconds}))

    def reload(self) -> bytes:
        """Have it read its configuration again; what that changed.

        Raises:
            ConfigError: it is faulty, and the one before stays.
        """
        return self._ask("POST", "/reload", timeout=CONFIG_TIMEOUT)

    def diff(self) -> bytes:
        """What a reload would change.

        Raises:
            ConfigError: nothing, since the configuration is faulty.
        """
        return self._ask("GET", "/diff", timeout=CONFIG_TIMEOUT)

    def settings(self) -> bytes:
        """The settings in force, and where each comes from."""
        return self._ask("GET", "/settings")

    def logs(self, server: str, lines: int, *, follow: bool) -> Iterator[bytes]:
        """The last lines of the log as JSON lines; with `follow` each that comes after them, as it comes."""
        from onemcp.cli.lines import BrokenOffError, lines_of  # noqa: PLC0415 - its library is slow to load, and few need it

        given = {"server": server, "lines": str(lines), "follow": str(int(follow))}
        path = str(StateDir(self.folder).control_socket)
        try:
            with lines_of(path, f"/logs?{urlencode(given)}", TIMEOUT, forever=follow) as answer:
                if answer.status != HTTPStatus.OK:
                    reason = _reason(b"".join(answer.lines))
                    raise CommandError(reason or f"the gateway answered with status {answer.status}")
                yield from answer.lines
        except (FileNotFoundError, NotADirectoryError, PermissionError, ConnectionRefusedError) as error:
            raise self._missing() from error
        except BrokenOffError as error:
            raise self._broken_off() from error
        except OSError as error:
            raise CommandError(f"the connection to the gateway failed: {error}") from error

    def _ask(self, method: str, target: str, body: bytes = b"", timeout: float = TIMEOUT) -> bytes:
        status, answer = asyncio.run(self._exchange(method, target, body, timeout))
        if status == HTTPStatus.OK:
            return answer
        if status == HTTPStatus.CONFLICT and (problems := _problems(answer)):
            raise ConfigError(*problems)
        raise CommandError(_reason(answer) or f"the gateway answered with status {status}")

    async def _exchange(self, method: str, target: str, body: bytes, timeout: float) -> tuple[int, bytes]:
        origin = Origin("http", "localhost", 80, str(StateDir(self.folder).control_socket))
        try:
            async with HttpClient(origin, Limits(max_body=_MAX_ANSWER)) as client:
                response = await client.request(method, target, _JSON, body, timeout=timeout)
        except HttpError as error:
            if error.fault is Fault.UNREACHABLE:
                raise self._missing() from error
            if error.fault is Fault.TIMEOUT:
                raise CommandError(f"no answer from the gateway within {timeout:g} s") from error
            raise CommandError(f"the connection to the gateway failed: {error.what}") from error
        return response.status, response.body

    def _broken_off(self) -> CommandError:
        """Why an answer has no end: the gateway has gone, whose lock may outlive its connections by a moment."""
        by = time.monotonic() + _LOCK_LIMIT
        while StateDir(self.folder).is_held():
            if time.monotonic() > by:
                return CommandError("the gateway ended its answer half-way", "see its log, and ask again")
            time.sleep(_LOCK_LIMIT / 20)
        what = "the gateway is gone: it ended without a word, as when it is killed"
        return CommandError(
            what, "see what ended it (dmesg, journalctl), and start it again", Exit.NO_GATEWAY
        )

    def _missing(self) -> CommandError:
        state = StateDir(self.folder)
        closed = _closed(state.control_socket)
        if closed is not None:
            return CommandError(
                f"whether a gateway runs here cannot be seen: this user may not look into {closed}",
                "do this as the user that the gateway runs as, or name another with --port or --state-dir",
            )
        if state.is_held():
            return CommandError(
                f"a gateway has {self.folder}, but does not answer on {state.control_socket}",
                "if it is not just starting or stopping, that socket was removed: restart the gateway",
            )
        return CommandError(
            f"no gateway runs here: nothing answers in {self.folder}",
            "start one with 1mcp --config mcp.json, or name the one you mean with --port or --state-dir",
            Exit.NO_GATEWAY,
        )


def _closed(socket: Path) -> Path | None:
    """What keeps this user from a socket: the outermost folder that may not be entered, or the socket itself."""
    for folder in reversed(socket.parents):
        if not folder.is_dir():
            return None
        if not os.access(folder, os.X_OK):
            return folder
    return socket if os.access(socket, os.F_OK) and not os.access(socket, os.W_OK) else None


def _reason(body: bytes) -> str:
    try:
        answer = json.loads(body)
    except ValueError:
        return ""
    return str(answer.get("error", "")) if isinstance(answer, dict) else ""


def _problems(body: bytes) -> tuple[Problem, ...]:
    """What the gateway found wrong with its configuration, if the answer says that."""
    try:
        return tuple(msgspec.json.decode(body, type=_Faulty).problems)
    except msgspec.DecodeError:
        return ()


def add_reach(parser: Parser, *, host: bool = False) -> None:
    """The options that say which gateway is meant; the variables of `serve` count here too."""
    group = parser.add_argument_group("which gateway")
    group.add_argument("--port", metavar="PORT", help="the one on this port (default 3050; ONE_MCP_PORT)")
    group.add_argument(
        "--state-dir", metavar="DIR", help="the one with this state folder (ONE_MCP_STATE_DIR)"
    )
    if host:
        group.add_argument("--host", metavar="HOST", help="where it will listen, if none runs (ONE_MCP_HOST)")


def typed(args: argparse.Namespace) -> dict[str, object]:
    """The settings among the arguments of a command that looks at a gateway."""
    names = ("host", "port", "state_dir", "config")
    return {name: value for name in names if (value := getattr(args, name, None)) is not None}


def gateway(args: argparse.Namespace, environ: Mapping[str, str]) -> Gateway:
    """The gateway that the arguments and the environment mean.

    Raises:
        ConfigError: one of them means nothing.
    """
    return gateway_of(_settings(args, environ), environ)


def _settings(args: argparse.Namespace, environ: Mapping[str, str]) -> Settings:
    settings = resolve(environ, {name: getattr(args, name, None) for name in ("host", "port", "state_dir")})
    for notice in settings.notices:
        print(f"1mcp: {plain(notice)}", file=sys.stderr)
    return settings


def gateway_of(settings: Settings, environ: Mapping[str, str]) -> Gateway:
    """The gateway that has these settings."""
    return Gateway(
        Path(settings.state_dir) if settings.state_dir else default_state_dir(settings.port, environ)
    )


def endpoint(args: argparse.Namespace, environ: Mapping[str, str]) -> tuple[str, str]:
    """The URL for clients, and in a few words where it comes from: the running gateway, or else the arguments.

    Raises:
        ConfigError: an argument means nothing.
        CommandError: the gateway that runs has no endpoint, or does not answer.
    """
    settings = _settings(args, environ)
    try:
        url = str(json.loads(gateway_of(settings, environ).status())["endpoint"])
    except CommandError as error:
        if error.code is not Exit.NO_GATEWAY:
            raise
        return client_url(settings, settings.port), "no gateway runs there yet"
    if not url:
        raise CommandError(
            "the gateway that runs has no endpoint: its client starts it and speaks to it on standard streams",
            "start one with --transport http",
        )
    return url, "the gateway that runs now"


def member(body: bytes, name: str) -> bytes:
    """One member of a JSON object, token for token."""
    return bytes(msgspec.json.decode(body, type=dict[str, msgspec.Raw])[name])


def print_json(body: bytes) -> None:
    """Print JSON indented, every token as it came; what a terminal could take for an order is escaped in JSON."""
    print(msgspec.json.format(body, indent=2).decode(errors="replace"))
