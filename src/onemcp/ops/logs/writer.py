"""Writing the log: a bounded queue and one thread, so that a pipe nobody reads or a full disk holds up nobody.

What cannot be queued or written is counted, and told in a line of its own once lines get through again.
"""

import threading
import time
from collections import deque
from typing import Final, Protocol

from onemcp.ops.logs.entry import Entry
from onemcp.ops.logs.format import Format

MAX_LINES: Final = 10_000
MAX_CHARACTERS: Final = 4 * 1024 * 1024
"""Of messages and tracebacks that wait to be written."""
LAST_WAIT: Final = 2.0
"""Seconds that the last lines have at the end."""

_logger = "onemcp.log"


class Sink(Protocol):
    """Where lines go. Only the writer's thread uses it, but for `give_up`."""

    def write(self, line: bytes) -> None:
        """Write one line, its end included.

        Raises:
            OSError: nothing of it stands there, or not all of it.
        """

    def reopen(self) -> None:
        """Begin anew under the same name, if there is one.

        Raises:
            OSError: that cannot be done.
        """

    def complaint(self) -> str:
        """What is wrong although lines are written, said once; empty for nothing."""

    def give_up(self) -> None:
        """Wait for nobody any more; from any thread."""

    def close(self) -> None:
        """Let go of it."""


class LogWriter:
    """Brings entries into their form and to the sink, in order. `put` may be called from any thread and never waits."""

    def __init__(self, sink: Sink, form: Format) -> None:
        self._sink = sink
        self._form = form
        self._queue: deque[Entry] = deque()
        self._held = 0
        self._changed = threading.Condition(threading.Lock())
        self._is_closing = False
        self._wants_reopening = False
        self._untold = 0
        self._why = ""
        self.lost = 0
        """Lines that were not written since the start."""
        self._thread = threading.Thread(target=self._run, name="log", daemon=True)
        self._thread.start()

    def put(self, entry: Entry) -> None:
        """Have an entry written, or counted if too many wait already."""
        size = _size(entry)
        with self._changed:
            if len(self._queue) >= MAX_LINES or self._held + size > MAX_CHARACTERS:
                self._lose("they came faster than they could be written")
                return
            self._queue.append(entry)
            self._held += size
            if len(self._queue) == 1:
                self._changed.notify()

    def reopen(self) -> None:
        """Have the sink begin anew (a log file that was moved away)."""
        with self._changed:
            self._wants_reopening = True
            self._changed.notify()

    def close(self, timeout: float = LAST_WAIT) -> None:
        """Write what waits, within the time, and end."""
        with self._changed:
            self._is_closing = True
            self._changed.notify()
        self._thread.join(timeout)
        if self._thread.is_alive():
            self._sink.give_up()
            self._thread.join(0.1)

    def _lose(self, why: str) -> None:
        self.lost += 1
        self._untold += 1
        self._why = why

    def _run(self) -> None:
        while True:
            with self._changed:
                while not (self._queue or self._is_closing or self._wants_reopening):
                    self._changed.wait()
                reopens, self._wants_reopening = self._wants_reopening, False
                entry = self._queue.popleft() if self._queue else None
                if entry is not None:
                    self._held -= _size(entry)
                elif self._is_closing:
                    break
            if reopens:
                self._reopen()
            if entry is not None:
                self._tell_losses()
                self._write(entry)
                self._tell_complaint()
        self._tell_losses()
        self._sink.close()

    def _reopen(self) -> None:
        try:
            self._sink.reopen()
        except OSError as error:
            self._why = f"the log cannot be opened anew: {error.strerror or error}"

    def _write(self, entry: Entry) -> None:
        try:
            self._sink.write(self._form(entry))
        except OSError as error:
            self._fail(error.strerror or str(error))
        except Exception as error:  # noqa: BLE001 - a defect of ours must cost one line, not the log
            self._fail(f"a line had no form: {error!r}")

    def _fail(self, why: str) -> None:
        with self._changed:
            self._lose(why)

    def _tell_complaint(self) -> None:
        what = self._sink.complaint()
        if what:
            self._write(Entry(time.time(), "warn", _logger, what, "", {}))

    def _tell_losses(self) -> None:
        """Tell what was lost, as soon as that can be written."""
        with self._changed:
            untold, why = self._untold, self._why
        if not untold:
            return
        what = f"{untold} line{'s' if untold > 1 else ''} of the log were lost: {why}"
        line = self._form(Entry(time.time(), "warn", _logger, what, "", {}))
        try:
            self._sink.write(line)
        except OSError:
            return
        with self._changed:
            self._untold -= untold


def _size(entry: Entry) -> int:
    return len(entry.message) + (len(entry.fault.stack) if entry.fault is not None else 0) + 200
