"""The log: one line a fact, on standard error, because standard output may be an MCP stream."""

import logging
import sys
from typing import Final

_FORMAT: Final = "%(asctime)s %(levelname)-7s %(message)s"
_TIME: Final = "%Y-%m-%d %H:%M:%S"
_LEVELS: Final = {
    "debug": logging.DEBUG,
    "info": logging.INFO,
    "warn": logging.WARNING,
    "error": logging.ERROR,
}


def configure(level: str) -> None:
    """Log to standard error from this level up; libraries below warning stay quiet."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter(_FORMAT, _TIME))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.WARNING)
    logging.getLogger("onemcp").setLevel(_LEVELS[level])
