"""Where a log file may be: what its path leads to, seen before anything is opened."""

import os
import stat
from pathlib import Path
from typing import Final

_STREAMS: Final = {
    "/dev/stdout": 1,
    "/dev/fd/1": 1,
    "/proc/self/fd/1": 1,
    "/dev/stderr": 2,
    "/dev/fd/2": 2,
    "/proc/self/fd/2": 2,
}
"""Names of standard output and standard error, whatever these are."""
_MOST_LINKS: Final = 20
_A_FILE: Final = "choose a file with --log-file"
_KINDS: Final = {
    stat.S_IFDIR: ("is a folder", "name a file in it with --log-file"),
    stat.S_IFIFO: (
        "is a named pipe, and the log would wait for its reader",
        f"{_A_FILE}, or leave it out and pipe standard error",
    ),
    stat.S_IFSOCK: ("is a socket", f"{_A_FILE}, or leave it out and pipe standard error"),
    stat.S_IFBLK: ("is a device", _A_FILE),
    stat.S_IFCHR: ("is a device", f"{_A_FILE}; /dev/stdout, /dev/stderr and /dev/null are fine"),
}


def stream_of(path: Path) -> int | None:
    """The descriptor of the standard stream that a path stands for, maybe by links; None for anything else."""
    place = str(path.absolute())
    for _ in range(_MOST_LINKS):
        if place in _STREAMS:
            return _STREAMS[place]
        try:
            place = str(Path(place).parent / Path(place).readlink())
        except OSError:
            return None
    return None


def objection(path: Path) -> tuple[str, str] | None:
    """Why nothing can be logged to what is there, and what to do; None for a file, the null device, or nothing.

    Raises:
        OSError: it cannot be looked at.
    """
    try:
        facts = path.stat()
    except FileNotFoundError:
        return None
    if stat.S_ISREG(facts.st_mode) or os.path.samestat(facts, Path(os.devnull).stat()):
        return None
    return _KINDS.get(stat.S_IFMT(facts.st_mode), ("is no file", _A_FILE))
