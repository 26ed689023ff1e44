"""The lines of a text: which line and column an offset is."""

import re
from bisect import bisect_right
from typing import Final

BOM: Final = "\ufeff"
_END: Final = re.compile(r"\r\n|\r|\n")


class Lines:
    """Lines end at LF, CR or both; a byte order mark in front is no column of the first."""

    def __init__(self, text: str) -> None:
        start = 1 if text.startswith(BOM) else 0
        self._starts = [start, *(match.end() for match in _END.finditer(text))]

    def place(self, pos: int) -> tuple[int, int]:
        """Line and column, from 1, in characters."""
        line = max(1, bisect_right(self._starts, pos))
        return line, max(1, pos - self._starts[line - 1] + 1)
