"""Long event streams to clients: the GET streams of a session and `subscriptions/listen`."""

import asyncio
from collections.abc import Callable
from typing import Final

from onemcp.gateway.streams import Event, Stream
from onemcp.web.exchange import EVENT_STREAM, KEEP_ALIVE
from onemcp.web.http.response import Response
from onemcp.wire import sse

Shown = Callable[[Event], bytes]
"""What a client may see of an event: its message, another one in its place, or nothing."""

_SILENCE: Final = Event(b"")


def _whole(event: Event) -> bytes:
    return event.message


async def serve_stream(stream: Stream, response: Response, *, first: bytes = b"", last: bytes = b"") -> None:
    """Write a stream to its client until either side ends it; `last` is its last message if we do."""
    await _write(stream, response, sse.encode(first) if first else sse.COMMENT, _whole)
    if last:
        response.write(sse.encode(last))
    response.end()


async def serve_events(stream: Stream, response: Response, opening: bytes, shown: Shown) -> None:
    """Write a stream that can be resumed; `opening` is how it begins."""
    await _write(stream, response, opening, shown)
    response.end()


async def _write(stream: Stream, response: Response, opening: bytes, shown: Shown) -> None:
    response.on_gone(stream.end)
    response.begin(200, EVENT_STREAM)
    response.write(opening)
    while (event := await _next(stream)) is not None:
        if event is _SILENCE:
            response.write(sse.COMMENT)
        elif message := shown(event):
            response.write(sse.encode(message, id=event.id))
        await response.drained()


async def _next(stream: Stream) -> Event | None:
    """The next event; `_SILENCE` after one that a keep-alive should break; None at the end."""
    try:
        async with asyncio.timeout(KEEP_ALIVE):
            return await stream.next_event()
    except TimeoutError:
        return _SILENCE
