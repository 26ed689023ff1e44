"""Reading event streams as they come, event by event."""

from collections.abc import AsyncGenerator

import httpx2

from onemcp.wire.sse import Event, EventParser


async def events_of(response: httpx2.Response) -> AsyncGenerator[Event, None]:
    """The events of a response, priming ones too, until the stream ends."""
    parser = EventParser(1 << 24)
    async for chunk in response.aiter_raw():
        for event in parser.feed(chunk):
            yield event
