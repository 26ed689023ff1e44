"""The server of the crossing test over streamable HTTP of the handshake era, in a process of its own.

    with CrossingHttp() as server:
        ... server.url

Every call is answered with an event stream, which carries all that belongs to it.
"""

import asyncio
import json
import subprocess
import sys
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from tests.support.crossing_upstream import Json, Server

ROOT: Final = Path(__file__).parent.parent.parent
EVENT_STREAM: Final = b"content-type: text/event-stream\r\ntransfer-encoding: chunked\r\n"
SESSION: Final = b"mcp-session-id: crossing\r\n"


class CrossingHttp:
    """The process; `url` is its endpoint. Entering waits until it accepts connections."""

    def __init__(self) -> None:
        self.url = ""
        self._process: subprocess.Popen[str] | None = None

    def __enter__(self) -> Self:
        command = [sys.executable, "-m", "tests.support.crossing_http"]
        self._process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
        assert self._process.stdout is not None
        self.url = self._process.stdout.readline().strip()
        assert self.url, "the server did not start"
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        process = self._process
        assert process is not None
        assert process.stdout is not None
        process.kill()
        process.wait(10)
        process.stdout.close()


class Front:
    """One connection from the gateway after the other, one request after the other on each."""

    def __init__(self) -> None:
        self._server = Server("handshake", asyncio.get_running_loop().call_later)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer until the gateway closes."""
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                await self._answer(head, reader, writer)
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    async def _answer(self, head: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if head.startswith(b"GET"):
            writer.write(b"HTTP/1.1 200 OK\r\n%b\r\n2\r\n:\n\r\n" % EVENT_STREAM)
            await reader.read()
        elif head.startswith(b"DELETE"):
            _reply(writer, b"")
        else:
            message = json.loads(await reader.readexactly(_length(head)))
            if message.get("method") == "tools/call":
                await self._stream(message, writer)
                return
            replies: list[Json | None] = []
            self._server.receive(message, replies.append)
            _reply(writer, json.dumps(replies[0]).encode() if replies else b"")

    async def _stream(self, message: Json, writer: asyncio.StreamWriter) -> None:
        """Everything about one call, on a stream that ends with it."""
        over = asyncio.Event()
        writer.write(b"HTTP/1.1 200 OK\r\n%b\r\n" % EVENT_STREAM)

        def send(part: Json | None) -> None:
            if part is None:
                over.set()
            elif not writer.is_closing():
                event = b"data: %b\n\n" % json.dumps(part).encode()
                writer.write(b"%x\r\n%b\r\n" % (len(event), event))

        self._server.receive(message, send)
        await over.wait()
        if not writer.is_closing():
            writer.write(b"0\r\n\r\n")


def _length(head: bytes) -> int:
    lines = head.lower().split(b"\r\n")
    return next(int(line.partition(b":")[2]) for line in lines if line.startswith(b"content-length:"))


def _reply(writer: asyncio.StreamWriter, body: bytes) -> None:
    status = b"200 OK" if body else b"202 Accepted"
    kind = b"content-type: application/json\r\n" + SESSION
    writer.write(b"HTTP/1.1 %b\r\n%bcontent-length: %d\r\n\r\n%b" % (status, kind, len(body), body))


async def main() -> None:
    """Serve until killed; the first line of stdout is the URL."""
    server = await asyncio.start_server(Front().serve, "127.0.0.1", 0)
    sys.stdout.write(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/mcp\n")
    sys.stdout.flush()
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main())
