"""A subscription to a stateless child: it tells of changes only those who asked (2026-07-28, subscriptions)."""

import asyncio
from asyncio import Future
from collections.abc import Callable
from itertools import count
from typing import Final

from msgspec import Raw

from onemcp.errors import RpcError
from onemcp.upstream.connection import upstream_says
from onemcp.wire.envelope import ABSENT, encode, notification, one_line

LISTEN: Final = "subscriptions/listen"
CANCELLED: Final = "notifications/cancelled"
WANTED: Final = b'{"toolsListChanged":true,"promptsListChanged":true,"resourcesListChanged":true}'
PAUSE: Final = 1.0
"""Seconds after its end in which a subscription is not begun anew."""


class Subscription:
    """One request that is answered only at its end; begun anew then, unless it was refused.

    `write` sends a line; `on_gap` hears that changes may have been missed; `wanted` is the encoded filter.
    """

    def __init__(
        self,
        write: Callable[[bytes], object],
        on_gap: Callable[[], None],
        key: str = "listen-1",
        wanted: bytes = WANTED,
    ) -> None:
        self.acknowledged: Future[Raw] = asyncio.get_running_loop().create_future()
        """The params of the first acknowledgement; RpcError if the child refuses."""
        self.is_over = False
        """It was refused or withdrawn."""
        self.id = encode(key)
        self._write = write
        self._on_gap = on_gap
        self._wanted = wanted
        self._meta = b""
        self._is_agreed = False
        self._again: asyncio.TimerHandle | None = None

    def begin(self, meta: bytes) -> None:
        """Ask, with this `_meta`."""
        self._meta = meta
        self._is_agreed = False
        params = b'{"notifications":%b,"_meta":%b}' % (self._wanted, one_line(meta))
        self._write(
            b'{"jsonrpc":"2.0","id":%b,"method":"%b","params":%b}\n' % (self.id, LISTEN.encode(), params)
        )

    def acknowledge(self, params: Raw) -> None:
        """The child has agreed."""
        self._is_agreed = True
        if not self.acknowledged.done():
            self.acknowledged.set_result(params)

    def end(self, refusal: RpcError | None = None) -> None:
        """The child has ended it, maybe with an error; one that it did not agree to is not asked for again."""
        if refusal is not None and not self._is_agreed:
            self.is_over = True
            if not self.acknowledged.done():
                self.acknowledged.set_exception(refusal)
                self.acknowledged.exception()  # Nobody may be waiting for it.
        elif not self.is_over and self._again is None:
            self._again = asyncio.get_running_loop().call_later(PAUSE, self._resume)

    def _resume(self) -> None:
        self._again = None
        self.begin(self._meta)
        self._on_gap()

    def withdraw(self) -> None:
        """End it from our side."""
        if not self.is_over:
            self.close()
            self._write(notification(CANCELLED, b'{"requestId":%b}' % self.id) + b"\n")

    def close(self) -> None:
        """Begin nothing any more."""
        self.is_over = True
        if self._again is not None:
            self._again.cancel()
            self._again = None


class Subscriptions:
    """Those of one child, by their ids."""

    def __init__(self, write: Callable[[bytes], object]) -> None:
        self._write = write
        self._numbers = count(1)
        self._open: dict[bytes, Subscription] = {}

    def begin(self, meta: bytes, on_gap: Callable[[], None], wanted: bytes = WANTED) -> Subscription:
        """Ask for something; see `Subscription`."""
        self._open = {key: each for key, each in self._open.items() if not each.is_over}
        subscription = Subscription(self._write, on_gap, f"listen-{next(self._numbers)}", wanted)
        self._open[subscription.id] = subscription
        subscription.begin(meta)
        return subscription

    def end(self, request_id: Raw, error: Raw = ABSENT) -> bool:
        """The child has ended one, maybe with an error; False for an id, as JSON, of something else."""
        subscription = self._open.get(bytes(request_id))
        if subscription is None:
            return False
        subscription.end(upstream_says(error) if error is not ABSENT else None)
        return True

    def acknowledge(self, request_id: Raw, params: Raw) -> bool:
        """The child has agreed to one; False for an id of something else."""
        subscription = self._open.get(bytes(request_id))
        if subscription is None:
            return False
        subscription.acknowledge(params)
        return True

    def close(self) -> None:
        """Begin nothing any more."""
        for subscription in self._open.values():
            subscription.close()
