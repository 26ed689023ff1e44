"""The entry of the console scripts `1mcp` and `onemcp`, and of `python -m onemcp`."""

import os
import sys

from onemcp.cli.main import run


def main() -> int:
    """Run the command that was typed; the value is the exit code (see `onemcp.cli.outcome`)."""
    return run(sys.argv[1:], os.environ)


if __name__ == "__main__":
    sys.exit(main())
