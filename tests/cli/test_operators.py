"""`logs`, `log-level`, `top` and `doctor`, against a running gateway and without one."""

import json
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.support.gateway import GatewayProcess, environment, onemcp
from tests.support.golden import compare, neutral
from tests.support.scripted import command
from tests.support.stranger import as_stranger

GOLDEN = Path(__file__).parent / "golden"
STAMP = re.compile(r"^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d", re.MULTILINE)


def entry(*arguments: object) -> dict[str, object]:
    program, *rest = command(*arguments)
    return {"command": program, "args": rest}


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GatewayProcess]:
    config = {
        "mcpServers": {
            "alpha": entry("--name", "alpha", "--tools", 1),
            "dead": {"command": "no-such-server"},
        }
    }
    folder = tmp_path_factory.mktemp("operators")
    with GatewayProcess(config, "--enable-async-loading", folder=folder) as process:
        process.wait_settled()
        yield process


def test_logs_shows_the_last_lines_of_one_server(gateway: GatewayProcess) -> None:
    done = gateway.command("logs", "dead")
    assert (done.returncode, done.stderr) == (0, "")
    compare(GOLDEN / "logs.txt", STAMP.sub("DATE TIME", done.stdout))


def test_logs_as_json_is_an_object_a_line(gateway: GatewayProcess) -> None:
    done = gateway.command("logs", "--json", "-n", "2")
    assert len(done.stdout.splitlines()) == 2
    assert all(json.loads(line)["timestamp"] for line in done.stdout.splitlines())


def test_logs_of_a_server_that_is_not_there_names_those_that_are(gateway: GatewayProcess) -> None:
    done = gateway.command("logs", "nope")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == "1mcp: no server is called nope; there are: alpha, dead\n"


def test_logs_goes_on_until_ctrl_c(gateway: GatewayProcess) -> None:
    follow = [sys.executable, "-m", "onemcp", "logs", "-f", "-n", "1", "--state-dir", str(gateway.state_dir)]
    environ = environment(gateway.folder)
    with subprocess.Popen(follow, env=environ, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline()
            gateway.command("log-level", "info")
            assert "the log level is now info" in process.stdout.readline()
            process.send_signal(signal.SIGINT)
            assert process.wait(15) == 0
        finally:
            process.kill()


def test_whoever_follows_does_not_hold_up_the_end_of_the_gateway(tmp_path: Path) -> None:
    with GatewayProcess({"mcpServers": {}}, folder=tmp_path) as gateway:
        follow = [sys.executable, "-m", "onemcp", "logs", "-f", "--state-dir", str(gateway.state_dir)]
        environ = environment(tmp_path)
        with subprocess.Popen(follow, env=environ, stdout=subprocess.PIPE, text=True) as process:
            try:
                assert process.stdout is not None
                assert "no servers are configured" in process.stdout.readline()
                assert gateway.stop() == 0
                process.communicate(timeout=15)
                assert process.returncode == 0
            finally:
                process.kill()


def test_whoever_follows_a_gateway_that_is_killed_is_told(tmp_path: Path) -> None:
    with GatewayProcess({"mcpServers": {}}, folder=tmp_path) as gateway:
        follow = [sys.executable, "-m", "onemcp", "logs", "-f", "--state-dir", str(gateway.state_dir)]
        with subprocess.Popen(
            follow, env=environment(tmp_path), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        ) as process:
            try:
                assert process.stdout is not None
                assert "no servers are configured" in process.stdout.readline()
                gateway.kill()
                _, said = process.communicate(timeout=15)
                assert process.returncode == 3
                assert said.startswith("1mcp: the gateway is gone: ")
            finally:
                process.kill()


def test_whoever_follows_hears_on_while_the_file_is_rotated(tmp_path: Path) -> None:
    flags = ("--log-file", str(tmp_path / "g.log"), "--log-max-size", "400")
    with GatewayProcess({"mcpServers": {}}, *flags, folder=tmp_path) as gateway:
        follow = [
            sys.executable,
            "-m",
            "onemcp",
            "logs",
            "-f",
            "-n",
            "1",
            "--state-dir",
            str(gateway.state_dir),
        ]
        environ = environment(tmp_path)
        with subprocess.Popen(follow, env=environ, stdout=subprocess.PIPE, text=True) as process:
            try:
                assert process.stdout is not None
                assert process.stdout.readline()
                for level in ["debug", "info"] * 4:
                    gateway.command("log-level", level)
                    while f"the log level is now {level}" not in process.stdout.readline():
                        assert process.poll() is None
                assert (tmp_path / "g.log.1").exists()
            finally:
                process.kill()


def test_another_user_s_gateway_is_told_from_none(gateway: GatewayProcess) -> None:
    for argv in (["status"], ["logs"], ["top", "--once"], ["alerts"], ["log-level"]):
        done = as_stranger(*argv, "--state-dir", str(gateway.state_dir), folder=gateway.state_dir)
        assert (done.returncode, done.stdout) == (1, "")
        assert f"cannot be seen: this user may not look into {gateway.state_dir}" in done.stderr
        assert "as the user that the gateway runs as" in done.stderr


def test_a_gateway_that_hangs_is_the_only_finding_and_nothing_waits_long_for_it(tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (tmp_path / "g").mkdir()
    with GatewayProcess({"mcpServers": {}}, folder=tmp_path / "g") as gateway:
        gateway.signal(signal.SIGSTOP)
        try:
            reach = ["--port", str(gateway.port), "--state-dir", str(gateway.state_dir)]
            found = onemcp("doctor", *reach, folder=elsewhere)
            tested = onemcp("alerts", "test", *reach, folder=elsewhere)
        finally:
            gateway.signal(signal.SIGCONT)
    assert found.returncode == 1
    assert found.stdout.splitlines()[-1] == "1 thing to mend, 1 warning"
    assert "no answer from the gateway within 10 s" in found.stdout
    assert "which one the gateway has is not known, as it does not answer" in found.stdout
    assert tested.returncode == 1
    assert tested.stderr == "1mcp: no answer from the gateway within 10 s\n"


@pytest.mark.parametrize(
    ("argv", "words"),
    [
        (["log-level", "loud"], "there are debug, info, warn, error"),
        (["log-level", "debug", "--for", "ever"], "write 90s, 10m, 2h or 1d"),
        (["log-level", "debug", "--for", "0.0000001"], "a second or more"),
        (["log-level", "debug", "--for", "9" * 400], "at most 7 d"),
        (["log-level", "--for", "10m"], "--for needs a level"),
        (["alerts", "history", "--limit", "9999999999"], "a number from 1 to 500"),
        (["alerts", "history", "--limit", "0"], "a number from 1 to 500"),
        (["logs", "--lines", "-1"], "a number from 0 on"),
    ],
)
def test_what_means_nothing_is_refused(gateway: GatewayProcess, argv: list[str], words: str) -> None:
    done = gateway.command(*argv)
    assert (done.returncode, done.stdout) == (2, "")
    assert words in done.stderr


def test_a_level_that_was_set_is_shown_with_the_configured_one(gateway: GatewayProcess) -> None:
    assert gateway.command("log-level", "warn").stdout == (
        "the log level is warn until the gateway ends; info is configured\n"
    )
    assert json.loads(gateway.command("log-level", "--json").stdout)["level"] == "warn"
    assert gateway.command("log-level", "info").stdout == "the log level is info\n"


def test_top_shows_every_server_once(gateway: GatewayProcess) -> None:
    gateway.command("run", "alpha/echo")
    done = gateway.command("top", "--once")
    assert (done.returncode, done.stderr) == (0, "")
    shown = re.sub(r"cpu +\d+%  memory \d+ MiB", "cpu N%  memory N MiB", done.stdout)
    shown = re.sub(r"\d+ tasks", "N tasks", re.sub(r" +\d+ ms", " N ms", shown))
    compare(GOLDEN / "top.txt", neutral(shown))


def test_top_as_json_has_counts_to_make_rates_from(gateway: GatewayProcess) -> None:
    servers = json.loads(gateway.command("top", "--json").stdout)["servers"]
    assert [server["name"] for server in servers] == ["alpha", "dead"]
    assert sum(servers[0]["durations"]) == servers[0]["calls"]


def test_top_without_metrics_still_shows_states(tmp_path: Path) -> None:
    config = {"mcpServers": {"alpha": entry("--name", "alpha")}}
    with GatewayProcess(config, "--no-metrics", folder=tmp_path) as gateway:
        gateway.wait_settled()
        done = gateway.command("top", "--once")
    assert done.returncode == 0
    assert "calls are not counted" in done.stdout
    assert "alpha  ready" in done.stdout


def seen(text: str, **names: object) -> str:
    text = re.sub(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", "NOW", text)
    return neutral(re.sub(r"process \d+", "process PID", text), **names)


def test_doctor_of_a_running_gateway(gateway: GatewayProcess) -> None:
    done = gateway.command("doctor", "--port", str(gateway.port))
    assert (done.returncode, done.stderr) == (1, "")
    compare(GOLDEN / "doctor_running.txt", seen(done.stdout, PORT=gateway.port, FOLDER=gateway.folder))


def test_doctor_without_a_gateway_finds_what_would_go_wrong(tmp_path: Path) -> None:
    state = tmp_path / "state"
    state.mkdir()
    state.chmod(0o755)
    with socket.socket() as taken, socket.socket() as silent:
        for sock in (taken, silent):
            sock.bind(("127.0.0.1", 0))
            sock.listen()
        port, silent_port = taken.getsockname()[1], silent.getsockname()[1]
        closed_port = free()
        config = {
            "mcpServers": {
                "dead": {"command": "no-such-server"},
                "off": {"command": "never", "disabled": True},
                "closed": {"url": f"http://127.0.0.1:{closed_port}/mcp"},
                "silent": {"url": f"http://127.0.0.1:{silent_port}/mcp"},
            }
        }
        (tmp_path / "mcp.json").write_text(json.dumps(config))
        argv = ["doctor", "--port", str(port), "--state-dir", "state", "--timeout", "1"]
        done = onemcp(*argv, folder=tmp_path, environ={"ONE_MCP_LOG_FILE": "/nowhere/at/all.log"})
    assert (done.returncode, done.stderr) == (1, "")
    shown = seen(done.stdout, PORT=port, SILENT=silent_port, CLOSED=closed_port, FOLDER=tmp_path)
    compare(GOLDEN / "doctor_sick.txt", shown)


def test_doctor_of_a_good_configuration_has_nothing_to_mend(tmp_path: Path) -> None:
    (tmp_path / "mcp.json").write_text(json.dumps({"mcpServers": {"alpha": entry("--name", "alpha")}}))
    done = onemcp("doctor", "--port", str(free()), folder=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines()[-1] == "nothing is wrong"


def test_doctor_tells_all_mistakes_of_a_file(tmp_path: Path) -> None:
    (tmp_path / "mcp.json").write_text(
        '{"mcpServers": {"a": {"comand": "x"}, "b": {"command": "x", "argz": []}}}'
    )
    done = onemcp("doctor", "--port", str(free()), "--json", folder=tmp_path)
    findings = json.loads(done.stdout)["findings"]
    bad = [finding["what"] for finding in findings if finding["grade"] == "bad"]
    assert done.returncode == 1
    assert ["comand" in bad[0], "argz" in bad[1]] == [True, True]


def test_doctor_of_places_that_cannot_be_looked_at_says_so(tmp_path: Path) -> None:
    nowhere = (
        tmp_path / ("x" * 300) / "inner"
    )  # as with one that this user may not enter, the look itself fails
    environ = {"ONE_MCP_LOG_FILE": str(nowhere)}
    done = onemcp(
        "doctor", "--port", str(free()), "--state-dir", str(nowhere), folder=tmp_path, environ=environ
    )
    assert (done.returncode, done.stderr) == (1, "")
    assert f"{nowhere.parent} does not exist" in done.stdout
    assert f"{nowhere} will be made" in done.stdout


def test_doctor_without_a_configuration_says_where_it_looked(tmp_path: Path) -> None:
    done = onemcp("doctor", "--port", str(free()), folder=tmp_path)
    assert done.returncode == 1
    assert "there is none; looked for mcp.json" in done.stdout


def free() -> int:
    """A port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
