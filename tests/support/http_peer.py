"""A raw HTTP server that does exactly what a test tells it to, right or wrong, on a real socket.

async def handler(request: Received, wire: Wire) -> None:
    await wire.send(answer(b"{}"))

async with Peer(handler) as peer:
    ... peer.url, peer.requests, peer.connections
"""

import asyncio
import ssl
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

import msgspec


@dataclass(frozen=True, slots=True)
class Received:
    """One request as it came."""

    method: str
    target: str
    headers: Mapping[str, str]
    """Lower-case names."""
    body: bytes
    connection: int
    """Which connection of the peer it came on, counted from 0."""

    @property
    def message(self) -> dict[str, Any]:
        """The body as a JSON-RPC message."""
        message: dict[str, Any] = msgspec.json.decode(self.body)
        return message


class Wire:
    """The way back to the client."""

    def __init__(self, writer: asyncio.StreamWriter) -> None:
        self._writer = writer
        self.gone = asyncio.Event()
        """Set when the client has closed the connection."""

    async def send(self, *parts: bytes) -> None:
        """Write each part by itself, in its own turn of the loop, so that the client reads them apart."""
        for part in parts:
            if self._writer.is_closing():
                raise ConnectionResetError("the client is gone")
            self._writer.write(part)
            await self._writer.drain()
            for _ in range(3):
                await asyncio.sleep(0)

    def close(self) -> None:
        """End the connection in order (FIN)."""
        self._writer.close()

    def abort(self) -> None:
        """End it with a reset."""
        self._writer.transport.abort()


Handler = Callable[[Received, Wire], Awaitable[None]]


class Peer:
    """Gives every request to `handler`; keeps what came. Connections stay open unless the handler ends them."""

    def __init__(self, handler: Handler, *, tls: ssl.SSLContext | None = None, uds: str = "") -> None:
        self.handler = handler
        self.requests: list[Received] = []
        self.connections = 0
        self.open: set[Wire] = set()
        self._tls = tls
        self._uds = uds
        self._tasks: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None

    async def __aenter__(self) -> Self:
        if self._uds:
            self._server = await asyncio.start_unix_server(self._serve, self._uds)
        else:
            self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0, ssl=self._tls)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._server is not None
        self._server.close()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await asyncio.wait_for(self._server.wait_closed(), 5)

    @property
    def port(self) -> int:
        """The port that it listens on."""
        assert self._server is not None
        port: int = self._server.sockets[0].getsockname()[1]
        return port

    @property
    def url(self) -> str:
        """An endpoint on it."""
        return f"{'https' if self._tls else 'http'}://127.0.0.1:{self.port}/mcp"

    def methods(self) -> list[str]:
        """The JSON-RPC methods of the POSTs, in order."""
        return [str(request.message.get("method")) for request in self.requests if request.method == "POST"]

    def hang_up(self) -> None:
        """Close every connection."""
        for wire in list(self.open):
            wire.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        number = self.connections
        self.connections += 1
        wire = Wire(writer)
        self.open.add(wire)
        requests: asyncio.Queue[Received] = asyncio.Queue()
        reading = asyncio.create_task(self._read(reader, number, requests, wire))
        try:
            while not writer.is_closing():
                asking = asyncio.create_task(requests.get())
                await asyncio.wait((asking, reading), return_when=asyncio.FIRST_COMPLETED)
                if not asking.done():
                    asking.cancel()
                    break
                await self.handler(asking.result(), wire)
        except (ConnectionError, asyncio.CancelledError):
            writer.transport.abort()
        finally:
            self.open.discard(wire)
            reading.cancel()
            writer.close()
            self._tasks.discard(task)

    async def _read(
        self, reader: asyncio.StreamReader, number: int, requests: asyncio.Queue[Received], wire: Wire
    ) -> None:
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
                method, target, _ = head[0].split(" ")
                pairs = (line.split(": ", 1) for line in head[1:] if line)
                headers = {name.lower(): value for name, value in pairs}
                body = await reader.readexactly(int(headers.get("content-length", "0")))
                request = Received(method, target, headers, body, number)
                self.requests.append(request)
                requests.put_nowait(request)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            wire.gone.set()


def answer(
    body: bytes = b"{}", status: str = "200 OK", *headers: str, kind: str = "application/json"
) -> bytes:
    """A complete response with a length."""
    lines = [f"HTTP/1.1 {status}", f"content-type: {kind}", f"content-length: {len(body)}", *headers, "", ""]
    return "\r\n".join(lines).encode() + body


def event_stream(*headers: str) -> bytes:
    """The head of an event stream in chunks."""
    lines = ["HTTP/1.1 200 OK", "content-type: text/event-stream", "transfer-encoding: chunked", *headers]
    return "\r\n".join([*lines, "", ""]).encode()


def chunk(data: bytes) -> bytes:
    """One chunk of a chunked body; the empty one ends it."""
    return b"%x\r\n%b\r\n" % (len(data), data)


END = chunk(b"")
