"""The subscription to a stateless child: it tells of changed lists only those who asked (2026-07-28, subscriptions)."""

import asyncio
from collections.abc import Callable
from typing import Final

from msgspec import Raw

from onemcp.wire.envelope import one_line

LISTEN: Final = "subscriptions/listen"
WANTED: Final = b'{"toolsListChanged":true,"promptsListChanged":true,"resourcesListChanged":true}'
PAUSE: Final = 1.0
"""Seconds after its end in which a subscription is not begun anew."""

_ID: Final = b'"listen"'


class Subscription:
    """One request that is answered only at its end; begun anew then, unless it was refused.

    `write` sends a line; `on_gap` hears that changes may have been missed.
    """

    def __init__(self, write: Callable[[bytes], object], on_gap: Callable[[], None]) -> None:
        self._write = write
        self._on_gap = on_gap
        self._meta = b""
        self._again: asyncio.TimerHandle | None = None

    def begin(self, meta: bytes) -> None:
        """Ask for the changes of all lists, with this `_meta`."""
        self._meta = meta
        params = b'{"notifications":%b,"_meta":%b}' % (WANTED, one_line(meta))
        self._write(b'{"jsonrpc":"2.0","id":%b,"method":"%b","params":%b}\n' % (_ID, LISTEN.encode(), params))

    def is_it(self, request_id: Raw | bytes | None) -> bool:
        """Whether an id, as JSON, is the one of this request."""
        return request_id is not None and bytes(request_id) == _ID

    def end(self, *, refused: bool) -> None:
        """The child has ended it; one that was refused is not asked for again."""
        if not refused and self._again is None:
            self._again = asyncio.get_running_loop().call_later(PAUSE, self._resume)

    def _resume(self) -> None:
        self._again = None
        self.begin(self._meta)
        self._on_gap()

    def close(self) -> None:
        """Begin nothing any more."""
        if self._again is not None:
            self._again.cancel()
