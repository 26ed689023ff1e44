"""Where things stand in a TOML text: its keys, values and tables, without what the values mean.

It reads a text that may yet turn out to be no TOML, so it takes more than TOML has, and stops without a word where it
does not understand: the standard library is the judge, and comes after it.
"""

import re
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Final

from onemcp.config.jsonc import MAX_DEPTH
from onemcp.config.lines import BOM, Lines
from onemcp.errors import ConfigError, Problem


@dataclass(slots=True)
class Place:
    """Where a value stands, from `start` to `end`, and what is in it."""

    start: int
    end: int
    depth: int
    members: dict[str, "Named"] = field(default_factory=dict)
    items: list["Place"] = field(default_factory=list)
    is_open: bool = False
    """Whether it is a table or an array of tables that other lines may add to."""


@dataclass(frozen=True, slots=True)
class Named:
    """A member of a table: where its key stands, and its value."""

    start: int
    end: int
    place: Place


_SPACE: Final = re.compile(r"(?:[ \t\r\n]++|#[^\n]*+)*+")
_BLANK: Final = re.compile(r"[ \t]*+")
_BARE: Final = re.compile(r"[A-Za-z0-9_-]++")
_STRING: Final = re.compile(
    r'"""(?:[^"\\]++|\\.|"(?!""))*+"""(?:"{0,2})'
    r"|'''(?:[^']++|'(?!''))*+'''(?:'{0,2})"
    r'|"(?:[^"\\\n]++|\\.)*+"'
    r"|'[^'\n]*+'",
    re.DOTALL,
)
_SCALAR: Final = re.compile(r"\d{4}-\d\d-\d\d \d\d:[^\s,\]}#]*+|[^\s,\[\]{}#=\"']++")
_LONGEST: Final = 4300
"""How many digits a whole number may have that Python reads."""


class _LostError(Exception):
    """What stands here is not understood."""


@dataclass(frozen=True, slots=True)
class _Part:
    """One part of a dotted key."""

    name: str
    start: int
    end: int


class Places:
    """The places of a text; `root` is the whole of it.

    Raises:
        ConfigError: it is nested deeper than other formats may be.
    """

    def __init__(self, text: str, file: str) -> None:
        self._text, self._file = text, file
        self._lines = Lines(text)
        self._pos = 1 if text.startswith(BOM) else 0
        self.root = Place(self._pos, len(text), 0, is_open=True)
        self.repeated: Problem | None = None
        """The first key that has a value twice."""
        self.too_long: Problem | None = None
        """The first number with more digits than can be read."""
        with suppress(_LostError):  # no TOML then, and the library says what is wrong
            self._document()

    def _document(self) -> None:
        table = self.root
        self._skip(_SPACE)
        while self._pos < len(self._text):
            if self._text[self._pos] == "[":
                table = self._header()
            else:
                self._member(table)
            self._skip(_SPACE)

    def _header(self) -> Place:
        start = self._pos
        many = self._text.startswith("[[", start)
        self._pos += 2 if many else 1
        *parents, last = self._key(self.root)
        self._take("]]" if many else "]")
        parent = self._table(self.root, parents)
        known = parent.members.get(last.name)
        if not many:
            if known is None:
                known = self._name(parent, last, self._place(start, parent.depth + 1, is_open=True))
            return _latest(known.place)
        if known is None:
            known = self._name(parent, last, self._place(start, parent.depth + 1, is_open=True))
        table = self._place(start, known.place.depth + 1, is_open=True)
        known.place.items.append(table)
        return table

    def _member(self, table: Place) -> None:
        *parents, last = self._key(table)
        self._take("=")
        self._skip(_BLANK)
        parent = self._table(table, parents)
        value = self._value(parent.depth + 1)
        if (first := parent.members.get(last.name)) is not None and self.repeated is None:
            line, column = self._lines.place(first.start)
            what = f"the key stands here a second time, first at {line}:{column}"
            self.repeated = self._problem(last.start, what, "keep one", last.name)
        self._name(parent, last, value)

    def _table(self, table: Place, parents: list[_Part]) -> Place:
        """The table that the parts of a key lead to; what is not there yet is made where it is named."""
        for part in parents:
            known = table.members.get(part.name)
            if known is None:
                place = Place(part.start, part.end, table.depth + 1, is_open=True)
                known = self._name(table, part, place)
            table = _latest(known.place)
            if not table.is_open:
                raise _LostError
        return table

    def _key(self, table: Place) -> list[_Part]:
        parts: list[_Part] = []
        while True:
            self._skip(_BLANK)
            parts.append(self._part())
            if table.depth + len(parts) > MAX_DEPTH:
                self._too_deep(parts[-1].start)
            self._skip(_BLANK)
            if self._text[self._pos : self._pos + 1] != ".":
                return parts
            self._pos += 1

    def _part(self) -> _Part:
        start = self._pos
        found = _BARE.match(self._text, start) or _STRING.match(self._text, start)
        if found is None:
            raise _LostError
        self._pos = found.end()
        name = found[0]
        if name[0] == "'":
            name = name[1:-1]
        elif name[0] == '"':
            name = _unescaped(name)
        return _Part(name, start, self._pos)

    def _value(self, depth: int) -> Place:
        start = self._pos
        if depth > MAX_DEPTH:
            self._too_deep(start)
        opening = self._text[start : start + 1]
        if opening == "[":
            return self._array(depth)
        if opening == "{":
            return self._inline_table(depth)
        if (found := _STRING.match(self._text, start)) is None:
            found = _SCALAR.match(self._text, start)
            if found is None:
                raise _LostError
            if len(found[0]) > _LONGEST and self.too_long is None:
                self.too_long = self._problem(start, "the number is too large")
        self._pos = found.end()
        return self._place(start, depth)

    def _array(self, depth: int) -> Place:
        place = self._place(self._pos, depth)
        self._pos += 1
        self._skip(_SPACE)
        while not self._text.startswith("]", self._pos):
            place.items.append(self._value(depth + 1))
            self._comma("]")
        self._pos += 1
        place.end = self._pos
        return place

    def _inline_table(self, depth: int) -> Place:
        place = self._place(self._pos, depth, is_open=True)
        self._pos += 1
        self._skip(_SPACE)
        while not self._text.startswith("}", self._pos):
            self._member(place)
            self._comma("}")
        self._pos += 1
        place.end, place.is_open = self._pos, False
        return place

    def _comma(self, closing: str) -> None:
        self._skip(_SPACE)
        if self._text.startswith(",", self._pos):
            self._pos += 1
            self._skip(_SPACE)
        elif not self._text.startswith(closing, self._pos):
            raise _LostError

    def _take(self, words: str) -> None:
        if not self._text.startswith(words, self._pos):
            raise _LostError
        self._pos += len(words)

    def _skip(self, pattern: re.Pattern[str]) -> None:
        found = pattern.match(self._text, self._pos)
        assert found is not None  # the patterns match nothing too
        self._pos = found.end()

    def _name(self, table: Place, part: _Part, place: Place) -> Named:
        named = table.members[part.name] = Named(part.start, part.end, place)
        return named

    def _place(self, start: int, depth: int, *, is_open: bool = False) -> Place:
        if depth > MAX_DEPTH:
            self._too_deep(start)
        return Place(start, self._pos, depth, is_open=is_open)

    def _too_deep(self, pos: int) -> None:
        raise ConfigError(self._problem(pos, f"nested deeper than {MAX_DEPTH} levels"))

    def _problem(self, pos: int, what: str, fix: str = "", key: str = "") -> Problem:
        return Problem(what, fix, self._file, *self._lines.place(pos), key)


def _latest(place: Place) -> Place:
    """The table itself, or the last one of an array of tables."""
    return place.items[-1] if place.is_open and place.items else place


def _unescaped(quoted: str) -> str:
    if "\\" not in quoted:
        return quoted[1:-1]
    import tomllib  # noqa: PLC0415 - few have their configuration in TOML

    try:
        return str(tomllib.loads(f"key = {quoted}")["key"])
    except tomllib.TOMLDecodeError:
        raise _LostError from None
