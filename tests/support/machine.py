"""What some tests need beyond `.venv`; where a machine lacks it, they are skipped by its name.

    pytestmark = LEGACY.mark

`python -m tests.support.machine` prints what this machine lacks in one line, and nothing if it lacks nothing.
"""

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final

import pytest

ROOT: Final = Path(__file__).parents[2]
LEGACY_PYTHON: Final = ROOT / ".venv-legacy" / "bin" / "python"


@dataclass(frozen=True, slots=True)
class Need:
    """One thing that a machine has or has not."""

    name: str
    is_there: Callable[[], object]

    @property
    def mark(self) -> pytest.MarkDecorator:
        """Skips the tests that carry it where the machine lacks this."""
        return pytest.mark.skipif(not self.is_there(), reason=f"this machine lacks {self.name}")


def which(program: str) -> str | None:
    """Where a program is, also among those that are for administrators."""
    return shutil.which(program, path=f"{os.environ.get('PATH', os.defpath)}:/usr/sbin:/usr/local/sbin")


def has_containers() -> bool:
    """Whether images can be made here: root, overlays in namespaces, and Debian's packages."""
    programs = ("unshare", "nsenter", "setpriv", "chroot", "ip", "apt-get")
    if not all(map(which, programs)):
        return False
    with tempfile.TemporaryDirectory() as folder:
        for part in ("upper", "work", "root"):
            Path(folder, part).mkdir()
        layers = f"lowerdir=/,upperdir={folder}/upper,workdir={folder}/work"
        mount = ["mount", "-t", "overlay", "overlay", "-o", layers, f"{folder}/root"]
        tried = subprocess.run(
            ["unshare", "--mount", "--net", "--pid", "--fork", *mount],
            capture_output=True,
            timeout=10,
            check=False,
        )
    return tried.returncode == 0


LEGACY: Final = Need(
    "the environment of the 1.x SDK (.venv-legacy)", (LEGACY_PYTHON.parents[1] / ".done").exists
)
PROC: Final = Need("/proc", Path("/proc/self/environ").exists)
GIT: Final = Need("git", lambda: shutil.which("git"))
CONFORMANCE: Final = Need(
    "the conformance suite (tests/conformance/node_modules)",
    (ROOT / "tests" / "conformance" / "node_modules" / ".done").exists,
)
NGINX: Final = Need("nginx", lambda: which("nginx"))
CADDY: Final = Need("Caddy", lambda: which("caddy"))
HAPROXY: Final = Need("HAProxy", lambda: which("haproxy"))
CONTAINERS: Final = Need("namespaces, overlays and apt-get for root", cache(has_containers))
SYSTEMD: Final = Need("systemd-analyze", lambda: which("systemd-analyze"))
BAO: Final = Need("OpenBao (bao)", lambda: which("bao"))
NEEDS: Final = (LEGACY, PROC, GIT, CONFORMANCE, NGINX, CADDY, HAPROXY, SYSTEMD, CONTAINERS, BAO)


def lacking() -> list[str]:
    """The names of what this machine lacks."""
    return [need.name for need in NEEDS if not need.is_there()]


if __name__ == "__main__":
    if lacking():
        sys.stdout.write(", ".join(lacking()) + "\n")
