"""The HTTP server on a real port, and a raw connection to it."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress

import pytest

from onemcp.web.http.request import Request
from onemcp.web.http.response import Response
from onemcp.web.http.server import Handler, Server, bind, serving

MAX_BODY = 1 << 16


class Wire:
    """A raw client connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    def send(self, data: bytes) -> None:
        self.writer.write(data)

    async def answer(self) -> tuple[int, dict[str, str], bytes]:
        """The next response, its body by content-length or chunks."""
        async with asyncio.timeout(10):
            head = (await self.reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
            headers = dict(line.lower().split(": ", 1) for line in head[1:] if line)
            if "chunked" in headers.get("transfer-encoding", ""):
                body = b""
                while size := int(await self.reader.readuntil(b"\r\n"), 16):
                    body += (await self.reader.readexactly(size + 2))[:-2]
                await self.reader.readexactly(2)
            else:
                body = await self.reader.readexactly(int(headers.get("content-length", "0")))
            return int(head[0].split(" ")[1]), headers, body

    async def closed(self) -> bytes:
        """What came until the server hung up."""
        async with asyncio.timeout(10):
            try:
                return await self.reader.read()
            except ConnectionResetError:
                return b""


class Site:
    """A running server that echoes, and what it saw."""

    def __init__(self, server: Server, port: int, seen: list[Request]) -> None:
        self.server = server
        self.port = port
        self.seen = seen

    @asynccontextmanager
    async def connect(self) -> AsyncIterator[Wire]:
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        try:
            yield Wire(reader, writer)
        finally:
            writer.close()
            with suppress(OSError):
                await writer.wait_closed()


Open = Callable[..., AbstractAsyncContextManager[Site]]


@pytest.fixture
def site() -> Open:
    """`async with site(handler) as it`; without a handler it echoes the body."""

    @asynccontextmanager
    async def start(handler: Handler | None = None) -> AsyncIterator[Site]:
        seen: list[Request] = []

        async def echo(request: Request, response: Response) -> None:
            seen.append(request)
            answering = handler(request, response) if handler is not None else None
            if answering is not None:
                await answering
            elif handler is None:
                response.send(200, request.body)

        sock = bind("127.0.0.1", 0)
        port = sock.getsockname()[1]
        async with serving(echo, sock, MAX_BODY) as server:
            yield Site(server, port, seen)

    return start
