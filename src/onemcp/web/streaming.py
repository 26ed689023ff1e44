"""Long event streams to clients: the GET stream of a session and `subscriptions/listen`."""

import asyncio
from collections.abc import Callable

from onemcp.gateway.streams import Stream
from onemcp.web.asgi import Receive, Send
from onemcp.web.exchange import EVENT_STREAM, KEEP_ALIVE
from onemcp.wire import sse


async def serve_stream(
    stream: Stream, receive: Receive, send: Send, farewell: Callable[[], bytes] = bytes, *, first: bytes = b""
) -> None:
    """Write a stream to its client until either side ends it; `farewell` gives a last message if we do."""
    await send({"type": "http.response.start", "status": 200, "headers": list(EVENT_STREAM)})
    await _write(send, sse.encode(first) if first else sse.COMMENT)
    async with asyncio.TaskGroup() as group:
        gone = group.create_task(_until_gone(stream, receive))
        while (message := await _next(stream)) is not None:
            await _write(send, sse.encode(message) if message else sse.COMMENT)
        if not gone.done():
            gone.cancel()
            last = farewell()
            await send({"type": "http.response.body", "body": sse.encode(last) if last else b""})


async def _next(stream: Stream) -> bytes | None:
    """The next message; empty after a silence that a keep-alive should break; None at the end."""
    try:
        async with asyncio.timeout(KEEP_ALIVE):
            return await stream.next()
    except TimeoutError:
        return b""


async def _until_gone(stream: Stream, receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
    stream.end()


async def _write(send: Send, data: bytes) -> None:
    await send({"type": "http.response.body", "body": data, "more_body": True})
