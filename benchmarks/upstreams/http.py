"""The echo server on streamable HTTP: a bare asyncio protocol around httptools, JSON answers only.

It prints its port as the first line of stdout, once it can be reached.
"""

import asyncio
from contextlib import suppress
from typing import Final, cast

import httptools
import uvloop

from benchmarks.upstreams.echo import Echo, arguments

ANSWER: Final = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n%b"
OPENED: Final = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nmcp-session-id: echo\r\ncontent-length: %d\r\n\r\n%b"
REFUSED: Final = b"HTTP/1.1 400 Bad Request\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n%b"
ACCEPTED: Final = b"HTTP/1.1 202 Accepted\r\ncontent-length: 0\r\n\r\n"
NOT_ALLOWED: Final = b"HTTP/1.1 405 Method Not Allowed\r\nallow: POST\r\ncontent-length: 0\r\n\r\n"


class EchoProtocol(asyncio.Protocol):
    """One connection. Every request is answered in the callback that completes it."""

    def __init__(self, echo: Echo) -> None:
        self._echo = echo
        self._parser = httptools.HttpRequestParser(self)
        self._body = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the way back."""
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        """Feed the parser; what is not HTTP ends the connection."""
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError:
            self._transport.abort()

    def on_body(self, body: bytes) -> None:
        """Collect (called by httptools)."""
        self._body += body

    def on_message_complete(self) -> None:
        """Answer (called by httptools)."""
        body, self._body = self._body, b""
        if self._parser.get_method() != b"POST":
            self._transport.write(NOT_ALLOWED)
            return
        answer = self._echo.answer(body)
        if not answer:
            self._transport.write(ACCEPTED)
        elif b'"error":{' in answer[:100]:
            self._transport.write(REFUSED % (len(answer), answer))
        else:
            head = OPENED if b'"method":"initialize"' in body else ANSWER
            self._transport.write(head % (len(answer), answer))


async def serve(echo: Echo, port: int) -> None:
    """Serve on the loopback until cancelled; port 0 takes a free one."""
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: EchoProtocol(echo), "127.0.0.1", port, backlog=1024)
    print(server.sockets[0].getsockname()[1], flush=True)
    async with server:
        await server.serve_forever()


def main() -> None:
    parser = arguments(__doc__)
    parser.add_argument("--port", type=int, default=0)
    options = parser.parse_args()
    with suppress(KeyboardInterrupt):
        uvloop.run(serve(Echo(options.tools, options.era), options.port))


if __name__ == "__main__":
    main()
