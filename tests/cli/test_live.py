"""The commands against a running gateway with scripted servers."""

import http.client
import json
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.support.gateway import GatewayProcess, environment, onemcp
from tests.support.golden import compare, neutral
from tests.support.scripted import command

from onemcp import __version__

GOLDEN = Path(__file__).parent / "golden"


def entry(*arguments: object) -> dict[str, object]:
    program, *rest = command(*arguments)
    return {"command": program, "args": rest}


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GatewayProcess]:
    """Two servers that are well, and one that is switched off."""
    config = {
        "mcpServers": {
            "alpha": {
                **entry("--name", "alpha", "--tools", 2, "--prompts", 1, "--resources", 1, "--templates", 1),
                "tags": ["web", "demo"],
            },
            "beta": {**entry("--name", "beta", "--tools", 1), "disabledTools": ["echo"]},
            "time": {"command": "mcp-server-time"},
            "off": {"command": "never", "disabled": True},
        }
    }
    with GatewayProcess(config, "--enable-async-loading", folder=tmp_path_factory.mktemp("live")) as process:
        process.wait_settled()
        yield process


def test_status_is_a_table_and_all_is_well(gateway: GatewayProcess) -> None:
    done = gateway.command("status")
    assert (done.returncode, done.stderr) == (0, "")
    compare(GOLDEN / "status.txt", neutral(done.stdout, PORT=gateway.port))


def test_status_as_json_is_the_answer_of_the_control_api(gateway: GatewayProcess) -> None:
    done = gateway.command("status", "--json")
    status = json.loads(done.stdout)
    assert done.returncode == 0
    assert status["endpoint"] == gateway.url
    assert status["pid"] == gateway.pid
    assert [server["name"] for server in status["servers"]] == ["alpha", "beta", "time", "off"]


def test_the_default_folder_of_a_port_leads_to_its_gateway(tmp_path: Path) -> None:
    """A person who knows the port needs no --state-dir."""
    (tmp_path / "mcp.json").write_text('{"mcpServers": {}}')
    environ = environment(tmp_path)
    start = [sys.executable, "-m", "onemcp", "--config", "mcp.json", "--port", "0"]
    with subprocess.Popen(start, cwd=tmp_path, env=environ, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            port = process.stdout.readline().rsplit(":", 1)[1].partition("/")[0]
            ask = [sys.executable, "-m", "onemcp", "status"]
            by_flag = subprocess.run(
                [*ask, "--port", port],
                cwd=tmp_path,
                env=environ,
                capture_output=True,
                timeout=20,
                check=False,
            )
            by_variable = subprocess.run(
                ask,
                cwd=tmp_path,
                env={**environ, "ONE_MCP_PORT": port},
                capture_output=True,
                timeout=20,
                check=False,
            )
            process.send_signal(signal.SIGTERM)
            assert process.wait(15) == 0
        finally:
            process.kill()
    assert (by_flag.returncode, by_flag.stderr) == (0, b"")
    assert (by_variable.returncode, by_variable.stderr) == (0, b"")


@pytest.mark.parametrize(
    ("name", "argv"),
    [
        ("inspect_all", ["inspect"]),
        ("inspect_server", ["inspect", "alpha"]),
        ("inspect_disabled_tool", ["inspect", "beta"]),
        ("inspect_off", ["inspect", "off"]),
        ("inspect_tool", ["inspect", "time/get_current_time"]),
    ],
)
def test_inspect(gateway: GatewayProcess, name: str, argv: list[str]) -> None:
    done = gateway.command(*argv)
    assert (done.returncode, done.stderr) == (0, "")
    compare(GOLDEN / f"{name}.txt", done.stdout)


def test_inspect_as_json_has_every_field_of_the_server(gateway: GatewayProcess) -> None:
    done = gateway.command("inspect", "alpha/echo", "--json")
    answer = json.loads(done.stdout)
    assert answer["listed"] == "alpha_1mcp_echo"
    assert answer["entry"]["x-vendor"] == 1


@pytest.mark.parametrize("argv", [["inspect", "nope"], ["inspect", "alpha/nope"], ["run", "nope/x"]])
def test_what_is_not_there_is_said_with_what_is(gateway: GatewayProcess, argv: list[str]) -> None:
    done = gateway.command(*argv)
    assert (done.returncode, done.stdout) == (1, "")
    assert "alpha" in done.stderr


def test_run_prints_the_text_that_the_tool_answers(gateway: GatewayProcess) -> None:
    done = gateway.command("run", "alpha/echo", "--args", '{"n": 1.50}')
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == '{"n": 1.50}\n'


def test_run_as_json_keeps_every_token(gateway: GatewayProcess) -> None:
    done = gateway.command(
        "run", "alpha/echo", "--args", '{"n": 1.50, "big": 123456789012345678901234567890}', "--json"
    )
    assert "1.50" in done.stdout
    assert "123456789012345678901234567890" in done.stdout
    assert json.loads(done.stdout)["structuredContent"]["server"] == "alpha"


def test_run_takes_arguments_from_standard_input(gateway: GatewayProcess) -> None:
    done = gateway.command("run", "alpha/echo", "--args", "-", stdin='{"from": "stdin"}')
    assert done.returncode == 0
    assert "stdin" in done.stdout


@pytest.mark.parametrize("flags", [[], ["--json"]])
def test_a_tool_that_reports_an_error_exits_with_one(gateway: GatewayProcess, flags: list[str]) -> None:
    done = gateway.command("run", "time/get_current_time", "--args", '{"timezone": "Nowhere/At_All"}', *flags)
    assert done.returncode == 1
    assert "Nowhere/At_All" in (done.stdout if flags else done.stderr)


def test_a_call_that_fails_exits_with_one_and_says_why(gateway: GatewayProcess) -> None:
    done = gateway.command("run", "beta/echo")
    assert (done.returncode, done.stdout) == (1, "")
    assert "echo" in done.stderr


def test_arguments_that_are_no_json_exit_with_two(gateway: GatewayProcess) -> None:
    done = gateway.command("run", "alpha/echo", "--args", "{nope}")
    assert done.returncode == 2
    compare(GOLDEN / "arguments_not_json.txt", done.stderr)


def test_connect_knows_the_running_gateway(gateway: GatewayProcess) -> None:
    done = gateway.command("connect")
    assert done.returncode == 0
    compare(GOLDEN / "connect.txt", neutral(done.stdout, PORT=gateway.port))


def test_one_snippet_stands_alone_on_standard_output(gateway: GatewayProcess) -> None:
    done = gateway.command("connect", "vscode")
    assert json.loads(done.stdout)["servers"]["onemcp"] == {"type": "http", "url": gateway.url}
    assert ".vscode/mcp.json" in done.stderr


def test_status_of_a_gateway_with_a_failed_server_exits_with_one(tmp_path: Path) -> None:
    config = {"mcpServers": {"dead": {"command": "no-such-server"}}}
    with GatewayProcess(config, "--enable-async-loading", folder=tmp_path) as process:
        process.wait_settled()
        done = process.command("status")
    assert done.returncode == 1
    assert "failed" in done.stdout
    assert "no-such-server" in done.stdout


def test_a_gateway_that_was_killed_is_a_gateway_that_does_not_run(tmp_path: Path) -> None:
    with GatewayProcess({"mcpServers": {}}, folder=tmp_path) as process:
        process.kill()
        done = process.command("status")
        assert done.returncode == 3
        assert "no gateway runs here" in done.stderr
        process.start()
        assert process.command("status").returncode == 0


def test_a_gateway_whose_socket_was_removed_is_told_from_none(tmp_path: Path) -> None:
    with GatewayProcess({"mcpServers": {}}, folder=tmp_path) as process:
        (process.state_dir / "control.sock").unlink()
        done = process.command("status")
        assert done.returncode == 1
        assert f"a gateway has {process.state_dir}, but does not answer" in done.stderr
        assert "restart the gateway" in done.stderr
        doctor = process.command("doctor", "--port", str(process.port))
        assert doctor.returncode == 1
        assert "does not answer on" in doctor.stdout


def test_a_gateway_whose_folder_was_removed_is_found_by_its_port(tmp_path: Path) -> None:
    with GatewayProcess({"mcpServers": {}}, folder=tmp_path) as process:
        shutil.rmtree(process.state_dir)
        assert process.command("status").returncode == 3
        doctor = process.command("doctor", "--port", str(process.port))
        assert doctor.returncode == 1
        assert f"in use by a gateway (version {__version__}) that nothing in" in doctor.stdout


def test_with_stdio_only_messages_stand_on_standard_output(tmp_path: Path) -> None:
    (tmp_path / "mcp.json").write_text(json.dumps({"mcpServers": {"alpha": entry("--name", "alpha")}}))
    params = {
        "protocolVersion": "2025-11-25",
        "capabilities": {},
        "clientInfo": {"name": "t", "version": "1"},
    }
    hello = {"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": params}
    done = onemcp(
        "--config", "mcp.json", "--transport", "stdio", folder=tmp_path, stdin=json.dumps(hello) + "\n"
    )
    answers = [json.loads(line) for line in done.stdout.splitlines()]
    assert done.returncode == 0
    assert [answer["id"] for answer in answers] == [1]
    assert "serves its standard streams" in done.stderr
    assert "1mcp connect" not in done.stderr


def test_the_quickstart_starts_two_real_servers(tmp_path: Path) -> None:
    subprocess.run(["git", "init", "--quiet", str(tmp_path)], check=True, timeout=10)
    text = (Path(__file__).parents[2] / "examples" / "quickstart" / "mcp.json").read_text()
    with GatewayProcess(text, "--enable-async-loading", folder=tmp_path) as process:
        process.wait_settled()
        assert "2 of 2 servers ready" in process.stdout
        status = process.command("run", "git/git_status", "--args", '{"repo_path": "."}')
        now = process.command("run", "time/get_current_time", "--args", '{"timezone": "UTC"}')
    assert (status.returncode, now.returncode) == (0, 0)
    assert "mcp.json" in status.stdout
    assert "UTC" in now.stdout


def test_the_process_helper_knows_the_gateway(gateway: GatewayProcess) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", gateway.port, timeout=5)
    connection.request("GET", "/health/live")
    assert connection.getresponse().status == 200
    connection.close()
    assert gateway.base == f"http://127.0.0.1:{gateway.port}"
