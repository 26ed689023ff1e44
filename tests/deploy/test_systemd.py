"""The unit is one that systemd reads without a word, in a cage that it calls good."""

import subprocess
from pathlib import Path
from typing import Final

from tests.support.deployment import UNIT, unit
from tests.support.machine import SYSTEMD, which

from onemcp.cli.outcome import Exit
from onemcp.config.settings import resolve

EXPOSURE: Final = 20
"""Tenths; systemd calls what is below 40 OK."""


def analyzed(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """What systemd-analyze thinks of it."""
    argv = [which("systemd-analyze") or "", *map(str, arguments)]
    return subprocess.run(argv, capture_output=True, text=True, timeout=30, check=False)


@SYSTEMD.mark
def test_systemd_reads_it_without_a_word(tmp_path: Path) -> None:
    program = unit("ExecStart").split()[0]
    installed = tmp_path / UNIT.name
    installed.write_text(UNIT.read_text().replace(program, "/bin/true"))
    read = analyzed("verify", installed)
    assert (read.returncode, read.stdout + read.stderr) == (0, "")


@SYSTEMD.mark
def test_systemd_calls_its_cage_good() -> None:
    judged = analyzed("security", "--offline=yes", f"--threshold={EXPOSURE}", UNIT)
    assert judged.returncode == 0, judged.stdout


def test_it_is_given_longer_to_stop_than_it_takes_by_itself() -> None:
    settings = resolve({}, {})
    assert int(unit("TimeoutStopSec")) >= (settings.drain_min + settings.drain_timeout) / 1000 + 10


def test_a_reload_is_the_signal_for_one_and_a_faulty_configuration_is_not_tried_again() -> None:
    assert unit("ExecReload") == "kill -HUP $MAINPID"
    assert int(unit("RestartPreventExitStatus")) == Exit.CONFIG
