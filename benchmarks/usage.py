"""What a process uses: its CPU time and its memory, read from the operating system."""

import platform
import subprocess
import time
from pathlib import Path
from typing import Final

_ON_LINUX: Final = platform.system() == "Linux"


def cpu_seconds(pid: int) -> float:
    """User and system time of all threads of a process so far, in seconds; children are not in it.

    On Linux this is the process's CPU clock (nanoseconds); elsewhere what `ps` says (hundredths of a second).

    Raises:
        OSError: there is no such process.
    """
    if _ON_LINUX:
        # The kernel's numbering of CPU clocks, which clock_getcpuclockid(3) returns: ~pid in the upper bits,
        # 2 for "scheduler time of the whole process" in the lower three.
        try:
            return time.clock_gettime((~pid << 3) | 2)
        except OSError:
            raise ProcessLookupError(f"no process {pid}: has it ended?") from None
    return _seconds(_ps(pid, "time"))


def rss_kib(pid: int) -> int:
    """The resident memory of a process in KiB.

    Raises:
        OSError: there is no such process.
    """
    if _ON_LINUX:
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith("VmRSS:"):
                return int(line.split()[1])
    return int(_ps(pid, "rss"))


def children(pid: int) -> dict[int, str]:
    """The command lines of a process's children, by process id."""
    output = subprocess.run(
        ["ps", "-A", "-o", "pid=,ppid=,args="], capture_output=True, text=True, check=True
    ).stdout
    rows = [line.split(None, 2) for line in output.splitlines()]
    return {int(row[0]): row[2] for row in rows if len(row) == 3 and int(row[1]) == pid}


def _ps(pid: int, column: str) -> str:
    result = subprocess.run(
        ["ps", "-o", f"{column}=", "-p", str(pid)], capture_output=True, text=True, check=False
    )
    if result.returncode:
        raise ProcessLookupError(f"no process {pid}")
    return result.stdout.strip()


def _seconds(clock: str) -> float:
    """Seconds of ps's `[[dd-]hh:]mm:ss[.cc]`."""
    days, _, rest = clock.rpartition("-")
    total = 0.0
    for part in rest.split(":"):
        total = total * 60 + float(part)
    return total + 86_400 * int(days or 0)
