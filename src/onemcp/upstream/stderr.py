"""What a child writes on its stderr: always drained, never kept whole."""

from collections import deque
from collections.abc import Callable
from typing import Final

LINE_LIMIT: Final = 8192
"""Bytes of a line that are kept."""
RING_LINES: Final = 100
RING_BYTES: Final = 64 * 1024
RATE: Final = 20.0
"""Lines a second that are passed on in the long run."""
BURST: Final = 100


class StderrTail:
    """The last lines of a stream, and a trickle of it for the log.

    Holds at most RING_LINES lines and RING_BYTES bytes whatever is fed. `on_line` gets at most BURST lines at once
    and RATE a second; what it does not get is counted and told in the next line that it does get. `clock` gives
    seconds that only grow.
    """

    def __init__(self, on_line: Callable[[str], None] | None, clock: Callable[[], float]) -> None:
        self._on_line = on_line
        self._clock = clock
        self._ring: deque[bytes] = deque()
        self._held = 0
        self._rest = b""
        self._tokens = float(BURST)
        self._filled_at = clock()
        self._left_out = 0

    @property
    def lines(self) -> list[str]:
        """The last lines, oldest first; what is no UTF-8 is replaced."""
        kept = [*self._ring, self._rest] if self._rest.strip() else self._ring
        return [_text(line) for line in kept]

    @property
    def last_words(self) -> str:
        """The last line that is not blank, cut to 200 characters; empty if there is none."""
        return next((line[:200] for line in reversed(self.lines)), "")

    def feed(self, data: bytes) -> None:
        """Take in what was written."""
        *lines, rest = (self._rest + data).split(b"\n")
        self._rest = rest[:LINE_LIMIT]
        if lines:
            self._keep([line for line in lines[-RING_LINES:] if line.strip()])
            self._pass_on(lines)

    def close(self) -> None:
        """The stream is over: the rest is a line, and what was left out is told."""
        if self._rest:
            self.feed(b"\n")
        if self._left_out:
            self._tell_left_out()

    def _keep(self, lines: list[bytes]) -> None:
        for line in lines:
            self._ring.append(line[:LINE_LIMIT])
            self._held += len(self._ring[-1])
        while len(self._ring) > RING_LINES or self._held > RING_BYTES:
            self._held -= len(self._ring.popleft())

    def _pass_on(self, lines: list[bytes]) -> None:
        if self._on_line is None:
            return
        now = self._clock()
        self._tokens = min(BURST, self._tokens + (now - self._filled_at) * RATE)
        self._filled_at = now
        fitting = int(self._tokens)
        if self._left_out and fitting > 1:
            self._tell_left_out()
        passed = 0
        for line in lines:
            if passed == fitting:
                self._left_out += len(lines) - passed
                break
            passed += 1
            if line.strip():
                self._on_line(_text(line))
        self._tokens -= passed

    def _tell_left_out(self) -> None:
        assert self._on_line is not None  # only what would have been passed on is left out
        self._on_line(f"({self._left_out} lines left out)")
        self._left_out = 0


def _text(line: bytes) -> str:
    return line[:LINE_LIMIT].decode("utf-8", "replace").rstrip()
