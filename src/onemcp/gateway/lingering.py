"""Lingering: calls that nobody waits for any more, and whose upstream may not know that yet.

Until it does, what it says may still be about them; on a connection that does not say which call a message belongs to,
another client's call must not be taken for the one that is meant. That an upstream answers a request sent after the
cancellation shows that it has read it.
"""

import asyncio
from collections.abc import Callable
from typing import Final

from onemcp.errors import RpcError, UpstreamError
from onemcp.gateway.backchannel import Call
from onemcp.upstream.connection import Connection
from onemcp.wire.revisions import Era

PATIENCE: Final = 30.0
"""Seconds for one sign that the upstream reads; without one the calls stay until its connection ends."""
PAUSE: Final = 1.0


class Lingering:
    """Lets go of such calls as soon as their upstream has shown that it knows."""

    def __init__(self, release: Callable[[Call], None]) -> None:
        """`release` forgets a call."""
        self._release = release
        self._calls: dict[Connection, set[Call]] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    def __len__(self) -> int:
        """Calls that linger."""
        return sum(map(len, self._calls.values()))

    def add(self, call: Call, connection: Connection) -> None:
        """Nobody waits for this call any more; the upstream has just been told."""
        calls = self._calls.get(connection)
        if calls is not None:
            calls.add(call)
            return
        self._calls[connection] = {call}
        task = asyncio.create_task(self._settle(connection))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _settle(self, connection: Connection) -> None:
        calls = self._calls[connection]
        try:
            while calls:
                before = set(calls)
                if await self._reads(connection):
                    for call in before:
                        self._release(call)
                    calls -= before
        finally:
            del self._calls[connection]
            for call in calls:
                self._release(call)

    async def _reads(self, connection: Connection) -> bool:
        """Whether the upstream has shown that it reads, or that nothing will come from it any more."""
        method = "ping" if connection.era is Era.HANDSHAKE else "server/discover"
        try:
            await connection.ask(method, {}, PATIENCE)
        except RpcError:
            return True  # an error is an answer
        except UpstreamError:
            if connection.channel.closed.done():
                return True
            await asyncio.sleep(PAUSE)
            return False
        return True

    async def aclose(self) -> None:
        """Wait for nothing any more."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
