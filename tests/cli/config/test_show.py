"""`1mcp config show`: every value that counts, with its origin, and nothing secret."""

import json
import os
import pty
import struct
import subprocess
import sys
import termios
from collections.abc import Mapping
from fcntl import ioctl
from pathlib import Path
from typing import Any, Final

import pytest
from tests.support.gateway import environment, onemcp
from tests.support.golden import compare

from onemcp.cli.config.show import render
from onemcp.config.effective import Value
from onemcp.config.table import TABLE

GOLDEN: Final = Path(__file__).parent / "golden"
CANARY: Final = "c4n4ryC4N4RY"
FILE: Final = """{
  "mcpServers": {
    "files": {
      "command": "mcp-files",
      "args": ["--root", "${ROOT}", "--token", "c4n4ryC4N4RY"],
      "env": { "API_KEY": "${FILES_KEY}", "MODE": "${MODE:-read}", "DB": "${SECRET:db}" },
      "autoApprove": ["*"]
    },
    "search": { "url": "https://h/mcp?key=c4n4ryC4N4RY", "headers": { "Authorization": "Bearer ${SEARCH_TOKEN}" } }
  },
  "serverDefaults": { "requestTimeout": 120000 },
  "logging": { "level": "debug" },
  "alerts": { "webhooks": [{ "url": "https://hooks.example/c4n4ryC4N4RY", "secret": "c4n4ryC4N4RY-c4n4ryC4N4RY" }] }
}
"""
ENVIRON: Final = {
    "ROOT": "/srv",
    "FILES_KEY": CANARY,
    "SEARCH_TOKEN": CANARY,
    "ONE_MCP_PAGE_SIZE": "7",
    "ONE_MCP_SECRETS_KEY": CANARY,
}


def write(folder: Path) -> None:
    (folder / "mcp.json").write_text(FILE)
    (folder / "mcp.production.json").write_text('{\n "port": 4000,\n "mcpServers": {"search": null}\n}')


def shown(folder: Path, *argv: str, environ: Mapping[str, str] = ENVIRON) -> str:
    done = onemcp("config", "show", *argv, folder=folder, environ=environ)
    assert done.returncode == 0, done.stderr
    assert CANARY not in done.stdout + done.stderr
    return done.stdout


def test_everything_is_shown_with_its_origin(tmp_path: Path) -> None:
    write(tmp_path)
    told = shown(tmp_path, "--environment", "production", "--log-level", "warn")
    compare(GOLDEN / "show.txt", told)


def test_as_json_every_setting_and_value_is_there(tmp_path: Path) -> None:
    write(tmp_path)
    answer: dict[str, Any] = json.loads(shown(tmp_path, "--json"))
    assert (answer["file"], answer["environment"]) == ("mcp.json", "")
    settings = {row["setting"]: (row["value"], row["origin"]) for row in answer["settings"]}
    assert list(settings) == [row.name for row in TABLE]
    assert settings["page_size"] == (7, "variable ONE_MCP_PAGE_SIZE")
    assert settings["log_level"] == ("debug", "mcp.json:12")
    assert settings["secrets_key"] == ("***", "variable ONE_MCP_SECRETS_KEY")
    values = {row["key"]: row for row in answer["values"]}
    assert values["mcpServers.files.args"] == {
        "key": "mcpServers.files.args",
        "value": ["--root", "/srv", "--token", "***"],
        "origin": "mcp.json:5",
        "references": ["${ROOT}"],
    }
    assert values["mcpServers.files.env.DB"]["references"] == ["${SECRET:db}"]
    assert values["alerts.webhooks[0].url"]["value"] == "https://hooks.example/***"
    assert "mcpServers.files.autoApprove" not in values
    assert any("autoApprove" in notice for notice in answer["notices"])


@pytest.mark.parametrize("name", ["port", "--port", "ONE_MCP_PORT"])
def test_one_setting_has_all_that_is_known_of_it(name: str, tmp_path: Path) -> None:
    write(tmp_path)
    compare(GOLDEN / "show_port.txt", shown(tmp_path, "--port", "4000", "--", name))


def test_a_section_or_a_server_can_be_shown_alone(tmp_path: Path) -> None:
    write(tmp_path)
    compare(GOLDEN / "show_server.txt", shown(tmp_path, "files"))
    assert [line.split()[0] for line in shown(tmp_path, "logging").splitlines()] == [
        row.key for row in TABLE if row.key.startswith("logging.")
    ]
    assert shown(tmp_path, "mcpServers.files.env").count("\n") == 3
    assert shown(tmp_path, "alerts").count("\n") == 2


def test_a_name_that_nothing_has_is_answered_with_the_nearest(tmp_path: Path) -> None:
    write(tmp_path)
    done = onemcp("config", "show", "serach", folder=tmp_path)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == "1mcp: no setting and no server is called serach\n      did you mean search?\n"


def test_a_faulty_configuration_is_told_as_check_tells_it(tmp_path: Path) -> None:
    (tmp_path / "mcp.json").write_text('{"mcpServers": {}, "prot": 1}')
    done = onemcp("config", "show", folder=tmp_path)
    assert done.returncode == 78
    assert done.stdout == "mcp.json:1:20: prot: unknown key; did you mean port?\n1 problem\n"


def test_a_fault_of_an_entry_is_told_beside_it(tmp_path: Path) -> None:
    write(tmp_path)
    done = onemcp("config", "show", folder=tmp_path)
    assert done.returncode == 0
    assert "mcpServers.files.args[1]: the variable ROOT is not set" in done.stderr


VALUES: Final = [
    Value("mcpServers.a.command", "x" * 60, "mcp.json", 3, ("${A}",), ("mcpServers", "a", "command"))
]


def test_where_there_is_little_room_a_value_is_cut_and_then_stands_above_its_origin() -> None:
    assert render([], VALUES, 0) == f"mcpServers.a.command  {'x' * 60}  mcp.json:3 ${{A}}"
    assert render([], VALUES, 60) == f"mcpServers.a.command  {'x' * 18}...  mcp.json:3 ${{A}}"
    assert render([], VALUES, 40) == f"mcpServers.a.command = {'x' * 14}...\n    mcp.json:3 ${{A}}"


@pytest.mark.parametrize("columns", [30, 60, 200])
def test_no_line_is_wider_than_the_terminal(columns: int, tmp_path: Path) -> None:
    write(tmp_path)
    ours, theirs = pty.openpty()
    try:
        ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 50, columns, 0, 0))
        command = [sys.executable, "-m", "onemcp", "config", "show"]
        environ = {**environment(tmp_path, ENVIRON), "COLUMNS": str(columns)}
        with subprocess.Popen(
            command, cwd=tmp_path, env=environ, stdout=theirs, stderr=subprocess.DEVNULL
        ) as process:
            os.close(theirs)
            theirs = -1
            text = read_all(ours)
            assert process.wait(30) == 0
    finally:
        os.close(ours)
        if theirs >= 0:
            os.close(theirs)
    lines = text.replace("\r\n", "\n").splitlines()
    assert lines
    assert max(map(len, lines)) <= max(columns, 40)  # an origin is never cut


def read_all(terminal: int) -> str:
    """What is written there until nobody has the other side open any more."""
    found = b""
    while True:
        try:
            part = os.read(terminal, 65536)
        except OSError:
            break
        if not part:
            break
        found += part
    return found.decode()
