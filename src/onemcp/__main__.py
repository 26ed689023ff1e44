"""The entry of the console scripts `1mcp` and `onemcp`, and of `python -m onemcp`."""

import os
import signal
import sys
from collections.abc import Sequence
from types import FrameType
from typing import Final

_STDERR: Final = 2
_INTERRUPTED: Final = 128 + signal.SIGINT
_REQUESTS: Final = (signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2)
"""What a gateway does at a signal, and would die of before it can."""


def main() -> int:
    """Run the command that was typed; the value is the exit code (see `onemcp.cli.outcome`)."""
    if _serves(sys.argv[1:]):
        _take_early_signals()
    _fill_standard_streams()
    try:
        from onemcp.cli.main import run  # noqa: PLC0415 - it takes a while, and signals come meanwhile
    except KeyboardInterrupt:
        return _INTERRUPTED
    return run(sys.argv[1:], os.environ)


def _serves(words: Sequence[str]) -> bool:
    """Whether this becomes a gateway, which is not just for a moment; `onemcp.cli.commands` decides."""
    return not words or words[0] == "serve" or words[0].startswith("-")


def _take_early_signals() -> None:
    """Survive what a gateway is asked by a signal, and end without a word at what ends it, until it takes its signals.

    Nothing has been started by then, so there is nothing to stop in order.
    """
    for number in _REQUESTS:
        signal.signal(number, signal.SIG_IGN)
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _end)


def _end(number: int, _frame: FrameType | None) -> None:
    os._exit(128 + number)


def _fill_standard_streams() -> None:
    """Put the null device where a standard stream is closed: a socket that got its number would be taken for it."""
    while (descriptor := os.open(os.devnull, os.O_RDWR)) <= _STDERR:
        os.set_inheritable(descriptor, True)
    os.close(descriptor)
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        if getattr(sys, name) is None:
            stream = open(number, "w" if number else "r", closefd=False)  # noqa: SIM115 - open as long as the process
            setattr(sys, name, stream)


if __name__ == "__main__":
    sys.exit(main())
