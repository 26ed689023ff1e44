"""Signals at every moment of a gateway's life: while it is being loaded, while it serves, and while it stops."""

import fcntl
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import pytest
from tests.e2e.test_processes import STUBBORN, Family, until
from tests.support.gateway import WAIT_LIMIT, GatewayProcess, environment
from tests.support.machine import PROC

_IMPORTED: Final = re.compile(rb"import time:.*\|\s+(\S+)\s*$")
_FIRST: Final = "onemcp.cli"
"""The first module that is loaded once the entry has the process's signals."""
_LAST: Final = "onemcp.app.serve"
"""After this one comes what takes the signals for good."""
_PAGE: Final = 4096


class Loading:
    """A command that tells of each module as it is loaded, and does not get far ahead of who listens."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self.process = process
        self._last = b""

    def until(self, module: str, more: int = 0) -> None:
        """Listen until the module has been loaded, and then for so many more."""
        for found in self.modules():
            if found == module:
                break
        for _ in range(more):
            self._line()

    def modules(self) -> Iterator[str]:
        """The modules as they are loaded."""
        while line := self._line():
            if match := _IMPORTED.match(line):
                yield match[1].decode()

    def _line(self) -> bytes:
        assert self.process.stderr is not None
        return self.process.stderr.readline()

    def end(self) -> tuple[int, str]:
        """Listen to the end; the exit code, and all that was no import."""
        _, rest = self.process.communicate(timeout=WAIT_LIMIT)
        said = [line for line in rest.splitlines() if not line.startswith(b"import time:")]
        return self.process.returncode, b"\n".join(said).decode()


@contextmanager
def loading(folder: Path, *arguments: str) -> Iterator[Loading]:
    """Start a command in a folder with a configuration."""
    (folder / "mcp.json").write_text('{"mcpServers": {}}')
    process = subprocess.Popen(
        [sys.executable, "-m", "onemcp", *arguments],
        cwd=folder,
        env=environment(folder, {"PYTHONPROFILEIMPORTTIME": "1"}),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        bufsize=0,
    )
    assert process.stderr is not None
    if hasattr(fcntl, "F_SETPIPE_SZ"):  # elsewhere a pipe is small enough already
        fcntl.fcntl(process.stderr, fcntl.F_SETPIPE_SZ, _PAGE)
    with process:
        try:
            yield Loading(process)
        finally:
            process.kill()


SERVE: Final = ("serve", "--config", "mcp.json", "--port", "0", "--state-dir", "state")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize("more", [0, 1, 30, 90, 150, 210, 250])
def test_what_ends_it_while_it_is_being_loaded_ends_it_without_a_word(
    tmp_path: Path, more: int, number: signal.Signals
) -> None:
    with loading(tmp_path, *SERVE) as process:
        process.until(_FIRST, more)
        process.process.send_signal(number)
        assert process.end() == (128 + number, "")


def test_what_ends_it_at_its_very_beginning_does_so_too(tmp_path: Path) -> None:
    with loading(tmp_path, *SERVE) as process:
        process.process.send_signal(signal.SIGTERM)
        code, said = process.end()
    assert code in (-signal.SIGTERM, 128 + signal.SIGTERM)
    assert said == ""


def test_what_it_is_asked_while_it_is_being_loaded_does_not_end_it(tmp_path: Path) -> None:
    with loading(tmp_path, *SERVE) as process:
        process.until(_FIRST)
        for module in process.modules():
            for number in (signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2):
                process.process.send_signal(number)
            if module == _LAST:
                break
        assert process.process.poll() is None
        until((tmp_path / "state" / "control.sock").exists)
        process.process.send_signal(signal.SIGTERM)
        code, said = process.end()
    assert code == 0
    assert "Traceback" not in said


def test_a_command_that_only_asks_ends_with_its_terminal(tmp_path: Path) -> None:
    with loading(tmp_path, "status", "--state-dir", "state") as process:
        process.until(_FIRST)
        process.process.send_signal(signal.SIGHUP)
        assert process.end() == (-signal.SIGHUP, "")


def test_a_dump_and_a_fresh_log_can_be_had_as_soon_as_it_serves(tmp_path: Path) -> None:
    with GatewayProcess({"mcpServers": {}}, folder=tmp_path) as gateway:
        gateway.signal(signal.SIGUSR2)
        gateway.signal(signal.SIGUSR1)
        gateway.wait_for_output("dump: ")
        assert gateway.stop() == 0


@PROC.mark
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_second_signal_ends_stubborn_servers_before_the_gateway(
    tmp_path: Path, number: signal.Signals
) -> None:
    family = Family()
    config = {"mcpServers": {"polite": family.entry(), "other": family.entry(*STUBBORN)}}
    with GatewayProcess(config, "--drain-min", "600000", folder=tmp_path, environ=family.environ) as gateway:
        gateway.wait_settled()
        until(lambda: family.has(6))
        gateway.signal(signal.SIGTERM)
        gateway.wait_for_output("stopping: everything is served")
        gateway.signal(number)
        assert gateway.wait() == 128 + number
        assert family.is_gone()
