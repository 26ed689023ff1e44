"""Lingering: calls that nobody waits for any more, and whose upstream may not know that yet.

Until it does, what it says may still be about them; on a connection that does not say which call a message belongs to,
another client's call must not be taken for the one that is meant. That an upstream answers a request sent after the
cancellation shows that it has read it; and since one that has read it may go on all the same, a call of a shared
connection stays for the time of one answer more (`Call.linger`).
"""

import asyncio
from collections.abc import Callable, Iterable
from typing import Final

from onemcp.errors import Reason, RpcError, UpstreamError
from onemcp.gateway.call import Call
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
                    await self._wait_for(before, connection)
                    for call in before:
                        self._release(call)
                    calls -= before
        finally:
            del self._calls[connection]
            for call in calls:
                self._release(call)

    async def _wait_for(self, calls: Iterable[Call], connection: Connection) -> None:
        """Return when the time of these calls is over, or their connection is."""
        loop = asyncio.get_running_loop()
        left = max(call.lingers_until for call in calls) - loop.time()
        if left > 0:
            await asyncio.wait((connection.channel.closed,), timeout=left)

    async def _reads(self, connection: Connection) -> bool:
        """Whether the upstream has shown that it reads, or that nothing will come from it any more."""
        method = "ping" if connection.era is Era.HANDSHAKE else "server/discover"
        try:
            await connection.ask(method, {}, PATIENCE, renews=False)
        except RpcError:
            return True  # an error is an answer
        except UpstreamError as error:
            if connection.channel.closed.done() or error.reason is Reason.SESSION_LOST:
                return True
            await asyncio.sleep(PAUSE)
            return False
        return True

    async def aclose(self) -> None:
        """Wait for nothing any more."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
