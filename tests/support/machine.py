"""What some tests need beyond `.venv`; where a machine lacks it, they are skipped by its name.

    pytestmark = LEGACY.mark

`python -m tests.support.machine` prints what this machine lacks in one line, and nothing if it lacks nothing.
"""

import shutil
import sys
from collections.abc import Callable
from dataclasses import dataclass
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


LEGACY: Final = Need(
    "the environment of the 1.x SDK (.venv-legacy)", (LEGACY_PYTHON.parents[1] / ".done").exists
)
PROC: Final = Need("/proc", Path("/proc/self/environ").exists)
GIT: Final = Need("git", lambda: shutil.which("git"))
CONFORMANCE: Final = Need(
    "the conformance suite (tests/conformance/node_modules)",
    (ROOT / "tests" / "conformance" / "node_modules" / ".done").exists,
)
NEEDS: Final = (LEGACY, PROC, GIT, CONFORMANCE)


def lacking() -> list[str]:
    """The names of what this machine lacks."""
    return [need.name for need in NEEDS if not need.is_there()]


if __name__ == "__main__":
    if lacking():
        sys.stdout.write(", ".join(lacking()) + "\n")
