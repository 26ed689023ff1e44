"""The thread that a SQLite store works in, and the queue towards it: `Writer`.

What is queued when the thread comes round is one batch, done in one transaction: the more there is to do, the
cheaper it becomes.
"""

import asyncio
import logging
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from queue import SimpleQueue
from types import TracebackType
from typing import Final, Self, TypeVar

from onemcp.errors import OnemcpError, StartError, StoreError
from onemcp.store.base import EVENT_OVERHEAD, Bounds
from onemcp.store.batch import Answer, Ask, Batch, Outcome, perform, weight
from onemcp.store.event_table import Append
from onemcp.store.tables import Tables

QUEUE_BYTES: Final = 16 << 20
"""Events waiting to be written, in bytes as `Bounds` counts them; what comes on top is dropped."""
CLOSE_TIMEOUT: Final = 5.0
"""Seconds to write what is queued and close the file."""
_OPEN_TIMEOUT: Final = 60.0
"""Seconds to open the file, which is checked from end to end."""
_ANSWER_TIMEOUT: Final = 10.0
_BATCH: Final = 1024
"""Operations in one transaction: enough to be cheap, few enough that the first does not wait long for the last."""

_log = logging.getLogger("onemcp.store")
_T = TypeVar("_T")


class Writer(AbstractAsyncContextManager["Writer"]):
    """Does things with the tables of a file, in the order in which it was asked; of one event loop.

    Raises:
        StartError: on entering, if the file cannot be used.
    """

    def __init__(self, path: Path, bounds: Bounds, max_bytes: int) -> None:
        self._path = path
        self._make: Callable[[], Tables] = lambda: Tables(path, bounds, max_bytes)
        self._queue: SimpleQueue[Append | Ask | None] = SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="onemcp-store", daemon=True)
        self._loop: asyncio.AbstractEventLoop
        self._opened: asyncio.Future[None]
        self._ended: asyncio.Future[None]
        self._closed = True
        # Each of these counters is written by one thread only, so that none needs a lock.
        self._queued = 0
        self._refused = 0
        self._done = 0
        self._lost = 0
        self._failing = False

    @property
    def waiting(self) -> int:
        """Bytes in the queue or being written."""
        return self._queued - self._done

    @property
    def dropped(self) -> int:
        """Events that were not written."""
        return self._refused + self._lost

    async def __aenter__(self) -> Self:
        """Start the thread and wait until it has opened the file."""
        self._loop = asyncio.get_running_loop()
        self._opened = self._loop.create_future()
        self._ended = self._loop.create_future()
        self._thread.start()
        try:
            async with asyncio.timeout(_OPEN_TIMEOUT):
                await self._opened
        except TimeoutError:
            self._queue.put(None)
            raise StartError(
                f"{self._path}: the store was not open after {_OPEN_TIMEOUT:g} s",
                "see whether the disk is failing",
            ) from None
        except BaseException:
            self._queue.put(None)
            raise
        self._closed = False
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Write what is queued, close the file, end the thread; give up after `CLOSE_TIMEOUT`."""
        self._closed = True
        self._queue.put(None)
        try:
            async with asyncio.timeout(CLOSE_TIMEOUT):
                await self._ended
        except TimeoutError:
            _log.warning(
                "%s: the store was not closed within %g s; what was written last may be lost",
                self._path,
                CLOSE_TIMEOUT,
            )
        else:
            self._thread.join(CLOSE_TIMEOUT)

    def append(self, event: Append) -> None:
        """Queue an event; it is dropped if the queue is full or the writer closed."""
        if self._closed or self._queued - self._done >= QUEUE_BYTES:
            self._refused += 1
            return
        self._queued += len(event.data) + EVENT_OVERHEAD
        self._queue.put(event)

    def refuse(self) -> None:
        """Count an event that is not even queued."""
        self._refused += 1

    async def ask(self, run: Callable[[Tables], _T], size: int = 0) -> _T:
        """Do something with the tables; what it returns, once that is kept. `size` is what it holds, in bytes.

        Raises:
            VersionConflict: it did.
            StoreError: it failed, and nothing of it was done; or there was no answer in time.
        """
        if self._closed:
            raise StoreError(f"{self._path}: the store is closed")
        if self.waiting >= 2 * QUEUE_BYTES:  # events leave some room for what somebody waits for
            raise StoreError(f"{self._path}: the store cannot keep up", "see whether the disk is slow")
        ask = Ask(run, self._loop.create_future(), size + EVENT_OVERHEAD)
        self._queued += ask.weight
        self._queue.put(ask)
        try:
            async with asyncio.timeout(_ANSWER_TIMEOUT):
                answer: _T = await ask.future
        except TimeoutError:
            raise StoreError(
                f"{self._path}: no answer from the store for {_ANSWER_TIMEOUT:g} s; it may come to be written yet",
                "see whether the disk is slow or failing",
            ) from None
        return answer

    # What follows runs in the thread.

    def _run(self) -> None:
        try:
            tables = self._make()
        except OnemcpError as error:
            self._tell([Answer(self._opened, None, error)])
            return
        with tables:
            self._tell([Answer(self._opened)])
            for batch in self._batches():
                outcome = perform(tables, batch)
                self._note(outcome)
                self._done += sum(weight(item) for item in batch)
                self._tell(outcome.answers)
        self._tell([Answer(self._ended)])

    def _batches(self) -> Iterator[Batch]:
        """What is queued, each time there is something, until the writer is closed."""
        while True:
            batch: list[Append | Ask] = []
            while not batch or (len(batch) < _BATCH and not self._queue.empty()):
                item = self._queue.get()
                if item is None:
                    yield batch
                    return
                batch.append(item)
            yield batch

    def _note(self, outcome: Outcome) -> None:
        """Count the events that were lost; warn of the first of a row of failures."""
        self._lost += outcome.refused + outcome.failed
        if outcome.error and not self._failing:
            _log.warning("events are not kept, so that clients cannot resume: %s", outcome.error)
        if outcome.error or outcome.added:
            self._failing = outcome.error is not None

    def _tell(self, answers: Sequence[Answer]) -> None:
        """Hand answers to the event loop, all at once."""
        if not answers:
            return
        try:
            self._loop.call_soon_threadsafe(_resolve, answers)
        except RuntimeError:
            # The loop was closed before us: nobody waits any more.
            return


def _resolve(answers: Sequence[Answer]) -> None:
    """Wake those who wait; who was cancelled does not."""
    for future, result, error in answers:
        if future.done():
            continue
        if error is None:
            future.set_result(result)
        else:
            future.set_exception(error)
