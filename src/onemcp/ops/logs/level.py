"""The log level while the gateway runs: another one for a while, and then the configured one again."""

import asyncio
import logging
import time
from typing import Final

LEVELS: Final = {
    "debug": logging.DEBUG,
    "info": logging.INFO,
    "warn": logging.WARNING,
    "error": logging.ERROR,
}
"""By the words of the settings."""
LONGEST: Final = 7 * 24 * 3600.0
"""Seconds for which a level may be asked for."""

_log = logging.getLogger("onemcp")


class LogLevel:
    """The level of everything that the gateway logs itself."""

    def __init__(self, configured: str) -> None:
        self.configured = configured
        self.now = configured
        self._until = 0.0
        self._timer: asyncio.TimerHandle | None = None
        self._apply(configured)

    @property
    def left(self) -> float:
        """Seconds until the configured level comes back; 0 if nothing is to come."""
        return max(0.0, self._until - time.monotonic()) if self._timer is not None else 0.0

    def set(self, level: str, seconds: float = 0.0) -> None:
        """Log from this level up; for so many seconds, or until the end of the process. Called in the loop."""
        self.stop()
        self._apply(level)
        if seconds:
            self._until = time.monotonic() + seconds
            self._timer = asyncio.get_running_loop().call_later(seconds, self._return)
        _log.info("the log level is now %s%s", level, f", for {seconds:g} s" if seconds else "")

    def configure(self, level: str) -> None:
        """The configuration says another level: it counts at once, unless somebody asked for one for a while."""
        if level == self.configured:
            return
        asked, self.configured = self.now != self.configured, level
        if self._timer is None and not asked:
            self._apply(level)

    def stop(self) -> None:
        """Leave the level as it is."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _return(self) -> None:
        self._timer = None
        _log.info("the log level is %s again", self.configured)
        self._apply(self.configured)

    def _apply(self, level: str) -> None:
        self.now = level
        logging.getLogger("onemcp").setLevel(LEVELS[level])
