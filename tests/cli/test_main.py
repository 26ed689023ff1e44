import subprocess
import sys
from pathlib import Path

import pytest
from tests.support.gateway import environment, onemcp

from onemcp import __version__
from onemcp.cli.commands import COMMANDS, which
from onemcp.cli.outcome import CommandError


@pytest.mark.parametrize(
    ("argv", "command", "rest"),
    [
        ([], "serve", []),
        (
            ["--config", "mcp.json", "--enable-async-loading"],
            "serve",
            ["--config", "mcp.json", "--enable-async-loading"],
        ),
        (["serve", "--port", "1"], "serve", ["--port", "1"]),
        (["status", "--json"], "status", ["--json"]),
    ],
)
def test_options_without_a_command_belong_to_serve(argv: list[str], command: str, rest: list[str]) -> None:
    assert which(argv) == (command, rest)


def test_an_unknown_command_names_the_nearest() -> None:
    with pytest.raises(CommandError, match=r"unknown command inspct; did you mean 1mcp inspect\?"):
        which(["inspct"])
    with pytest.raises(CommandError, match="there are serve, status"):
        which(["zzz"])


@pytest.mark.parametrize("flag", ["--version", "-V"])
def test_the_version(flag: str, tmp_path: Path) -> None:
    done = onemcp(flag, folder=tmp_path)
    assert (done.returncode, done.stdout) == (0, f"onemcp {__version__}\n")


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_its_help(command: str, tmp_path: Path) -> None:
    done = onemcp(command, "--help", folder=tmp_path)
    assert done.returncode == 0
    assert done.stdout.startswith("usage: 1mcp [serve]" if command == "serve" else f"usage: 1mcp {command}")


def test_serve_help_names_default_and_variable(tmp_path: Path) -> None:
    text = onemcp("serve", "--help", folder=tmp_path).stdout
    assert "--port" in text
    assert "ONE_MCP_PORT" in text
    assert "3050" in text


def modules_after(tmp_path: Path, *argv: str) -> set[str]:
    """What is loaded when a command has ended."""
    code = (
        "import os, sys\nfrom onemcp.cli.main import run\n"
        f"try:\n    run({list(argv)!r}, os.environ)\nexcept SystemExit:\n    pass\n"
        "print('\\n'.join(sys.modules), file=sys.stderr)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        env=environment(tmp_path),
        capture_output=True,
        text=True,
        timeout=30,
        check=True,
    )
    return set(done.stderr.split())


@pytest.mark.parametrize("argv", [["--version"], ["--help"]])
def test_help_and_version_load_nothing_that_they_do_not_need(argv: list[str], tmp_path: Path) -> None:
    loaded = modules_after(tmp_path, *argv)
    assert not loaded & {"asyncio", "msgspec", "uvicorn", "uvloop", "cryptography", "onemcp.app"}


@pytest.mark.parametrize("command", ["status", "inspect", "run", "connect"])
def test_a_command_does_not_load_the_gateway(command: str, tmp_path: Path) -> None:
    target = ["time/now"] if command == "run" else []
    loaded = modules_after(tmp_path, command, *target)
    assert f"onemcp.cli.{command}" in loaded
    assert not loaded & {
        "uvicorn",
        "uvloop",
        "cryptography",
        "onemcp.app",
        "onemcp.web.app",
        "onemcp.cli.serve",
    }


def test_serve_does_not_load_the_other_commands(tmp_path: Path) -> None:
    loaded = modules_after(tmp_path, "serve", "--help")
    assert not loaded & {f"onemcp.cli.{name}" for name in COMMANDS if name != "serve"}


def test_output_that_nobody_reads_any_more_ends_without_a_traceback(tmp_path: Path) -> None:
    done = subprocess.run(
        ["/bin/sh", "-c", f'"{sys.executable}" -m onemcp connect | true'],
        cwd=tmp_path,
        env=environment(tmp_path),
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert done.stderr == ""


@pytest.mark.parametrize("closed", ["<&-", ">&-", "<&- >&-", "<&- >&- 2>&-"])
def test_closed_standard_streams_are_no_fault(closed: str, tmp_path: Path) -> None:
    done = subprocess.run(
        ["sh", "-c", f'exec "$0" -m onemcp --version {closed}', sys.executable],
        cwd=tmp_path,
        env=environment(tmp_path),
        capture_output=True,
        timeout=20,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, b"")


def test_no_descriptor_of_ours_takes_the_place_of_a_standard_stream() -> None:
    script = (
        "import os, sys; from onemcp.__main__ import _fill_standard_streams as fill; fill();"
        "sys.exit(0 if all(os.path.samestat(os.fstat(n), os.stat(os.devnull)) for n in (0, 1)) else 9)"
    )
    done = subprocess.run(
        ["sh", "-c", 'exec "$0" -c "$1" <&- >&-', sys.executable, script], timeout=20, check=False
    )
    assert done.returncode == 0


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="only Linux has a device that is full")
def test_output_that_cannot_be_written_is_told() -> None:
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "onemcp", "--help"],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    assert (done.returncode, done.stderr) == (
        1,
        "1mcp: the output could not be written: No space left on device\n",
    )
