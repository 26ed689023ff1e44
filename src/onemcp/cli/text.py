"""Text for a terminal: tables, safe characters, and colours where a person looks on."""

import os
import shutil
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from typing import Final, TextIO

Style = Callable[[str], str]

_ELLIPSIS: Final = "..."
_KEPT: Final = frozenset("\n\t")
_REORDERING: Final = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
"""Marks that make a line read differently from what it says (bidirectional overrides and isolates)."""
_COLOURS: Final = {
    "ready": "32",
    "failed": "31",
    "backoff": "33",
    "awaiting_auth": "33",
    "connecting": "2",
    "disabled": "2",
}


def plain(text: str) -> str:
    """The text without control characters: what a server wrote must not steer the terminal."""
    if text.isprintable():
        return text
    return "".join(_harmless(char) for char in text.replace("\r\n", "\n"))


def _harmless(char: str) -> str:
    if char in _KEPT or (unicodedata.category(char) not in ("Cc", "Cs") and char not in _REORDERING):
        return char
    return "\N{REPLACEMENT CHARACTER}"


def one_line(text: str, limit: int = 0) -> str:
    """The first line that is not empty, blanks collapsed, at most `limit` columns wide (0: any width)."""
    first = next((line for line in plain(text).splitlines() if line.strip()), "")
    line = " ".join(first.split())
    if limit and width(line) > limit:
        while line and width(line) + len(_ELLIPSIS) > limit:
            line = line[:-1]
        return line.rstrip() + _ELLIPSIS
    return line


def width(text: str) -> int:
    """How many columns a terminal needs for the text."""
    if text.isascii():
        return len(text)
    return sum(_columns(char) for char in text)


def _columns(char: str) -> int:
    if unicodedata.combining(char):
        return 0
    return 2 if unicodedata.east_asian_width(char) in ("W", "F") else 1


def table(
    rows: Sequence[Sequence[str]], *, indent: int = 0, styles: Mapping[int, Style] | None = None
) -> str:
    """The rows in aligned columns, numbers to the right, no blanks at the end of a line.

    `styles` colours the cells of a column after they have their width.
    """
    widths = [max(map(width, column)) for column in zip(*rows, strict=True)]
    return "\n".join(" " * indent + _line(row, widths, styles or {}) for row in rows)


def _line(row: Sequence[str], widths: Sequence[int], styles: Mapping[int, Style]) -> str:
    last = max((index for index, cell in enumerate(row) if cell), default=-1)
    cells = []
    for index, cell in enumerate(row[: last + 1]):
        blanks = " " * (widths[index] - width(cell))
        if index == last and not cell.isdigit():
            blanks = ""
        padded = blanks + cell if cell.isdigit() else cell + blanks
        cells.append(styles[index](padded) if index in styles else padded)
    return "  ".join(cells)


def room(stream: TextIO) -> int:
    """The columns of the terminal behind the stream; 0 where there is none, so that nothing is cut for a file."""
    return shutil.get_terminal_size().columns if stream.isatty() else 0


def state_style(stream: TextIO, environ: Mapping[str, str] = os.environ) -> Style:
    """Colours a state by what it means; on a terminal only, and not where NO_COLOR (no-color.org) is set."""
    if not stream.isatty() or environ.get("NO_COLOR") or environ.get("TERM") == "dumb":
        return str
    return _coloured


def _coloured(cell: str) -> str:
    colour = _COLOURS.get(cell.strip())
    return f"\x1b[{colour}m{cell}\x1b[0m" if colour else cell
