"""Long event streams to clients: the GET stream of a session and `subscriptions/listen`."""

import asyncio

from onemcp.gateway.streams import Stream
from onemcp.web.exchange import EVENT_STREAM, KEEP_ALIVE
from onemcp.web.http.response import Response
from onemcp.wire import sse


async def serve_stream(stream: Stream, response: Response, *, first: bytes = b"", last: bytes = b"") -> None:
    """Write a stream to its client until either side ends it; `last` is its last message if we do."""
    response.on_gone(stream.end)
    response.begin(200, EVENT_STREAM)
    response.write(sse.encode(first) if first else sse.COMMENT)
    while (message := await _next(stream)) is not None:
        response.write(sse.encode(message) if message else sse.COMMENT)
        await response.drained()
    if last:
        response.write(sse.encode(last))
    response.end()


async def _next(stream: Stream) -> bytes | None:
    """The next message; empty after a silence that a keep-alive should break; None at the end."""
    try:
        async with asyncio.timeout(KEEP_ALIVE):
            return await stream.next()
    except TimeoutError:
        return b""
