"""Requests in flight on one channel: our ids, who waits for which, and until when."""

import asyncio
from asyncio import Future
from collections.abc import Callable
from itertools import count
from typing import Final

from msgspec import Struct

from onemcp.errors import Reason, UpstreamError
from onemcp.upstream.channel import Inbound, Reply
from onemcp.wire.envelope import Envelope

RESOLUTION: Final = 0.1
"""Seconds by which a deadline may be late; requests that fall due within one such span share one timer."""


class _Entry(Struct, eq=False):
    future: Future[Reply]
    deadline: float
    timeout: float
    sink: Inbound | None


class Pending:
    """The requests of one channel that wait for their answer.

    One timer serves all deadlines: it is set for the earliest and costs a request nothing as long as a later
    request does not fall due sooner. `on_expired` hears the id of every request that was given up without an
    answer, so that the upstream can be told; it must not raise.

    Whoever awaits the future gives the request up when it is cancelled:

        request_id, future = pending.open(timeout)
        try:
            return await future
        except asyncio.CancelledError:
            pending.withdraw(request_id)
            raise
    """

    def __init__(
        self, server: str, limit: int = 4096, on_expired: Callable[[int], None] | None = None
    ) -> None:
        self._server = server
        self._limit = limit
        self._on_expired = on_expired
        self._loop = asyncio.get_running_loop()
        self._ids = count(1)
        self._entries: dict[int, _Entry] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._due = float("inf")

    def __repr__(self) -> str:
        """How many wait, in one line."""
        return f"<Pending {self._server} {len(self._entries)}>"

    def __len__(self) -> int:
        return len(self._entries)

    def open(self, timeout: float, sink: Inbound | None = None) -> tuple[int, Future[Reply]]:
        """A new id, unique on this channel, and the future of its answer.

        `timeout` is in seconds and may be infinite. The future ends with UpstreamError TIMEOUT when they are over.

        Raises:
            UpstreamError: OVERLOADED if too many requests wait already; nothing was sent.
        """
        if len(self._entries) >= self._limit:
            raise UpstreamError(
                self._server,
                Reason.OVERLOADED,
                f"has {self._limit} requests unanswered; try again when it has caught up",
                ran=False,
            )
        request_id = next(self._ids)
        future: Future[Reply] = self._loop.create_future()
        deadline = self._loop.time() + timeout
        self._entries[request_id] = _Entry(future, deadline, timeout, sink)
        if deadline < self._due:
            self._arm(deadline)
        return request_id, future

    def resolve(self, envelope: Envelope) -> bool:
        """Hand a response to whoever waits for it; False for an id that nobody waits for (any more).

        An id matches by type and value: the string "1" is not our 1 (JSON-RPC 2.0, section 5).
        """
        try:
            entry = self._entries.pop(int(bytes(envelope.id)))
        except (ValueError, KeyError):
            return False
        if not entry.future.done():
            entry.future.set_result(Reply(envelope.result, envelope.error))
        return True

    def sink(self, request_id: int) -> Inbound | None:
        """Where the messages that belong to a request in flight go; None if there is no such place."""
        entry = self._entries.get(request_id)
        return entry.sink if entry is not None else None

    def only(self) -> int | None:
        """The id of the request in flight if there is exactly one."""
        return next(iter(self._entries)) if len(self._entries) == 1 else None

    def discard(self, request_id: int) -> None:
        """Forget a request that was never sent."""
        self._entries.pop(request_id, None)

    def withdraw(self, request_id: int) -> None:
        """Give up a request that may be under way: its answer counts as late, and `on_expired` hears of it."""
        if self._entries.pop(request_id, None) is not None and self._on_expired is not None:
            self._on_expired(request_id)

    def fail(self, error: UpstreamError | Callable[[], UpstreamError], request_id: int | None = None) -> None:
        """End one request, or all that wait, with an error (a fresh one for each if it is a function)."""
        ids = list(self._entries) if request_id is None else [request_id]
        for each in ids:
            entry = self._entries.pop(each, None)
            if entry is not None and not entry.future.done():
                entry.future.set_exception(error if isinstance(error, UpstreamError) else error())

    def close(self) -> None:
        """Let go of the timer; fail what waits before."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._due = float("-inf")  # Nothing falls due before it: no timer is set any more.

    def _arm(self, due: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._due = due
        self._timer = self._loop.call_at(due, self._sweep)

    def _sweep(self) -> None:
        """End what is overdue, and set the timer for what is left."""
        self._timer = None
        self._due = float("inf")
        now = self._loop.time()
        overdue = [each for each, entry in self._entries.items() if entry.deadline <= now]
        for request_id in overdue:
            self._expire(request_id)
        earliest = min((entry.deadline for entry in self._entries.values()), default=self._due)
        if earliest < self._due:
            self._arm(max(earliest, now + RESOLUTION))

    def _expire(self, request_id: int) -> None:
        entry = self._entries[request_id]
        self.fail(
            UpstreamError(self._server, Reason.TIMEOUT, f"did not answer within {entry.timeout:g} s"),
            request_id,
        )
        if self._on_expired is not None:
            self._on_expired(request_id)
