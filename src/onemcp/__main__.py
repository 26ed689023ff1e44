"""The entry of the console scripts `1mcp` and `onemcp`, and of `python -m onemcp`."""

import os
import sys
from typing import Final

from onemcp.cli.main import run

_STDERR: Final = 2


def main() -> int:
    """Run the command that was typed; the value is the exit code (see `onemcp.cli.outcome`)."""
    _fill_standard_streams()
    return run(sys.argv[1:], os.environ)


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
