import os
import subprocess
from pathlib import Path

import pytest
from tests.support.stranger import as_stranger

from onemcp.cli.find import find, five_lines


@pytest.mark.parametrize("place", ["home/.config/1mcp/mcp.json", "home/.config/onemcp/mcp.json"])
def test_a_configuration_in_the_home_folder_is_found(
    place: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    environ = {"HOME": str(tmp_path / "home")}
    assert find(environ) is None
    (tmp_path / place).parent.mkdir(parents=True)
    (tmp_path / place).touch()
    assert find(environ) == tmp_path / place
    (tmp_path / "mcp.json").touch()
    assert find(environ) == Path("mcp.json")


@pytest.mark.parametrize("command", ["serve", "doctor"])
def test_a_place_that_cannot_be_looked_at_is_named(command: str, tmp_path: Path) -> None:
    shut = tmp_path / "shut"
    shut.mkdir()
    environ = {"XDG_CONFIG_HOME": str(shut), "ONE_MCP_STATE_DIR": "/nonexistent/state", "ONE_MCP_PORT": "1"}
    done = as_stranger(command, folder=shut, environ=environ)
    said = done.stdout + done.stderr
    assert f"{shut}/1mcp/mcp.json: whether there is a configuration cannot be seen: Permission denied" in said
    assert "name one with --config" in said
    assert "Traceback" not in said
    assert done.returncode == (78 if command == "serve" else 1)


def test_a_user_without_a_home_is_told_where_it_was_looked_for() -> None:
    assert "mcp.json" in five_lines({"PATH": ""})


def test_xdg_config_home_moves_the_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "cfg" / "1mcp").mkdir(parents=True)
    (tmp_path / "cfg" / "1mcp" / "mcp.json").touch()
    assert find({"XDG_CONFIG_HOME": str(tmp_path / "cfg")}) == tmp_path / "cfg" / "1mcp" / "mcp.json"


@pytest.mark.parametrize(
    ("installed", "start"),
    [
        (["uvx", "pipx"], '"command": "uvx", "args": ["mcp'),
        (["pipx"], '"command": "pipx", "args": ["run", "mcp'),
    ],
)
def test_the_example_uses_the_runner_that_is_there(installed: list[str], start: str, tmp_path: Path) -> None:
    for name in installed:
        (tmp_path / name).touch()
        (tmp_path / name).chmod(0o755)
    text = five_lines({"HOME": "/h", "PATH": str(tmp_path)})
    assert start in text
    assert "comes with uv" not in text


def test_without_a_runner_it_says_where_to_get_one(tmp_path: Path) -> None:
    assert "comes with uv" in five_lines({"HOME": "/h", "PATH": str(tmp_path)})


def test_what_is_pasted_writes_a_configuration_and_starts_the_gateway(tmp_path: Path) -> None:
    text = five_lines({"HOME": "/h", "PATH": ""})
    lines = text.split("\n\n")[1].splitlines()
    assert len(lines) == 5
    started = tmp_path / "1mcp"
    started.write_text('#!/bin/sh\necho "started with $*"\n')
    started.chmod(0o755)
    done = subprocess.run(
        ["/bin/sh", "-c", "\n".join(lines)],
        cwd=tmp_path,
        env={"PATH": f"{tmp_path}{os.pathsep}{os.defpath}"},
        capture_output=True,
        text=True,
        timeout=10,
        check=True,
    )
    assert done.stdout == "started with --config mcp.json --enable-async-loading\n"
    assert (tmp_path / "mcp.json").read_text().count("mcp-server-time") == 1
