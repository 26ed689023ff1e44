"""The gateway as a process: what it leaves behind (nothing), what it comes back with, and what it refuses."""

import asyncio
import json
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import httpx2
import pytest
from tests.support.gateway import WAIT_LIMIT, GatewayProcess, environment, onemcp
from tests.support.machine import PROC
from tests.support.marks import carrying
from tests.support.scripted import command

MARK: Final = "ONEMCP_TEST_MARK"
CONTENT: Final = {"Accept": "application/json, text/event-stream"}


def until(condition: Callable[[], bool], limit: float = WAIT_LIMIT) -> None:
    """Return when it holds, which is up to other processes; bounded."""
    deadline = time.monotonic() + limit
    while not condition():
        assert time.monotonic() < deadline, f"not within {limit:g} s"
        time.sleep(0.02)


class Family:
    """A gateway and its servers carry a mark in their environment; its watchdog is known by its parent."""

    def __init__(self) -> None:
        self.mark = uuid.uuid4().hex
        self._watchdogs: list[int] = []

    @property
    def environ(self) -> dict[str, str]:
        """For the gateway, and for the entries of its servers."""
        return {MARK: self.mark}

    def entry(self, *modes: str, **members: Any) -> dict[str, Any]:
        """A scripted server of this family."""
        flags = [word for mode in modes for word in ("--mode", mode)]
        return {"command": command(*flags), "env": self.environ, **members}

    def has(self, count: int) -> bool:
        """Whether so many run, with the watchdog, which is remembered."""
        marked = carrying(self.mark)
        self._watchdogs = [watchdog for pid in marked for watchdog in children(pid) if is_watchdog(watchdog)]
        return len(marked) + len(self._watchdogs) >= count

    def is_gone(self) -> bool:
        """Whether nobody runs any more."""
        return not carrying(self.mark) and not any(map(is_watchdog, self._watchdogs))


def children(pid: int) -> list[int]:
    """The processes that the main thread of a process has started."""
    try:
        return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except OSError:
        return []


def is_watchdog(pid: int) -> bool:
    """Whether a running process is a watchdog."""
    try:
        return b"watchdog_main.py" in Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return False


PARENT: Final = ("grandchild", "daemon")
"""Ends when it is told to, but its two grandchildren do not; one of them has called setsid."""
STUBBORN: Final = ("stay", *PARENT)
"""Does not end when it is told to either."""


@contextmanager
def grown(folder: Path, modes: tuple[str, ...]) -> Iterator[tuple[GatewayProcess, Family]]:
    """A gateway with a polite server and another: itself, the watchdog, two children, two grandchildren."""
    family = Family()
    config = {"mcpServers": {"polite": family.entry(), "other": family.entry(*modes)}}
    with GatewayProcess(config, folder=folder, environ=family.environ) as gateway:
        gateway.wait_settled()
        until(lambda: family.has(6))
        yield gateway, family


@PROC.mark
@pytest.mark.parametrize(
    ("number", "modes"),
    [(signal.SIGTERM, STUBBORN), (signal.SIGINT, PARENT)],
    ids=["SIGTERM with a stubborn server", "SIGINT"],
)
def test_a_polite_end_is_orderly_and_leaves_nothing_behind(
    tmp_path: Path, number: signal.Signals, modes: tuple[str, ...]
) -> None:
    with grown(tmp_path, modes) as (gateway, family):
        gateway.signal(number)
        assert gateway.wait() == 0
        until(family.is_gone)
        assert "Traceback" not in gateway.transcript()


@PROC.mark
def test_nothing_survives_the_gateways_sudden_death(tmp_path: Path) -> None:
    with grown(tmp_path, STUBBORN) as (gateway, family):
        gateway.process.kill()
        gateway.process.wait(WAIT_LIMIT)
        until(family.is_gone)


@PROC.mark
def test_nothing_survives_a_death_in_the_middle_of_starting(tmp_path: Path) -> None:
    family = Family()
    servers = {f"s{number}": family.entry("grandchild", "hang-start") for number in range(8)}
    config = {"mcpServers": servers}
    with GatewayProcess(config, folder=tmp_path, environ=family.environ) as gateway:
        until(lambda: family.has(4))
        gateway.process.kill()
        gateway.process.wait(WAIT_LIMIT)
        until(family.is_gone)


@PROC.mark
def test_a_server_that_is_still_starting_does_not_hold_up_the_end(tmp_path: Path) -> None:
    family = Family()
    config = {"mcpServers": {"hangs": family.entry("hang-start")}}
    with GatewayProcess(config, folder=tmp_path, environ=family.environ) as gateway:
        until(lambda: family.has(3))
        assert gateway.stop() == 0
        assert family.is_gone()


@PROC.mark
@pytest.mark.anyio
async def test_open_streams_and_calls_under_way_do_not_hold_up_the_end(tmp_path: Path) -> None:
    family = Family()
    config = {"mcpServers": {"stuck": family.entry("hang-call")}}
    gateway = GatewayProcess(config, "--drain-timeout", "200", folder=tmp_path, environ=family.environ)
    async with gateway, httpx2.AsyncClient(timeout=WAIT_LIMIT, headers=CONTENT) as http:
        answer = await http.post(gateway.url, json=HELLO)
        session = {"mcp-session-id": answer.headers["mcp-session-id"]}
        streaming = {**session, "accept": "text/event-stream"}
        async with http.stream("GET", gateway.url, headers=streaming) as stream:
            assert stream.status_code == 200
            stuck = rpc("tools/call", name="stuck_1mcp_echo", arguments={})
            call = asyncio.create_task(http.post(gateway.url, json=stuck, headers=session))
            other = rpc("tools/call", name="stuck_1mcp_cancelled", arguments={})
            assert (await http.post(gateway.url, json=other, headers=session)).status_code == 200
            assert await asyncio.to_thread(gateway.stop) == 0
        await asyncio.gather(call, return_exceptions=True)
    assert family.is_gone()


@PROC.mark
@pytest.mark.parametrize("ending", ["the end of its input", "SIGTERM", "SIGKILL"])
def test_a_gateway_on_stdio_leaves_nothing_behind_either(tmp_path: Path, ending: str) -> None:
    family = Family()
    config = tmp_path / "mcp.json"
    config.write_text(json.dumps({"mcpServers": {"parent": family.entry(*PARENT)}}))
    serve = ["-m", "onemcp", "serve", "--transport", "stdio", "--config", str(config)]
    process = subprocess.Popen(
        [sys.executable, *serve],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env=environment(tmp_path, family.environ),
        cwd=tmp_path,
    )
    with process:
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            process.stdin.write(json.dumps(HELLO).encode() + b"\n")
            process.stdin.flush()
            assert b"protocolVersion" in process.stdout.readline()
            until(lambda: family.has(5))
            if ending == "the end of its input":
                process.stdin.close()
            else:
                process.send_signal(getattr(signal, ending))
            assert process.wait(WAIT_LIMIT) == (-signal.SIGKILL if ending == "SIGKILL" else 0)
            until(family.is_gone)
        finally:
            process.kill()


HELLO: Final = {
    "jsonrpc": "2.0",
    "id": 1,
    "method": "initialize",
    "params": {
        "protocolVersion": "2025-11-25",
        "capabilities": {},
        "clientInfo": {"name": "test", "version": "1"},
    },
}


def rpc(method: str, **params: Any) -> dict[str, Any]:
    """A request."""
    return {"jsonrpc": "2.0", "id": 2, "method": method, "params": params}


class Session:
    """One client's session, by raw HTTP."""

    def __init__(self, gateway: GatewayProcess) -> None:
        self._gateway = gateway
        self.id = self._post(HELLO).headers["mcp-session-id"]

    def _post(self, message: dict[str, Any], **headers: str) -> httpx2.Response:
        with httpx2.Client(timeout=WAIT_LIMIT, headers=CONTENT | headers) as http:
            return http.post(self._gateway.url, json=message)

    def ask(self, method: str, **params: Any) -> Any:
        """The result of a request."""
        answer = self._post(rpc(method, **params), **{"mcp-session-id": self.id})
        assert answer.status_code == 200, answer.text
        return answer.json()["result"]

    def tools(self) -> list[str]:
        """The names of the tools."""
        return [tool["name"] for tool in self.ask("tools/list")["tools"]]

    def pid(self, server: str) -> int:
        """The process id of a scripted server."""
        number: int = self.ask("tools/call", name=f"{server}_1mcp_echo")["structuredContent"]["pid"]
        return number


def test_a_session_outlives_the_sudden_death_of_the_gateway(tmp_path: Path) -> None:
    config = {"mcpServers": {"a": {"command": command()}}}
    with GatewayProcess(config, folder=tmp_path) as gateway:
        session = Session(gateway)
        before = session.pid("a")
        gateway.kill()
        gateway.start()
        assert session.tools() == ["a_1mcp_echo"]
        assert session.pid("a") != before


def test_a_session_of_another_state_folder_is_unknown(tmp_path: Path) -> None:
    with GatewayProcess({"mcpServers": {}}, "--state-dir", "one", folder=tmp_path) as gateway:
        session = Session(gateway)
    with GatewayProcess({"mcpServers": {}}, "--state-dir", "other", folder=tmp_path) as gateway:
        headers = {**CONTENT, "mcp-session-id": session.id}
        assert httpx2.post(gateway.url, json=rpc("tools/list"), headers=headers).status_code == 404


def test_a_reload_touches_only_what_differs(tmp_path: Path) -> None:
    stays, goes = {"command": command()}, {"command": command("--tools", 2)}
    with GatewayProcess({"mcpServers": {"stays": stays, "goes": goes}}, folder=tmp_path) as gateway:
        session = Session(gateway)
        before = session.pid("stays")
        assert session.tools() == ["stays_1mcp_echo", "goes_1mcp_echo", "goes_1mcp_tool_1"]
        gateway.config_file.write_text(json.dumps({"mcpServers": {"comes": goes, "stays": stays}}))
        gateway.signal(signal.SIGHUP)
        gateway.wait_for_output("the configuration was reloaded")
        until(lambda: sorted(session.tools()) == ["comes_1mcp_echo", "comes_1mcp_tool_1", "stays_1mcp_echo"])
        assert session.pid("stays") == before


def test_a_reload_of_a_broken_file_changes_nothing(tmp_path: Path) -> None:
    with GatewayProcess({"mcpServers": {"stays": {"command": command()}}}, folder=tmp_path) as gateway:
        session = Session(gateway)
        before = session.pid("stays")
        gateway.config_file.write_text('{"mcpServers": {\n  "stays": }}')
        gateway.signal(signal.SIGHUP)
        gateway.wait_for_output(f"{gateway.config_file}:2:12: ")
        assert session.pid("stays") == before


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ('{\n  "mcpServers": {\n    "a": { "command": "x"\n  }\n', ":5:1: "),
        ('{\n  "mcpServers": {\n    "a": { "comand": "x" }\n  }\n}\n', ":3:12: mcpServers.a.comand: "),
        ('{\n  "mcpServers": {\n    "a": { "command": 7 }\n  }\n}\n', ":3:23: mcpServers.a.command: "),
        ('{\n  "mcpServers": {},\n  "mcpServers": {}\n}\n', ":3:3: "),
    ],
    ids=["cut off", "unknown key", "wrong type", "duplicate key"],
)
def test_a_broken_configuration_ends_it_with_its_place(tmp_path: Path, text: str, place: str) -> None:
    (tmp_path / "mcp.json").write_text(text)
    done = onemcp("serve", "--config", "mcp.json", "--port", "0", folder=tmp_path)
    assert done.returncode == 78
    assert done.stdout == ""
    assert f"mcp.json{place}" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_second_gateway_is_refused_the_port_and_the_folder_of_the_first(tmp_path: Path) -> None:
    with GatewayProcess({"mcpServers": {}}, folder=tmp_path) as first:
        of_port = onemcp("--config", "mcp.json", "--port", str(first.port), folder=tmp_path)
        of_folder = first.command("serve", "--config", "mcp.json", "--port", "0")
        assert (of_port.returncode, of_folder.returncode) == (1, 1)
        assert f"port {first.port} on 127.0.0.1 is in use" in of_port.stderr
        assert str(first.state_dir) in of_folder.stderr
        assert httpx2.get(f"{first.base}/health/live").status_code == 200


def test_what_a_killed_gateway_left_in_its_folder_is_no_obstacle(tmp_path: Path) -> None:
    with GatewayProcess({"mcpServers": {}}, folder=tmp_path) as gateway:
        gateway.kill()
        gateway.start()
        status = json.loads(gateway.command("status", "--json").stdout)
        assert status["pid"] == gateway.pid
