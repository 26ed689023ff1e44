"""Messages on a byte stream, one a line (the stdio transport), cut out of chunks that break anywhere."""


class LineSplitter:
    """Cuts a byte stream into lines; remembers at most `limit` bytes of a line that is not complete yet.

    A line of more than `limit` bytes is dropped as it arrives and counted in `oversized`; the next line is whole
    again. The work is linear in the bytes fed, however they are cut.
    """

    def __init__(self, limit: int) -> None:
        self.oversized = 0
        self._limit = limit
        self._pending = bytearray()
        self._dropping = False

    def feed(self, data: bytes) -> list[bytes]:
        """The lines that end in `data`, without their LF or CRLF; empty ones are left out."""
        end = data.find(b"\n")
        if end == len(data) - 1 and end > 0 and not self._pending and not self._dropping:
            return self._kept(data[:end])  # The usual chunk is one line, whole.
        *lines, rest = data.split(b"\n")
        complete: list[bytes] = []
        for line in lines:
            complete += self._joined(line)
        self._hold(rest)
        return complete

    def finish(self) -> bytes:
        """What came after the last line end, once the stream is over; empty if it was too long."""
        return b"".join(self._joined(b""))

    def _joined(self, tail: bytes) -> list[bytes]:
        """The line that ends with `tail`, together with what was held of it."""
        if self._dropping:
            self._dropping = False
            return []
        if not self._pending:
            return self._kept(tail)
        self._pending += tail
        line = bytes(self._pending)
        self._pending = bytearray()
        return self._kept(line)

    def _kept(self, line: bytes) -> list[bytes]:
        if line.endswith(b"\r"):
            line = line[:-1]
        if len(line) > self._limit:
            self.oversized += 1
            return []
        return [line] if line else []

    def _hold(self, rest: bytes) -> None:
        if self._dropping:
            return
        if len(self._pending) + len(rest) > self._limit + 1:  # One more than a line may have: its CR.
            self.oversized += 1
            self._dropping = True
            self._pending = bytearray()
        else:
            self._pending += rest
