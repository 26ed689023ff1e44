"""One setting of the gateway: what it is called in each place, and which values it takes."""

import difflib
import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

PREFIX: Final = "ONE_MCP_"
"""What the name of every variable that is a setting begins with."""

_MOST: Final = 2**53
"""Above this a float no longer tells whole numbers apart."""
_SHOWN: Final = 60
_SIZE: Final = re.compile(r"[0-9]{1,15}[kmgKMG]")
_UNITS: Final = {"k": 1024, "m": 1024**2, "g": 1024**3}
_BOOLEANS: Final = {
    **dict.fromkeys(("true", "1", "yes", "on"), True),
    **dict.fromkeys(("false", "0", "no", "off"), False),
}


class Kind(StrEnum):
    """What a setting's value is."""

    BOOLEAN = "true or false"
    INTEGER = "a whole number"
    MILLISECONDS = "a number of milliseconds"
    FRACTION = "a number"
    TEXT = "a text"
    NAME = "a name of letters, digits, - and _"
    PATH = "a path"
    URL = "a URL that begins with http:// or https://"
    LIST = "a list of texts"
    SECRET = "a secret"  # noqa: S105 - no secret but its name
    CHOICE = "one of a few words"


_PATTERNS: Final = {
    Kind.URL: re.compile(
        r"https?://[^\s/?#@]+(?:/[^\s?#]*)?"
    ),  # of a place: without a user, a query and a fragment
    Kind.NAME: re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]*"),
}
_NUMBERS: Final = frozenset({Kind.INTEGER, Kind.MILLISECONDS, Kind.FRACTION})


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """A row of the table of settings."""

    name: str
    """The attribute of `Settings`; variable and flag follow from it."""
    kind: Kind
    default: object
    help: str
    """One sentence, in lower case and without a full stop, as option lists have it."""
    key: str = ""
    """The place in the configuration file, dotted; empty if it cannot stand there."""
    former: tuple[str, ...] = ()
    """Keys that it had in earlier versions: they count where `key` is not there, with a notice, for a minor version."""
    short: str = ""
    """A one-letter flag."""
    choices: tuple[str, ...] = ()
    low: float = 0
    high: float = _MOST
    unit: str = ""
    reloadable: bool = False
    """Whether a new value counts without a restart."""
    secret: bool = False
    """Never a flag (others on the machine can read those), never shown."""

    @property
    def variable(self) -> str:
        """The environment variable, as `ONE_MCP_PORT`."""
        return PREFIX + self.name.upper()

    @property
    def flag(self) -> str:
        """The long option, as `--port`; empty for a secret."""
        return "" if self.secret else "--" + self.name.replace("_", "-")

    @property
    def accepts(self) -> str:
        """What it takes, for a person."""
        if self.kind is Kind.CHOICE:
            return "one of " + ", ".join(self.choices)
        if self.kind in _NUMBERS:
            bounds = (
                f" from {_plain(self.low)}"
                if self.high == _MOST
                else f" from {_plain(self.low)} to {_plain(self.high)}"
            )
            sizes = ", or one of units as 10m" if self.unit == "bytes" else ""
            return self.kind + bounds + sizes
        return "a text that is not empty" if self.kind is Kind.TEXT else self.kind

    def from_text(self, text: str) -> object:
        """The value that a variable or an option means; lists are separated by commas.

        Raises:
            ValueError: it means none.
        """
        text = text.strip()
        if self._is_size(text):
            return self._bounded(_size(text))
        if self.kind is Kind.BOOLEAN:
            if text.lower() not in _BOOLEANS:
                raise ValueError
            return _BOOLEANS[text.lower()]
        if self.kind is Kind.INTEGER:
            return self._bounded(int(text) if text.isascii() and "_" not in text else None)
        if self.kind in (Kind.MILLISECONDS, Kind.FRACTION):
            return self._bounded(float(text) if text.isascii() and "_" not in text else None)
        if self.kind is Kind.LIST:
            return tuple(part for item in text.split(",") if (part := item.strip()))
        return self._worded(text)

    def from_value(self, value: object) -> object:
        """The value that a value of the configuration file means.

        Raises:
            ValueError: it is of another type, or none that the setting takes.
        """
        if self.kind is Kind.BOOLEAN:
            if not isinstance(value, bool):
                raise ValueError
            return value
        if isinstance(value, str) and self._is_size(value):
            return self._bounded(_size(value))
        if self.kind in _NUMBERS:
            return self._bounded(value)
        if self.kind is Kind.LIST:
            if not isinstance(value, list | tuple) or not all(isinstance(item, str) for item in value):
                raise ValueError
            return tuple(value)
        return self._worded(value)

    def refusal(self, value: object) -> str:
        """The sentence for a value that it does not take."""
        if self.secret:
            return "the value is not allowed"
        shown = value if isinstance(value, str) and value.isalnum() else json.dumps(value, default=str)
        short = shown if len(shown) <= _SHOWN else shown[:_SHOWN] + "..."
        return f"{short} is not {self.accepts}"

    def _is_size(self, text: str) -> bool:
        """Whether it is a number of bytes with a unit behind it."""
        return self.unit == "bytes" and _SIZE.fullmatch(text) is not None

    def _bounded(self, value: object) -> int | float:
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise ValueError  # noqa: TRY004 - what callers catch; the type is one of the things that can be wrong
        if not self.low <= value <= self.high:
            raise ValueError
        if self.kind is not Kind.INTEGER:
            return float(value)
        if value != int(value):
            raise ValueError
        return int(value)

    def _worded(self, value: object) -> str:
        if not isinstance(value, str) or not value.isprintable():
            raise ValueError
        if self.kind is Kind.CHOICE and value.lower() not in self.choices:
            raise ValueError
        if not value and self.kind is Kind.TEXT:
            raise ValueError
        pattern = _PATTERNS.get(self.kind)
        if pattern is not None and value and not pattern.fullmatch(value):
            raise ValueError
        return value.lower() if self.kind is Kind.CHOICE else value


def _size(text: str) -> int:
    """The bytes that a text like `10m` means."""
    return int(text[:-1]) * _UNITS[text[-1].lower()]


def nearest(word: str, words: Iterable[str]) -> str:
    """The word that was probably meant; empty if none comes near."""
    by_lower = {candidate.lower(): candidate for candidate in words}
    found = difflib.get_close_matches(word.lower(), by_lower, n=3, cutoff=0.61)
    swapped = [candidate for candidate in found if sorted(candidate) == sorted(word.lower())]
    return by_lower[(swapped or found)[0]] if found else ""


def _plain(number: float) -> str:
    """As people write it: 1000000, 0.5."""
    return str(int(number)) if number == int(number) else str(number)
