"""A log that programs read: nothing else comes out of the gateway, and nothing that the system gives it breaks a line."""

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import httpx2
import pytest
from tests.support.gateway import GatewayProcess, environment, onemcp
from tests.support.scripted import command

JSON: Final = ("--log-format", "json")


def entry(name: str) -> dict[str, object]:
    program, *rest = command("--name", name, "--tools", 1)
    return {"command": program, "args": rest}


SERVERS: Final = {
    "alpha": entry("alpha"),
    "faulty": {"command": "sh", "args": ["${NOT_SET_ANYWHERE}"]},
    "failing": {"command": "no-such-command-anywhere"},
    "off": {"command": "sh", "disabled": True},
}


def lines(text: str) -> list[dict[str, Any]]:
    """The lines of a text, each an object of JSON, also for those who know of more line breaks."""
    found = [json.loads(line) for line in text.splitlines()]
    assert all({"timestamp", "level", "logger", "message"} <= set(line) for line in found)
    return found


@pytest.mark.parametrize("variable", [False, True])
def test_nothing_but_json_lines_comes_out_from_start_to_end(tmp_path: Path, variable: bool) -> None:
    config = {"mcpServers": SERVERS}
    flags = [] if variable else JSON
    environ = {"ONE_MCP_LOG_FORMAT": "json"} if variable else None
    with GatewayProcess(
        config, "--enable-async-loading", *flags, folder=tmp_path, environ=environ
    ) as gateway:
        gateway.wait_settled()
        gateway.signal(signal.SIGHUP)
        gateway.wait_for_output("the configuration was reloaded")
        assert gateway.stop() == 0
        assert gateway.stdout == ""
        told = {line["message"] for line in lines(gateway.stderr)}
    assert any(message.startswith("onemcp ") and "serves http://" in message for message in told)
    assert any(message.startswith("is ready after") for message in told)
    assert any("NOT_SET_ANYWHERE is not set" in message for message in told)
    assert {"1 of 3 servers ready", "stopped; all servers have ended"} <= told


def test_with_a_log_file_they_are_all_there_and_both_streams_are_silent(tmp_path: Path) -> None:
    log = tmp_path / "gateway.log"
    with GatewayProcess({"mcpServers": SERVERS}, *JSON, "--log-file", str(log), folder=tmp_path) as gateway:
        gateway.wait_settled()
        assert gateway.stop() == 0
        assert gateway.stdout + gateway.stderr == ""
    assert lines(log.read_text())[-1]["message"] == "stopped; all servers have ended"


def test_people_still_get_their_summary_beside_a_text_log(tmp_path: Path) -> None:
    with GatewayProcess({"mcpServers": SERVERS}, folder=tmp_path) as gateway:
        gateway.wait_settled()
        assert "1 of 3 servers ready" in gateway.stdout
        assert "servers ready" not in gateway.stderr


@pytest.mark.parametrize(
    ("document", "flags", "code", "wanted"),
    [
        ("{", (), 78, "mcp.json:1:"),
        ('{"mcpServers": {}}', ("--log-file", "/"), 1, "the log file / is a folder"),
        ('{"mcpServers": {}}', ("--host", "0.0.0.0"), 1, "binding 0.0.0.0"),
        ('{"mcpServers": {"a": {"command": "no-such-command"}}}', ("--strict",), 78, "was not found on PATH"),
        (None, (), 78, "there is no configuration"),
    ],
)
def test_a_start_that_is_refused_says_so_in_a_line_too(
    document: str | None, flags: Sequence[str], code: int, wanted: str, tmp_path: Path
) -> None:
    if document is not None:
        (tmp_path / "mcp.json").write_text(document)
    done = onemcp("serve", *JSON, "--port", "0", *flags, folder=tmp_path)
    assert (done.returncode, done.stdout) == (code, "")
    (line,) = lines(done.stderr)
    assert line["level"] == "error"
    assert wanted in line["message"]


def test_a_port_that_is_taken_is_told_in_a_line(tmp_path: Path) -> None:
    (tmp_path / "mcp.json").write_text('{"mcpServers": {}, "logging": {"format": "json"}}')
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        done = onemcp("serve", "--port", port, "--state-dir", str(tmp_path / "s"), folder=tmp_path)
    assert done.returncode == 1
    assert "in use" in lines(done.stderr)[-1]["message"]


@pytest.mark.parametrize(("name", "stream"), [("/dev/stdout", "stdout"), ("/dev/stderr", "stderr")])
def test_the_log_can_go_to_a_standard_stream_by_name(tmp_path: Path, name: str, stream: str) -> None:
    with GatewayProcess({"mcpServers": {}}, *JSON, "--log-file", name, folder=tmp_path) as gateway:
        assert gateway.stop() == 0
        texts = {"stdout": gateway.stdout, "stderr": gateway.stderr}
    assert lines(texts.pop(stream))
    assert list(texts.values()) == [""]


def test_a_pipe_for_a_log_file_is_refused_and_not_waited_for(tmp_path: Path) -> None:
    (tmp_path / "mcp.json").write_text('{"mcpServers": {}}')
    os.mkfifo(tmp_path / "log")
    done = onemcp("serve", "--port", "0", "--log-file", "log", folder=tmp_path)
    assert done.returncode == 1
    assert "the log file log is a named pipe" in done.stderr
    assert "choose a file with --log-file" in done.stderr


def request_of(arguments: Sequence[bytes], environ: Mapping[bytes, bytes]) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "onemcp", *arguments],
        env=environ,
        capture_output=True,
        timeout=30,
        check=False,
    )
    assert b"internal error" not in done.stdout + done.stderr
    return done.stdout.decode()


def test_bytes_that_are_no_text_break_no_line_and_no_answer(tmp_path: Path) -> None:
    """In the place of the configuration, in a variable, and on a server's standard error."""
    home = os.fsencode(tmp_path) + b"/h\xff\xfe"
    Path(os.fsdecode(home), ".config", "1mcp").mkdir(parents=True)
    servers = {
        "faulty": {"command": "sh", "args": ["${NOT_SET_ANYWHERE}"]},
        "bytes": {
            "command": "sh",
            "args": ["-c", "printf 'bytes \\377 %s\\n' \"$ODD\" >&2; exit 3"],
            "env": ["ODD"],
        },
        "refers": {"command": "sh", "args": ["${ODD}"]},
        "elsewhere": {"command": "./none"},
    }
    Path(os.fsdecode(home + b"/.config/1mcp/mcp.json")).write_text(json.dumps({"mcpServers": servers}))
    state = tmp_path / "state"
    environ = {
        **{os.fsencode(name): os.fsencode(value) for name, value in environment(tmp_path).items()},
        b"HOME": home,
        b"ODD": b"odd\xff-value",
        b"ONE_MCP_STATE_DIR": os.fsencode(state),
    }
    flags = [
        "--port",
        "0",
        *JSON,
        "--log-level",
        "debug",
        "--health-info-level",
        "full",
        "--enable-async-loading",
    ]
    gateway = _Odd(flags, environ, tmp_path)
    with gateway:
        gateway.wait_settled()
        for path in ("/health", "/health/ready", "/health/mcp", "/metrics"):
            answer = httpx2.get(gateway.base + path)
            assert answer.status_code != 500, answer.text
            assert answer.text.encode()
        for words in (
            ["status"],
            ["status", "--json"],
            ["inspect"],
            ["logs"],
            ["top", "--once"],
            ["alerts", "list"],
        ):
            assert request_of([word.encode() for word in words], environ)
        gateway.signal(signal.SIGUSR2)
        gateway.wait_for_output("dump:")
        assert gateway.stop() == 0
        found = lines(gateway.stderr)
    assert [line for line in found if line["message"] == "bytes \ufffd ***" and line["server"] == "bytes"]
    assert not [line for line in found if "broke" in line["message"]]


class _Odd(GatewayProcess):
    """One whose configuration is found where its odd environment says."""

    def __init__(self, flags: Sequence[str], environ: Mapping[bytes, bytes], folder: Path) -> None:
        super().__init__({"mcpServers": {}}, *flags, folder=folder)
        self.config_file.unlink()
        self._environ = {os.fsdecode(name): os.fsdecode(value) for name, value in environ.items()}

    def command_line(self) -> Sequence[str]:
        return [sys.executable, "-m", "onemcp", "serve", *self._flags]
