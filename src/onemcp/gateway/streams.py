"""Streams: what is open towards clients for messages that answer no request, and towards those who resume an answer."""

import asyncio
from collections import deque
from collections.abc import Sequence
from typing import Final, NamedTuple

from onemcp.core.access import View
from onemcp.core.changes import Kind
from onemcp.wire.envelope import encode

MAX_QUEUED: Final = 256
"""Messages that may wait for a slow reader; then its stream is closed and it comes back to a fresh one."""

ALL_KINDS: Final = frozenset(Kind)


class Event(NamedTuple):
    """One message on its way to a client."""

    message: bytes
    id: str = ""
    """The event id to resume after; empty on a stream that cannot be resumed."""
    upstream: str = ""
    """Whose word it is, for the view to judge; empty for the gateway's own."""
    number: int = 0
    """Its number in the log; 0 if it is not there."""


class Stream:
    """One listening client: a bounded queue between the notifier and the edge that writes to the client."""

    __slots__ = ("_queue", "_waiter", "endpoint", "has_ended", "kinds", "subscription", "view")

    def __init__(
        self, view: View, endpoint: str = "", kinds: frozenset[Kind] = ALL_KINDS, subscription: bytes = b""
    ) -> None:
        self.view = view
        self.endpoint = endpoint
        self.kinds = kinds
        self.subscription = subscription
        """The id of the `subscriptions/listen` request as JSON; empty in the handshake era."""
        self.has_ended = False
        self._queue: deque[Event] = deque()
        self._waiter: asyncio.Future[None] | None = None

    def announce(self, kind: Kind) -> None:
        """Queue a list_changed notice."""
        meta = b""
        if self.subscription:
            meta = b',"params":{"_meta":{"io.modelcontextprotocol/subscriptionId":%b}}' % self.subscription
        self.push(b'{"jsonrpc":"2.0","method":%b%b}' % (encode(kind.method), meta))

    def push(self, message: bytes) -> None:
        """Queue a message; a reader that is too far behind loses the stream."""
        self.put(Event(message))

    def tell(self, message: bytes, upstream: str, number: int) -> None:
        """Queue a message of this upstream, which the log has under this number (0 if there is no log)."""
        self.put(Event(message, "", upstream, number))

    def put(self, event: Event) -> None:
        """Queue an event; a reader that is too far behind loses the stream."""
        if self.has_ended:
            return
        if len(self._queue) >= MAX_QUEUED:
            self.end()
            return
        self._queue.append(event)
        self._notify()

    def precede(self, past: Sequence[Event]) -> None:
        """Put events of the log before what is queued, which may have some of them, too."""
        last = past[-1].number if past else 0
        self._queue = deque([*past, *(event for event in self._queue if not 0 < event.number <= last)])
        self._notify()

    def end(self) -> None:
        """No more messages; the reader gets what is queued and then None."""
        self.has_ended = True
        self._notify()

    @property
    def is_over(self) -> bool:
        """It has ended, and all of it is read."""
        return self.has_ended and not self._queue

    async def next(self) -> bytes | None:
        """The next message, or None at the end. One reader only."""
        event = await self.next_event()
        return event.message if event is not None else None

    async def next_event(self) -> Event | None:
        """The next event, or None at the end. One reader only."""
        while not self._queue:
            if self.has_ended:
                return None
            self._waiter = asyncio.get_running_loop().create_future()
            try:
                await self._waiter
            finally:
                self._waiter = None
        return self._queue.popleft()

    def _notify(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)
