"""The requests of one client that are being answered, so that the client can cancel them.

Source: basic/utilities/cancellation (2025-11-25).
"""

import asyncio
from typing import Final

from msgspec import Raw

from onemcp.errors import RpcError
from onemcp.wire.envelope import Envelope, open_object

CANCELLED: Final = "notifications/cancelled"


class Calls:
    """Requests in flight by id, which matches by type and value.

    A client that uses an id twice at a time can only cancel the later request.
    """

    __slots__ = ("_cancelled", "_running")

    def __init__(self) -> None:
        self._running: dict[bytes, asyncio.Task[None]] = {}
        self._cancelled: set[bytes] | None = None

    def begin(self, request_id: Raw, task: asyncio.Task[None]) -> bytes:
        """This task answers this request; returns the key for the other methods."""
        key = bytes(request_id)
        self._running[key] = task
        return key

    def end(self, key: bytes) -> None:
        """It is answered."""
        self._running.pop(key, None)
        if self._cancelled:
            self._cancelled.discard(key)

    def cancel(self, notification: Envelope) -> None:
        """End the request that a `notifications/cancelled` names; an unknown or finished one is ignored."""
        try:
            key = bytes(open_object(notification.params).get("requestId", b""))
        except RpcError:
            return
        task = self._running.pop(key, None)
        if task is not None:
            if self._cancelled is None:
                self._cancelled = set()
            self._cancelled.add(key)
            task.cancel()

    def __len__(self) -> int:
        """Requests that are being answered."""
        return len(self._running)

    def end_all(self) -> None:
        """Nobody waits for any of them any more."""
        if self._running and self._cancelled is None:
            self._cancelled = set()
        while self._running:
            key, task = self._running.popitem()
            if self._cancelled is not None:
                self._cancelled.add(key)
            task.cancel()

    def absorbed(self, key: bytes, task: asyncio.Task[None]) -> bool:
        """Whether the cancellation that this task has just caught was its client's; if so, it goes on."""
        if self._cancelled is None or key not in self._cancelled:
            return False
        task.uncancel()
        return True
