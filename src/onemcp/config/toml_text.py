"""TOML, read with the position of every value.

What it means is read by the standard library, which tells no positions; where things stand is found by
`toml_places.py`. A value stands where it is written; a table that a header or a dotted key makes, where it is named
first; the document at its beginning.
"""

import re
from datetime import date, datetime, time
from math import isfinite
from typing import Any, Final

from onemcp.config.lines import BOM, Lines
from onemcp.config.node import Member, Node, Value
from onemcp.config.toml_places import Place, Places
from onemcp.errors import ConfigError, Problem

_HALF: Final = re.compile("[\ud800-\udfff]")
_SAID: Final = re.compile(
    r"(?P<what>.*) \(at (?:line (?P<line>\d+), column (?P<column>\d+)|end of document)\)", re.DOTALL
)
_LARGEST: Final = 10**4300
"""From here on Python does not write a whole number in decimal digits."""
_OWN: Final = (
    ("Invalid value", "this is no value", "text stands in double quotes; there is no null in TOML"),
    ("Invalid statement", "expected a key, or the name of a table in [ ]", ""),
    ("Expected '='", "expected = after the key", ""),
    ("Expected ']", "the name of the table does not end, ] is missing", ""),
    (
        "Invalid initial",
        "expected a key",
        "a key with more than letters, digits, - and _ in it stands in quotes",
    ),
    ("Escaped character", "the escape is no character", "a character beyond U+FFFF is written as it is"),
    ("Expected newline", "expected the end of the line", "each key stands on its own line"),
    (
        "Unescaped '\\'",
        "this is no escape",
        "a backslash itself is written \\\\, or the text stands in single quotes",
    ),
    ("Unterminated string", "the string does not end", ""),
    ("Illegal character '\\n'", "the string does not end on its line", ""),
    ("Expected \"'", "the string does not end", ""),
    ("Expected '\"", "the string does not end", ""),
    ("Unclosed array", "expected , or ] in the array", ""),
    ("Unclosed inline table", "expected , or } in the inline table", ""),
    ("Cannot declare", "the table is here a second time, or its name has a value already", "keep one"),
    ("Cannot overwrite", "the key is here a second time", "keep one"),
    (
        "Cannot redefine",
        "the key leads into a table that has a header of its own",
        "write it below that header",
    ),
    ("Cannot mutate", "nothing can be added to a value that is written whole", ""),
)
"""What the library says, and how it is said here; it says nothing else that people come across."""


def scan(text: str, file: str = "") -> tuple[Node, tuple[Problem, ...]]:
    """Read a text; what is wrong with single values is told beside the tree.

    These are dates and times (their nodes have them as they are written) and numbers that JSON does not have (null).

    Raises:
        ConfigError: it is not TOML (one problem); a repeated key is such a fault too.
    """
    half = _HALF.search(text)
    if half is not None:
        raise ConfigError(Problem("half of a surrogate pair", "", file, *Lines(text).place(half.start())))
    places = Places(text, file)
    data = _read(text, file, places)
    tree = _Tree(text, file)
    return tree.node(data, places.root, ""), tuple(tree.problems)


def _read(text: str, file: str, places: Places) -> dict[str, Any]:
    import tomllib  # noqa: PLC0415 - few have their configuration in TOML

    try:
        return tomllib.loads(text.removeprefix(BOM))
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(_told(str(error), text, file, places)) from error
    except ValueError as error:  # of int(), which has a limit
        raise ConfigError(places.too_long or Problem("a number is too large", "", file)) from error
    except RecursionError as error:
        raise ConfigError(Problem("nested too deep", "", file)) from error


def _told(said: str, text: str, file: str, places: Places) -> Problem:
    found = _SAID.fullmatch(said)
    what = found["what"] if found else said
    line, column = Lines(text).place(len(text))
    if found and found["line"]:
        line, column = int(found["line"]), int(found["column"])
    again = places.repeated
    if again is not None and again.line <= line and what.startswith(("Cannot overwrite", "Duplicate")):
        return again
    for words, own, fix in _OWN:
        if what.startswith(words):
            return Problem(own, fix, file, line, column)
    return Problem(f"this is no TOML: {what[:1].lower()}{what[1:]}", "", file, line, column)


class _Tree:
    """The nodes of what was read, each at its place, or at that of what it is in if its own was not found."""

    def __init__(self, text: str, file: str) -> None:
        self._text, self._file = text, file
        self._lines = Lines(text)
        self.problems: list[Problem] = []

    def node(self, value: Any, place: Place, key: str) -> Node:
        """A value under its key."""
        made: Value
        if isinstance(value, dict):
            made = {name: self._member(name, inner, place) for name, inner in value.items()}
        elif isinstance(value, list):
            places = place.items if len(place.items) == len(value) else [place] * len(value)
            made = [self.node(inner, at, key) for inner, at in zip(value, places, strict=True)]
        else:
            made = self._scalar(value, place, key)
        return self._node(made, place.start, place.end)

    def _member(self, name: str, value: Any, place: Place) -> Member:
        named = place.members.get(name)
        if named is None:
            return Member(self._node(name, place.start, place.end), self.node(value, place, name))
        return Member(self._node(name, named.start, named.end), self.node(value, named.place, name))

    def _scalar(self, value: Any, place: Place, key: str) -> Value:
        if isinstance(value, (datetime, date, time)):
            self._tell(place, key, "a date or time is no value here", "write it as a string")
            return self._text[place.start : place.end]
        if isinstance(value, float) and not isfinite(value):
            written = self._text[place.start : place.end]
            word = written.lstrip("+-") in ("inf", "nan")
            self._tell(
                place, key, f"{written} is no number that JSON has" if word else "the number is too large"
            )
            return None
        if isinstance(value, int) and abs(value) >= _LARGEST:
            self._tell(place, key, "the number is too large")
            return None
        assert isinstance(value, (str, int, float))  # what TOML has besides
        return value

    def _node(self, value: Value, start: int, end: int) -> Node:
        return Node(value, start, end, *self._lines.place(start), self._file)

    def _tell(self, place: Place, key: str, what: str, fix: str = "") -> None:
        self.problems.append(Problem(what, fix, self._file, *self._lines.place(place.start), key))
