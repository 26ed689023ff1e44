"""Where the log goes: a descriptor as it is (standard error), or a file that is put aside when it is full."""

import errno
import os
import select
import stat
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

_POLL: Final = 200
"""Milliseconds between two looks whether anybody still wants a line to be written."""
_MODE: Final = 0o640
FIRST_PAUSE: Final = 1.0
LONGEST_PAUSE: Final = 300.0
"""Seconds until a file that could not be put aside is tried again; the pause doubles from the first to the longest."""


class StreamSink:
    """A descriptor that somebody else opened and closes."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._is_given_up = False
        self._is_torn = False

    def write(self, line: bytes) -> None:
        """See `Sink.write`. Waits for whoever reads."""
        if self._is_torn:
            line = b"\n" + line
        written = 0
        while written < len(line):
            try:
                written += os.write(self._descriptor, line[written:])
            except BlockingIOError:  # somebody who has the same pipe or terminal open made it so
                self._wait()
            except OSError:
                self._is_torn = written > 0 or self._is_torn
                raise
        self._is_torn = False

    def _wait(self) -> None:
        if self._is_given_up:
            raise TimeoutError(0, "nobody reads them")
        poll = select.poll()
        poll.register(self._descriptor, select.POLLOUT)
        poll.poll(_POLL)

    def reopen(self) -> None:
        """There is nothing to open."""

    def complaint(self) -> str:
        """There is nothing to complain of."""
        return ""

    def give_up(self) -> None:
        """See `Sink.give_up`."""
        self._is_given_up = True

    def close(self) -> None:
        """It is not ours."""


class FileSink:
    """A file that is put aside when a line would make it larger than `max_size` bytes; with 0 it only grows.

    It becomes `<name>.1`, that one `<name>.2`, and so on; `max_files` are kept, the present one among them. One that
    cannot be put aside grows on, and that is tried again after a pause. `clock` gives seconds that only grow.
    """

    def __init__(
        self, path: Path, max_size: int, max_files: int, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """Open it.

        Raises:
            OSError: it cannot be opened for writing.
        """
        self._path = path
        self._max_size = max_size
        self._max_files = max_files
        self._clock = clock
        self._pause = 0.0
        self._not_before = 0.0
        self._complaint = ""
        self._descriptor = -1
        self._size = 0
        self._open()

    def write(self, line: bytes) -> None:
        """See `Sink.write`. A line that could not be written as a whole is taken back."""
        if self._descriptor < 0:
            self._open()
        if self._max_size and self._size and self._size + len(line) > self._max_size:
            self._rotate(self._clock())
        written = 0
        try:
            while written < len(line):
                written += os.write(self._descriptor, line[written:])
        except OSError:
            if written:
                os.ftruncate(self._descriptor, self._size)
            raise
        self._size += written

    def complaint(self) -> str:
        """See `Sink.complaint`."""
        told, self._complaint = self._complaint, ""
        return told

    def reopen(self) -> None:
        """Open the name again: whoever rotates logs has given the file another one."""
        self.close()
        self._open()

    def give_up(self) -> None:
        """A file waits for nobody."""

    def close(self) -> None:
        """See `Sink.close`."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def _open(self) -> None:
        # What has come to stand there meanwhile, such as a pipe, must not make anybody wait.
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY
        descriptor = os.open(self._path, flags, _MODE)
        facts = os.fstat(descriptor)
        if not (stat.S_ISREG(facts.st_mode) or stat.S_ISCHR(facts.st_mode)):
            os.close(descriptor)
            raise OSError(errno.EINVAL, "is no file any more")
        self._descriptor, self._size = descriptor, facts.st_size

    def _rotate(self, now: float) -> None:
        """Put the file aside and begin a new one; where that cannot be done, not before a pause has passed."""
        if now < self._not_before or self._path.is_symlink() or not self._path.is_file():
            return  # a link stands for something else, which is not ours to rename
        try:
            self._put_aside()
        except OSError as error:
            if not self._pause:
                why = error.strerror or str(error)
                self._complaint = f"the log file cannot be put aside and grows on: {why}; it is tried again"
            self._pause = min(LONGEST_PAUSE, self._pause * 2 or FIRST_PAUSE)
            self._not_before = now + self._pause
            return
        self._pause = 0.0
        self.close()
        self._open()

    def _put_aside(self) -> None:
        if self._max_files > 1:
            for number in range(self._max_files - 1, 0, -1):
                older = self._numbered(number - 1)
                if older.exists():
                    older.replace(self._numbered(number))
        else:
            self._path.unlink(missing_ok=True)

    def _numbered(self, number: int) -> Path:
        return self._path.with_name(f"{self._path.name}.{number}") if number else self._path
