"""The host of a connection: what it needs of the server that accepted it."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Protocol

from onemcp.web.forwarded import Trust
from onemcp.web.http.request import Request
from onemcp.web.http.response import Response

if TYPE_CHECKING:
    from onemcp.web.http.connection import Connection


class Host(Protocol):
    """What a connection needs of its server."""

    handler: Callable[[Request, Response], Awaitable[None] | None]
    max_body: int
    loop: asyncio.AbstractEventLoop
    connections: "set[Connection]"
    is_stopping: bool
    trust: Trust
    now: float
    date: bytes

    def forget(self, connection: "Connection") -> None:
        """The connection has ended."""
