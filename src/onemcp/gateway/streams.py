"""Streams: what is open towards clients for messages that answer no request."""

import asyncio
from collections import deque
from typing import Final

from onemcp.core.access import View
from onemcp.core.changes import Kind
from onemcp.wire.envelope import encode

MAX_QUEUED: Final = 256
"""Messages that may wait for a slow reader; then its stream is closed and it comes back to a fresh one."""

ALL_KINDS: Final = frozenset(Kind)


class Stream:
    """One listening client: a bounded queue between the notifier and the edge that writes to the client."""

    __slots__ = ("_ended", "_queue", "_waiter", "endpoint", "kinds", "subscription", "view")

    def __init__(
        self, view: View, endpoint: str = "", kinds: frozenset[Kind] = ALL_KINDS, subscription: bytes = b""
    ) -> None:
        self.view = view
        self.endpoint = endpoint
        self.kinds = kinds
        self.subscription = subscription
        """The id of the `subscriptions/listen` request as JSON; empty in the handshake era."""
        self._queue: deque[bytes] = deque()
        self._waiter: asyncio.Future[None] | None = None
        self._ended = False

    def announce(self, kind: Kind) -> None:
        """Queue a list_changed notice."""
        meta = b""
        if self.subscription:
            meta = b',"params":{"_meta":{"io.modelcontextprotocol/subscriptionId":%b}}' % self.subscription
        self.push(b'{"jsonrpc":"2.0","method":%b%b}' % (encode(kind.method), meta))

    def push(self, message: bytes) -> None:
        """Queue a message; a reader that is too far behind loses the stream."""
        if len(self._queue) >= MAX_QUEUED:
            self.end()
            return
        self._queue.append(message)
        self._notify()

    def end(self) -> None:
        """No more messages; the reader gets what is queued and then None."""
        self._ended = True
        self._notify()

    async def next(self) -> bytes | None:
        """The next message, or None at the end. One reader only."""
        while not self._queue:
            if self._ended:
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
