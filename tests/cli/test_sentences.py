"""What a person reads when something is wrong, word for word: golden files over real processes."""

import http.client
import re
import signal
import socket
from pathlib import Path

import pytest
from tests.support.gateway import GatewayProcess, environment, onemcp
from tests.support.golden import compare, neutral

GOLDEN = Path(__file__).parent / "golden"


def wrote(folder: Path, text: str) -> None:
    (folder / "mcp.json").write_text(text)


def test_a_port_in_use(tmp_path: Path) -> None:
    wrote(tmp_path, '{"mcpServers": {}}')
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        done = onemcp("--config", "mcp.json", "--port", str(port), folder=tmp_path)
    assert done.returncode == 1
    assert done.stdout == ""
    compare(GOLDEN / "port_in_use.txt", neutral(done.stderr, PORT=port))


def test_a_state_folder_that_another_gateway_holds(tmp_path: Path) -> None:
    with GatewayProcess({"mcpServers": {}}, folder=tmp_path) as gateway:
        done = gateway.command("serve", "--config", "mcp.json", "--port", "0")
    assert done.returncode == 1
    compare(GOLDEN / "state_folder_held.txt", neutral(done.stderr, FOLDER=tmp_path))


def test_a_command_that_is_not_there(tmp_path: Path) -> None:
    config = {"mcpServers": {"db": {"command": "no-such-server"}}}
    with GatewayProcess(config, "--enable-async-loading", folder=tmp_path) as gateway:
        gateway.wait_settled()
        lines = gateway.stdout.splitlines()
        place = next(number for number, line in enumerate(lines) if line.startswith("  db"))
        text = "\n".join(lines[place : place + 2]) + "\n"
    compare(GOLDEN / "command_not_found.txt", neutral(text, PATH=environment(tmp_path)["PATH"]))


def test_a_host_that_is_refused(tmp_path: Path) -> None:
    with GatewayProcess({"mcpServers": {}}, folder=tmp_path) as gateway:
        connection = http.client.HTTPConnection("127.0.0.1", gateway.port, timeout=5)
        connection.request("POST", "/mcp", body="{}", headers={"Host": "rebound.example:3050"})
        answer = connection.getresponse()
        body = answer.read().decode()
        connection.close()
    assert answer.status == 403
    compare(GOLDEN / "refused_host.txt", neutral(body) + "\n")


@pytest.mark.parametrize(
    ("name", "text"),
    [
        (
            "invalid_configuration",
            '{\n  "mcpServers": {\n    "time": { "comand": "mcp-server-time" }\n  }\n}\n',
        ),
        ("broken_configuration", '{\n  "mcpServers": {\n    "time": { "command": "x"\n  }\n'),
    ],
)
def test_a_configuration_that_cannot_be_used(name: str, text: str, tmp_path: Path) -> None:
    wrote(tmp_path, text)
    done = onemcp("--config", "mcp.json", folder=tmp_path)
    assert done.returncode == 78
    assert done.stdout == ""
    compare(GOLDEN / f"{name}.txt", neutral(done.stderr, FOLDER=tmp_path))


def test_a_configuration_that_is_not_there(tmp_path: Path) -> None:
    done = onemcp("--config", "nowhere.json", folder=tmp_path)
    assert done.returncode == 78
    compare(GOLDEN / "missing_configuration.txt", neutral(done.stderr, FOLDER=tmp_path))


def test_no_configuration_at_all(tmp_path: Path) -> None:
    done = onemcp(folder=tmp_path, environ={"PATH": "/nowhere"})
    assert done.returncode == 78
    assert done.stdout == ""
    compare(GOLDEN / "no_configuration.txt", neutral(done.stderr, FOLDER=tmp_path))


def test_a_bind_that_everybody_could_reach(tmp_path: Path) -> None:
    wrote(tmp_path, '{"mcpServers": {}}')
    done = onemcp("--config", "mcp.json", "--host", "0.0.0.0", folder=tmp_path)
    assert done.returncode == 1
    compare(GOLDEN / "open_bind.txt", done.stderr)


@pytest.mark.parametrize(
    ("name", "argv"),
    [
        ("unknown_option", ["serve", "--prot", "4000"]),
        ("unknown_command", ["statsu"]),
        ("command_after_options", ["--port", "4000", "status"]),
        ("a_file_as_command", ["mcp.json"]),
    ],
)
def test_what_was_typed_wrongly(name: str, argv: list[str], tmp_path: Path) -> None:
    done = onemcp(*argv, folder=tmp_path)
    assert done.returncode == 2
    assert done.stdout == ""
    compare(GOLDEN / f"{name}.txt", done.stderr)


@pytest.mark.parametrize(
    "argv", [["status"], ["inspect"], ["run", "time/now"], ["top"], ["logs"], ["log-level"]]
)
def test_no_gateway_runs(argv: list[str], tmp_path: Path) -> None:
    done = onemcp(*argv, folder=tmp_path)
    assert done.returncode == 3
    assert done.stdout == ""
    compare(GOLDEN / "no_gateway.txt", neutral(done.stderr, FOLDER=tmp_path))


def test_a_start_that_goes_well_and_ctrl_c(tmp_path: Path) -> None:
    config = {"mcpServers": {"time": {"command": "mcp-server-time"}}}
    with GatewayProcess(config, folder=tmp_path) as gateway:
        gateway.wait_for_output(re.compile(r"1mcp run .*\n\n"))
        before = gateway.stdout
        gateway.signal(signal.SIGINT)
        assert gateway.wait(limit=5) == 0
        assert "Traceback" not in gateway.stderr
    compare(GOLDEN / "start.txt", neutral(before, FOLDER=tmp_path, PORT=gateway.port))
    compare(GOLDEN / "ctrl_c.txt", gateway.stdout.removeprefix(before))


def test_the_overview(tmp_path: Path) -> None:
    done = onemcp("--help", folder=tmp_path)
    assert done.returncode == 0
    compare(GOLDEN / "overview.txt", done.stdout)


def test_a_variable_that_overrides_an_option_says_so(tmp_path: Path) -> None:
    environ = {"ONE_MCP_PORT": "0", "ONE_MCP_PROT": "1"}
    with GatewayProcess({"mcpServers": {}}, folder=tmp_path, environ=environ, port=9) as gateway:
        assert gateway.port != 9
        assert "1mcp: ONE_MCP_PORT=0 overrides --port" in gateway.stderr
        assert "did you mean ONE_MCP_PORT?" in gateway.stderr


def test_a_service_link_of_kubernetes_is_no_port(tmp_path: Path) -> None:
    environ = {"ONE_MCP_PORT": "tcp://10.0.0.7:3050"}
    with GatewayProcess({"mcpServers": {}}, folder=tmp_path, environ=environ) as gateway:
        assert "Kubernetes" in gateway.stderr


def test_strict_stops_the_start_for_one_faulty_entry(tmp_path: Path) -> None:
    wrote(tmp_path, '{"mcpServers": {\n  "db": {"command": "x", "env": {"A": "${NOT_SET_ANYWHERE}"}}\n}}')
    done = onemcp("--config", "mcp.json", "--strict", "--port", "0", folder=tmp_path)
    assert done.returncode == 78
    assert done.stderr.startswith("mcp.json:2:")


def test_an_option_with_a_value_that_it_does_not_take(tmp_path: Path) -> None:
    wrote(tmp_path, '{"mcpServers": {}}')
    done = onemcp("--config", "mcp.json", "--port", "many", folder=tmp_path)
    assert done.returncode == 2
    assert done.stderr == "1mcp: --port: many is not a whole number from 0 to 65535\n"
