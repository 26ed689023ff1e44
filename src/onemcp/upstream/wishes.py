"""What the gateway wants of one upstream beside calls: how much it logs, and what it is to be told.

A wish outlives connections; the supervisor has it carried out when there is one and nothing more urgent.
"""

import logging
from collections.abc import Callable
from typing import Final

from msgspec import Raw

from onemcp.errors import RpcError, UpstreamError
from onemcp.upstream.connection import Connection
from onemcp.wire.envelope import encode
from onemcp.wire.revisions import Era

TIMEOUT: Final = 5.0
"""Seconds that an upstream has to take a log level."""

_log = logging.getLogger("onemcp.upstream")


class Wishes:
    """The wishes about one upstream. `on_wish` hears that there is one; it must not block and must not raise."""

    def __init__(self, server: str, on_wish: Callable[[], None]) -> None:
        self._server = server
        self._on_wish = on_wish
        self._log_level = ""
        self._told_level = ""
        """What this connection knows of."""
        self._to_tell: dict[str, None] = {}

    def __bool__(self) -> bool:
        """Whether there is one that the connection has not heard."""
        return self._log_level != self._told_level or bool(self._to_tell)

    def want_logs(self, level: str) -> None:
        """Log messages of this level and above are wanted; empty for what the upstream likes."""
        self._log_level = level
        self._on_wish()

    def tell(self, method: str) -> None:
        """A notification without params is wanted; one, however often it is said meanwhile."""
        self._to_tell[method] = None
        self._on_wish()

    def begin(self) -> None:
        """There is a new connection: it knows of no log level yet."""
        self._told_level = ""

    async def carry_out(self, connection: Connection) -> None:
        """Have one of them heard, the log level first; what an upstream does not take is logged."""
        if self._log_level != self._told_level:
            await self._tell_level(connection)
        elif self._to_tell:
            await self._say(connection)

    async def _tell_level(self, connection: Connection) -> None:
        level = self._told_level = self._log_level
        if connection.era is Era.HANDSHAKE and "logging" in connection.capabilities:
            try:
                await connection.ask("logging/setLevel", {"level": Raw(encode(level))}, TIMEOUT)
            except (UpstreamError, RpcError) as error:
                _log.warning("%s: the log level %s was not taken: %s", self._server, level, error)

    async def _say(self, connection: Connection) -> None:
        method = next(iter(self._to_tell))
        del self._to_tell[method]
        if connection.era is not Era.HANDSHAKE:
            return
        try:
            await connection.channel.notify(method)
        except UpstreamError as error:
            _log.warning("%s: %s could not be told: %s", self._server, method, error.what)
