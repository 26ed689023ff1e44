"""How much memory the process uses, and how much it may.

Linux tells both in `/proc` and the cgroup file systems (proc(5); kernel documentation, cgroup-v2 and cgroup-v1/memory);
elsewhere the largest use so far stands for the present one, and the machine's memory for the limit.
"""

import os
import resource
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Final

MIB: Final = 1 << 20
_PAGE: Final = os.sysconf("SC_PAGE_SIZE")
_ROOT: Final = Path("/")


@dataclass(frozen=True, slots=True)
class Memory:
    """Bytes: what the gateway's own process has resident, and the most that it and its children may have."""

    used: int
    total: int

    def document(self) -> dict[str, float]:
        """MiB and per cent, one decimal."""
        return {
            "used": round(self.used / MIB, 1),
            "total": round(self.total / MIB, 1),
            "percentage": round(100 * self.used / self.total, 1) if self.total else 0.0,
        }


def limit(root: Path = _ROOT) -> int:
    """Bytes that the process may use: the smallest limit of its cgroups, or the machine's memory. Reads files."""
    machine = _PAGE * os.sysconf("SC_PHYS_PAGES")
    return min([machine, *_cgroup_limits(root)])


def used(root: Path = _ROOT) -> int:
    """Bytes of the process that are resident now; one short read."""
    try:
        return int((root / "proc/self/statm").read_bytes().split()[1]) * _PAGE
    except (OSError, IndexError, ValueError):
        # Not Linux. The unit differs by system (getrusage(2)).
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def _cgroup_limits(root: Path) -> list[int]:
    """The limits of the process's own group and of those around it, of either version."""
    limits = []
    for line in _text(root / "proc/self/cgroup").splitlines():
        number, _, rest = line.partition(":")
        controllers, _, path = rest.partition(":")
        if number == "0" and not controllers:
            limits += _along(root / "sys/fs/cgroup", path, "memory.max")
        elif "memory" in controllers.split(","):
            limits += _along(root / "sys/fs/cgroup/memory", path, "memory.limit_in_bytes")
    return limits


def _along(mount: Path, path: str, name: str) -> list[int]:
    """The limits in a group and its parents.

    In a container the path may be the host's, of which only the mount itself is there.
    """
    group = mount / path.lstrip("/")
    folders = [group, *group.parents]
    texts = [_text(folder / name).strip() for folder in folders if folder == mount or mount in folder.parents]
    return [int(text) for text in texts if text.isdigit()]


def _text(file: Path) -> str:
    """What a file says; nothing if it is not there or may not be read."""
    try:
        return file.read_text(encoding="ascii", errors="replace")
    except OSError:
        return ""
