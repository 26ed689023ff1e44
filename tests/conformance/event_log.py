"""The events of a fixture's streams, in memory, so that a client that comes back hears the rest."""

from itertools import count
from typing import Final

from mcp.server.streamable_http import EventCallback, EventId, EventMessage, EventStore, StreamId
from mcp.types import JSONRPCMessage


class EventLog(EventStore):
    """All events of all streams, numbered in one row."""

    def __init__(self) -> None:
        self._numbers: Final = count(1)
        self._events: Final[dict[EventId, tuple[StreamId, JSONRPCMessage | None]]] = {}

    async def store_event(self, stream_id: StreamId, message: JSONRPCMessage | None) -> EventId:
        """Keep one; a priming event has no message."""
        event_id = str(next(self._numbers))
        self._events[event_id] = (stream_id, message)
        return event_id

    async def replay_events_after(
        self, last_event_id: EventId, send_callback: EventCallback
    ) -> StreamId | None:
        """Send what came on the same stream since; None if the event is unknown."""
        if last_event_id not in self._events:
            return None
        stream_id = self._events[last_event_id][0]
        for event_id, (stream, message) in list(self._events.items()):
            if stream == stream_id and message is not None and int(event_id) > int(last_event_id):
                await send_callback(EventMessage(message, event_id))
        return stream_id
