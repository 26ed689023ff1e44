"""Whose answer it was that was too long to keep.

A line over the limit is dropped as it arrives, so its id can only be read where it stands at either end of the
message: before the result, as most write it, or as the very last member.
"""

from typing import Final

_HEAD: Final = 1024
_TAIL: Final = 64
_ID: Final = b'"id"'
_OTHERS: Final = (b'"result"', b'"error"', b'"params"', b'"method"')


class Oversized:
    """Follows a byte stream beside its splitter, in constant memory, and tells whose the lines over `limit` were."""

    def __init__(self, limit: int) -> None:
        self.length = 0
        """Bytes of the line that is on its way in."""
        self._limit = limit
        self._head = b""
        self._tail = b""

    def feed(self, data: bytes) -> list[int | None]:
        """The ids of the lines over the limit that end in `data`; None where an id could not be read."""
        if not self.length and data.endswith(b"\n") and len(data) <= self._limit:
            return []  # The usual chunk is whole lines.
        owners: list[int | None] = []
        *complete, rest = data.split(b"\n")
        for piece in complete:
            self._add(piece)
            if self.length > self._limit:
                owners.append(id_at_start(self._head) or id_at_end(self._tail))
            self.length = 0
            self._head = self._tail = b""
        self._add(rest)
        return owners

    def _add(self, piece: bytes) -> None:
        self.length += len(piece)
        if len(self._head) < _HEAD:
            self._head = (self._head + piece[:_HEAD])[:_HEAD]
        self._tail = (self._tail + piece[-_TAIL:])[-_TAIL:]


def id_at_start(head: bytes) -> int | None:
    """The id of a message, if it is an integer and stands before every member that may hold another "id"."""
    at = head.find(_ID)
    if at < 0 or any(0 <= other < at for other in map(head.find, _OTHERS)):
        return None
    value, comma, _ = head[at + len(_ID) :].partition(b",")
    return _integer(value) if comma else None


def id_at_end(tail: bytes) -> int | None:
    """The id of a message, if it is an integer and the last member: the one brace after it closes the message."""
    at = tail.rfind(_ID)
    if at < 0 or not tail.rstrip().endswith(b"}"):
        return None
    return _integer(tail[at + len(_ID) :].rstrip()[:-1])


def _integer(value: bytes) -> int | None:
    """The integer after a colon."""
    value = value.strip()
    digits = value[1:].strip()
    return int(digits) if value[:1] == b":" and digits.isdigit() and len(digits) < 20 else None
