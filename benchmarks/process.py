"""Child processes of the benchmark: started with a log, always stopped, and their sockets' ports."""

import socket
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parent.parent
"""Where `python -m benchmarks...` can be said."""


@contextmanager
def running(
    command: Sequence[str], log: Path, *, announces: bool = False
) -> Iterator[subprocess.Popen[bytes]]:
    """A child that writes to `log`; SIGTERM at the end, and after ten seconds SIGKILL.

    One that `announces` has its stdout left to `announced_port`.
    """
    with (
        log.open("ab") as sink,
        subprocess.Popen(
            command,
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE if announces else sink,
            stderr=sink,
        ) as child,
    ):
        try:
            yield child
        finally:
            child.terminate()
            try:
                child.wait(10)
            except subprocess.TimeoutExpired:
                child.kill()


def announced_port(child: subprocess.Popen[bytes], log: Path) -> int:
    """The port that a child prints as its first line.

    Raises:
        RuntimeError: it ended instead.
    """
    line = child.stdout.readline() if child.stdout else b""
    if not line.strip().isdigit():
        raise RuntimeError(f"a server of the benchmark did not start: {last_words(log)}")
    return int(line)


def free_port() -> int:
    """A port on the loopback that nobody uses right now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def last_words(log: Path) -> str:
    """The end of a log, for an error message."""
    return log.read_text(errors="replace")[-1500:].strip() or "it said nothing"
