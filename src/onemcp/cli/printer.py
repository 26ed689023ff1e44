"""The printer: text for a person, written by a thread of its own, so that a pipe that nobody reads holds up nobody."""

import queue
import threading
from types import TracebackType
from typing import Final, Self, TextIO

MAX_WAITING: Final = 1000
"""Pieces of text that may wait; what comes then is left out."""
LAST_WAIT: Final = 1.0
"""Seconds at the end for what still waits."""


class Printer:
    """Stands for a text stream; writing to it never waits and never fails."""

    def __init__(self, out: TextIO) -> None:
        self._out = out
        self.encoding = out.encoding
        self._queue: queue.Queue[str | None] = queue.Queue(MAX_WAITING)
        self._thread = threading.Thread(target=self._run, name="console", daemon=True)
        self._thread.start()

    def __enter__(self) -> Self:
        """It runs already."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """See `close`."""
        self.close()

    def isatty(self) -> bool:
        """Whether somebody looks at it."""
        return self._out.isatty()

    def fileno(self) -> int:
        """The descriptor behind it."""
        return self._out.fileno()

    def write(self, text: str) -> int:
        """Have a piece written, in its turn."""
        try:
            self._queue.put_nowait(text)
        except queue.Full:
            return 0
        return len(text)

    def flush(self) -> None:
        """The thread does that after each piece."""

    def close(self) -> None:
        """Wait, bounded, for what is to be written yet."""
        try:
            self._queue.put(None, timeout=LAST_WAIT)
        except queue.Full:
            return
        self._thread.join(LAST_WAIT)

    def _run(self) -> None:
        while (text := self._queue.get()) is not None:
            try:
                self._out.write(text)
                self._out.flush()
            except (OSError, ValueError):
                return
