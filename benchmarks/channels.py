"""The two ways to an MCP server as the load generator uses them: one request at a time, the answer to a callback."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Final, cast

import msgspec

Answered = Callable[[bytes], None]
LOST: Final = b""
"""What a callback is given instead of an answer when the way is gone."""


class HttpChannel(asyncio.Protocol):
    """One keep-alive connection. The whole response, head included, goes to whoever asked."""

    def __init__(self) -> None:
        self._pending = b""
        self._answered: Answered | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the way there."""
        self._transport = cast("asyncio.Transport", transport)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 -- the loop's signature
        """Tell whoever waits."""
        self._hand_over(LOST)

    @property
    def is_open(self) -> bool:
        """Whether the server has kept the connection."""
        return not self._transport.is_closing()

    def send(self, number: int, request: bytes, answered: Answered) -> None:  # noqa: ARG002 -- one interface with StdioChannel
        """Write one request; not before the last one was answered."""
        self._answered = answered
        if self._transport.is_closing():
            self._hand_over(LOST)
        else:
            self._transport.write(request)

    def data_received(self, data: bytes) -> None:
        """Hand over the response once it is whole."""
        if self._pending:
            data = self._pending + data
        if is_whole(data):
            self._pending = b""
            self._hand_over(data)
        else:
            self._pending = data

    def close(self) -> None:
        """End the connection; whoever still waits hears `LOST`."""
        self._transport.abort()

    def _hand_over(self, data: bytes) -> None:
        answered, self._answered = self._answered, None
        if answered:
            answered(data)


def is_whole(data: bytes) -> bool:
    """Whether this is a whole HTTP response, its end given by a length, by chunks or by having no body."""
    end = data.find(b"\r\n\r\n")
    if end < 0:
        return False
    head = data[:end].lower()
    found = head.find(b"content-length:")
    if found >= 0:
        length = int(head[found + 15 :].split(b"\r\n", 1)[0])
        return len(data) >= end + 4 + length
    return b"transfer-encoding: chunked" not in head or data.endswith(b"\r\n0\r\n\r\n")


class _Id(msgspec.Struct):
    id: int


_decode_id = msgspec.json.Decoder(_Id).decode


class StdioChannel(asyncio.SubprocessProtocol):
    """A child process whose stdin and stdout many sessions share; answers find their asker by number."""

    def __init__(self) -> None:
        self._pending = b""
        self._waiting: dict[int, Answered] = {}
        self.ended = asyncio.Event()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the way there."""
        self._process = cast("asyncio.SubprocessTransport", transport)
        self._stdin = cast("Any", self._process.get_pipe_transport(0))

    @property
    def pid(self) -> int:
        """The child's process id."""
        return self._process.get_pid()

    def send(self, number: int, request: bytes, answered: Answered) -> None:
        """Write one request, a line."""
        self._waiting[number] = answered
        self._stdin.write(request)

    def pipe_data_received(self, fd: int, data: bytes) -> None:  # noqa: ARG002 -- only stdout is piped
        """Hand over every line that is whole."""
        lines = (self._pending + data).split(b"\n")
        self._pending = lines.pop()
        for line in lines:
            self._waiting.pop(_decode_id(line).id)(line)

    def process_exited(self) -> None:
        """Tell everybody who waits."""
        waiting, self._waiting = self._waiting, {}
        for answered in waiting.values():
            answered(LOST)
        self.ended.set()

    async def aclose(self) -> None:
        """End the child and wait until it is gone."""
        with suppress(ProcessLookupError):
            self._process.kill()
        async with asyncio.timeout(10):
            await self.ended.wait()
        self._process.close()


Channel = HttpChannel | StdioChannel


async def connect(port: int) -> HttpChannel:
    """A connection to a server on the loopback.

    Raises:
        OSError: nobody listens there.
    """
    loop = asyncio.get_running_loop()
    _, channel = await loop.create_connection(HttpChannel, "127.0.0.1", port)
    return channel


async def ask(channel: Channel, number: int, request: bytes) -> bytes:
    """Send one request and wait, at most ten seconds, for its answer.

    Raises:
        ConnectionError: the way was lost first.
        TimeoutError: no answer came.
    """
    future: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
    channel.send(number, request, lambda data: None if future.done() else future.set_result(data))
    async with asyncio.timeout(10):
        answer = await future
    if not answer:
        raise ConnectionError("the connection was lost before the answer")
    return answer
