"""What stands between the values of JSON with comments: blanks, comments, and a comma at most."""

import re
from dataclasses import dataclass, field
from typing import Final

NEWLINE: Final = re.compile(r"\r\n|\r|\n")
_TOKEN: Final = re.compile(r"(?P<comma>,)|(?P<line>//[^\r\n]*)|/\*.*?\*/", re.DOTALL)
_BLANKS: Final = re.compile(r"[ \t\r\n]*")
_INDENT: Final = re.compile(r"[ \t]*")


@dataclass(frozen=True, slots=True)
class Comment:
    """Where one stands; `is_line` if the end of its line ends it."""

    start: int
    end: int
    is_line: bool


@dataclass(frozen=True, slots=True)
class Gap:
    """What stands from `start` to `end`, where no value does."""

    text: str = field(repr=False)
    start: int
    end: int
    comma: int | None
    """Where the comma is."""
    comments: tuple[Comment, ...]

    @property
    def after_comma(self) -> int:
        """Where what follows the comma begins; the start, if there is none."""
        return self.start if self.comma is None else self.comma + 1

    def on_line(self) -> tuple[Comment, ...]:
        """The comments behind the comma (or the start) that begin on its line."""
        found: list[Comment] = []
        pos = self.after_comma
        for comment in self.comments:
            if comment.start < pos:
                continue
            if breaks(self.text, pos, comment.start):
                break
            found.append(comment)
            pos = comment.end
        return tuple(found)


def gap(text: str, start: int, end: int) -> Gap:
    """The gap between two offsets."""
    comma: int | None = None
    comments: list[Comment] = []
    for match in _TOKEN.finditer(text, start, end):
        if match["comma"]:
            comma = match.start()
        else:
            comments.append(Comment(match.start(), match.end(), match["line"] is not None))
    return Gap(text, start, end, comma, tuple(comments))


def breaks(text: str, start: int, end: int) -> int:
    """How many lines end between two offsets."""
    return len(NEWLINE.findall(text, start, end))


def after_blanks(text: str, pos: int) -> int:
    """The next offset where something stands."""
    match = _BLANKS.match(text, pos)
    assert match is not None  # the pattern matches nothing too
    return match.end()


def indent_of(text: str, pos: int) -> str:
    """The blanks that the line of an offset begins with."""
    match = _INDENT.match(text, _line_start(text, pos))
    assert match is not None  # the pattern matches nothing too
    return match[0]


def begins_line(text: str, pos: int) -> bool:
    """Whether nothing but blanks stands before it on its line."""
    return not text[_line_start(text, pos) : pos].strip(" \t\ufeff")


def _line_start(text: str, pos: int) -> int:
    start = max(text.rfind("\n", 0, pos), text.rfind("\r", 0, pos)) + 1
    return start + 1 if text.startswith("\ufeff", start) else start
