"""Finding processes by the mark of their upstream, independently of the watchdog (Linux)."""

from contextlib import suppress
from pathlib import Path


def carrying(mark: str) -> list[int]:
    """The running processes with this text in their environment."""
    found = []
    for folder in Path("/proc").iterdir():
        if folder.name.isdecimal():
            with suppress(OSError):
                if mark.encode() in (folder / "environ").read_bytes():
                    found.append(int(folder.name))
    return found
