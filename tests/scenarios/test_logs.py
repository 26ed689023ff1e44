"""The log of a whole gateway: what a client is told can be found in it, and what must not be in it is not."""

import json
import signal
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import httpx2
import pytest
from tests.support.gateway import WAIT_LIMIT, GatewayProcess
from tests.support.scripted import command

ACCEPT: Final = {"accept": "application/json, text/event-stream"}
META: Final = {
    "io.modelcontextprotocol/protocolVersion": "2026-07-28",
    "io.modelcontextprotocol/clientCapabilities": {},
}
TRACE: Final = "0af7651916cd43dd8448eb211c80319c"
TRACEPARENT: Final = f"00-{TRACE}-b7ad6b7169203331-01"
MARKER: Final = "a-payload-that-is-nobodys-business"
SECRET: Final = "sk-livesecret123456789"

Line = Mapping[str, Any]

GRUMPY: Final = """
import json, sys
for line in sys.stdin:
    asked = json.loads(line)
    params, answer = asked.get("params", {}), {"error": {"code": -32601, "message": "Method not found"}}
    if asked["method"] == "initialize":
        answer = {"result": {"protocolVersion": "2025-11-25", "capabilities": {"tools": {}},
                             "serverInfo": {"name": "grumpy", "version": "1"}}}
    elif asked["method"] == "tools/list":
        answer = {"result": {"tools": [{"name": "say", "inputSchema": {"type": "object"}}]}}
    elif asked["method"] == "tools/call":
        answer = {"error": {"code": -32099, "message": params["arguments"]["text"]}}
    if "id" in asked:
        print(json.dumps({"jsonrpc": "2.0", "id": asked["id"], **answer}), flush=True)
"""


def entry(*arguments: object, **more: object) -> dict[str, object]:
    program, *rest = command(*arguments)
    return {"command": program, "args": rest, **more}


CONFIG: Final = {
    "mcpServers": {
        "alpha": entry("--name", "alpha", "--tools", 1, "--templates", 1, "--resources", 1),
        "grumpy": {"command": sys.executable, "args": ["-c", GRUMPY]},
        "mute": entry("--name", "mute", "--tools", 1, "--mode", "hang-call", requestTimeout=300),
        "leaky": {"command": "sh", "args": ["-c", f"echo login with token={SECRET} >&2; exit 3"]},
    }
}


def lines(text: str) -> list[Line]:
    """The JSON lines in a text; every line must be one."""
    return [json.loads(line) for line in text.splitlines()]


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GatewayProcess]:
    folder = tmp_path_factory.mktemp("logs")
    flags = ["--enable-async-loading", "--log-format", "json"]
    with GatewayProcess(CONFIG, *flags, folder=folder) as process:
        process.wait_settled()
        yield process


def ask(
    gateway: GatewayProcess, method: str, *, headers: Mapping[str, str] | None = None, **params: object
) -> httpx2.Response:
    """The answer to a stateless request."""
    name = {"mcp-name": str(params["name"])} if "name" in params else {}
    return httpx2.post(
        gateway.url,
        json={"jsonrpc": "2.0", "id": 1, "method": method, "params": {"_meta": META, **params}},
        headers={
            **ACCEPT,
            "mcp-protocol-version": "2026-07-28",
            "mcp-method": method,
            **name,
            **(headers or {}),
        },
        timeout=WAIT_LIMIT,
    )


def found(gateway: GatewayProcess, condition: Callable[[Line], bool]) -> Line:
    """The first line of the log that is meant; waits for it, bounded."""
    deadline = time.monotonic() + WAIT_LIMIT
    while True:
        complete = gateway.stderr[: gateway.stderr.rfind("\n") + 1]
        for line in lines(complete):
            if condition(line):
                return line
        assert time.monotonic() < deadline, gateway.stderr
        time.sleep(0.02)


def test_every_line_is_an_object_with_the_documented_members(gateway: GatewayProcess) -> None:
    found(gateway, lambda line: line.get("server") == "alpha")
    for line in lines(gateway.stderr[: gateway.stderr.rfind("\n") + 1]):
        assert list(line)[:4] == ["timestamp", "level", "logger", "message"]
        assert line["level"] in ("debug", "info", "warn", "error")


def test_an_error_of_the_gateway_carries_the_id_under_which_the_log_has_it(gateway: GatewayProcess) -> None:
    answer = ask(
        gateway, "tools/call", name="mute_1mcp_echo", arguments={}, headers={"traceparent": TRACEPARENT}
    )
    name = answer.headers["x-request-id"]
    error = answer.json()["error"]
    assert (error["code"], error["data"]["requestId"]) == (-32001, name)
    line = found(gateway, lambda line: line.get("request_id") == name)
    assert line["level"] == "warn"
    assert line["server"] == "mute"
    assert line["principal"] == "anonymous"
    assert line["method"] == "tools/call"
    assert line["trace_id"] == TRACE
    assert line["error"]["code"] == -32001


def test_a_session_is_in_the_lines_about_its_requests_and_its_id_is_not(gateway: GatewayProcess) -> None:
    params = {
        "protocolVersion": "2025-11-25",
        "capabilities": {},
        "clientInfo": {"name": "t", "version": "1"},
    }
    hello = {"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": params}
    token = httpx2.post(gateway.url, json=hello, headers=ACCEPT).headers["mcp-session-id"]
    call = {"jsonrpc": "2.0", "id": 2, "method": "tools/call", "params": {"name": "mute_1mcp_echo"}}
    answer = httpx2.post(
        gateway.url, json=call, headers={**ACCEPT, "mcp-session-id": token}, timeout=WAIT_LIMIT
    )
    name = answer.json()["error"]["data"]["requestId"]
    line = found(gateway, lambda line: line.get("request_id") == name)
    assert line["session"]
    assert token not in gateway.stderr


def test_a_clients_own_request_id_is_kept(gateway: GatewayProcess) -> None:
    answer = ask(gateway, "tools/call", name="nope", arguments={}, headers={"x-request-id": "order-17"})
    assert answer.headers["x-request-id"] == "order-17"
    assert answer.json()["error"]["data"]["requestId"] == "order-17"


def test_an_answer_that_is_well_carries_none(gateway: GatewayProcess) -> None:
    assert "x-request-id" not in ask(gateway, "tools/list").headers


@pytest.mark.parametrize(
    ("method", "path", "status"), [("GET", "/nowhere", 404), ("PUT", "/mcp", 405), ("POST", "/mcp", 415)]
)
def test_every_error_status_has_an_id(gateway: GatewayProcess, method: str, path: str, status: int) -> None:
    answer = httpx2.request(method, gateway.base + path)
    assert answer.status_code == status
    assert answer.headers["x-request-id"]


def test_an_upstreams_error_stays_as_it_is_and_the_header_names_the_request(gateway: GatewayProcess) -> None:
    answer = ask(gateway, "tools/call", name="grumpy_1mcp_say", arguments={"text": MARKER})
    assert answer.json()["error"] == {"code": -32099, "message": MARKER}
    line = found(gateway, lambda line: line.get("request_id") == answer.headers["x-request-id"])
    assert (line["level"], line["server"], line["error"]["code"]) == ("info", "grumpy", -32099)
    assert MARKER not in gateway.stderr


def test_a_servers_standard_error_is_there_without_its_credentials(gateway: GatewayProcess) -> None:
    line = found(gateway, lambda line: line["logger"] == "onemcp.upstream.stderr")
    assert (line["server"], line["message"]) == ("leaky", "login with token=***")
    assert SECRET not in gateway.stderr


def test_what_is_called_with_is_in_no_line_however_it_ends(gateway: GatewayProcess) -> None:
    ask(gateway, "tools/call", name="alpha_1mcp_echo", arguments={"text": MARKER})
    ask(gateway, "tools/call", name="mute_1mcp_echo", arguments={"text": MARKER})
    name = ask(gateway, "tools/call", name="mute_1mcp_echo", arguments={MARKER: MARKER}).headers[
        "x-request-id"
    ]
    found(gateway, lambda line: line.get("request_id") == name)
    assert MARKER not in gateway.stderr


def test_the_state_of_servers_is_in_the_log(gateway: GatewayProcess) -> None:
    line = found(gateway, lambda line: line["logger"] == "onemcp.state" and line.get("server") == "alpha")
    assert line["message"].startswith("is ready after ")


def test_a_signal_dumps_tasks_and_servers(gateway: GatewayProcess) -> None:
    gateway.signal(signal.SIGUSR2)
    head = found(gateway, lambda line: line["logger"] == "onemcp.dump")
    assert "tasks" in head["message"]
    told = found(gateway, lambda line: line["logger"] == "onemcp.dump" and line.get("server") == "alpha")
    assert "ready for" in told["message"]
    found(gateway, lambda line: line["logger"] == "onemcp.dump" and "Supervisor.run" in line["message"])


def test_a_level_for_a_while_shows_requests_and_then_is_over(gateway: GatewayProcess) -> None:
    told = gateway.command("log-level", "debug", "--for", "2s")
    assert told.stdout == "the log level is debug for 2 s, then info again\n"
    name = "shown-because-of-debug"
    ask(gateway, "tools/list", headers={"x-request-id": name})
    line = found(gateway, lambda line: line.get("request_id") == name)
    assert (line["level"], line["method"]) == ("debug", "tools/list")
    found(gateway, lambda line: line["message"] == "the log level is info again")
    assert gateway.command("log-level").stdout == "the log level is info\n"


def test_a_log_file_is_written_moved_away_and_opened_anew(tmp_path: Path) -> None:
    log = tmp_path / "gateway.log"
    flags = ["--enable-async-loading", "--log-format", "json", "--log-file", str(log)]
    config = {"mcpServers": {"alpha": CONFIG["mcpServers"]["alpha"]}}
    with GatewayProcess(config, *flags, folder=tmp_path) as gateway:
        gateway.wait_settled()
        log.rename(tmp_path / "moved.log")
        gateway.signal(signal.SIGUSR1)
        deadline = time.monotonic() + WAIT_LIMIT
        while not log.exists():
            assert time.monotonic() < deadline
            time.sleep(0.02)
        gateway.signal(signal.SIGUSR2)
        while "dump" not in log.read_text():
            assert time.monotonic() < deadline
            time.sleep(0.02)
        assert gateway.stderr == ""
        assert gateway.stop() == 0
    first = lines((tmp_path / "moved.log").read_text())[0]
    assert first["logger"] == "onemcp.state"
    assert "serves http://" in first["message"]
    assert lines(log.read_text())


def test_a_log_file_that_cannot_be_written_stops_the_start(tmp_path: Path) -> None:
    gateway = GatewayProcess({"mcpServers": {}}, "--log-file", "/nowhere/at/all.log", folder=tmp_path)
    with pytest.raises(AssertionError, match="the log file cannot be written"):
        gateway.start()


def test_a_log_that_nobody_reads_holds_up_no_call_and_no_end(tmp_path: Path) -> None:
    """Standard error is a pipe that is full; a server floods its own."""
    config = {
        "mcpServers": {
            "alpha": CONFIG["mcpServers"]["alpha"],
            "loud": entry("--name", "loud", "--tools", 1, "--mode", "stderr-flood"),
        }
    }
    with _Clogged(config, "--enable-async-loading", "--log-level", "debug", folder=tmp_path) as gateway:
        gateway.wait_settled()
        for _ in range(20):
            answer = ask(gateway, "tools/call", name="alpha_1mcp_echo", arguments={"a": 1})
            assert "result" in answer.json()
        assert gateway.command("logs", "loud", "-n", "1").stdout
        assert gateway.stop() == 0


_FULL: Final = """
import os, sys
read, write = os.pipe()
os.set_blocking(write, False)
try:
    while True:
        os.write(write, b"x" * 4096)
except BlockingIOError:
    os.set_blocking(write, True)
os.set_inheritable(read, True)
os.dup2(write, 2)
os.execv(sys.argv[1], sys.argv[1:])
"""


class _Clogged(GatewayProcess):
    """Its standard error is a pipe that is full and that nobody reads."""

    def command_line(self) -> list[str]:
        line = list(super().command_line())
        return [line[0], "-c", _FULL, *line]
