"""A network between a client and a gateway that a test can cut, and lead to another port."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager


class Cuttable:
    """One relay of TCP connections."""

    def __init__(self, port: int) -> None:
        self.target = port
        """The port that new connections lead to."""
        self.port = 0
        """The port to connect to."""
        self._tasks: set[asyncio.Task[None]] = set()

    def cut(self) -> None:
        """End every connection that is open, without a word."""
        for task in self._tasks:
            task.cancel()

    async def accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Relay one connection until either side ends it."""
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        with contextlib.suppress(asyncio.CancelledError, OSError), contextlib.closing(writer):
            onward_reader, onward = await asyncio.open_connection("127.0.0.1", self.target)
            with contextlib.closing(onward):
                await _until_first(_copy(reader, onward), _copy(onward_reader, writer))


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(65536):
        writer.write(data)
        await writer.drain()


async def _until_first(*copies: Coroutine[None, None, None]) -> None:
    tasks = [asyncio.ensure_future(copy) for copy in copies]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


@asynccontextmanager
async def cuttable(port: int) -> AsyncIterator[Cuttable]:
    """A relay to a port of this machine while the block runs."""
    relay = Cuttable(port)
    server = await asyncio.start_server(relay.accept, "127.0.0.1", 0)
    relay.port = server.sockets[0].getsockname()[1]
    try:
        yield relay
    finally:
        relay.cut()
        server.close()
        await server.wait_closed()
