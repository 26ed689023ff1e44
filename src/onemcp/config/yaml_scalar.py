"""What a plain scalar of YAML means: the core schema of YAML 1.2 (§10.3.2), and nothing of YAML 1.1.

So `no`, `off`, `y`, `1_000`, `1:30` and `2025-06-18` are strings. Two things are left out, since they do not mean
the same to every program or cannot be handed on: whole numbers that begin with 0 (octal in YAML 1.1), and numbers
that JSON does not have.
"""

import re
from math import isinf
from typing import Final

from onemcp.errors import ConfigError, Problem

_WORDS: Final[dict[str, bool | None]] = {
    "": None,
    "~": None,
    **dict.fromkeys(("null", "Null", "NULL")),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}
_WHOLE: Final = re.compile(r"[-+]?[0-9]+")
_BEGINS_WITH_0: Final = re.compile(r"[-+]?0[0-9]")
_BASED: Final = re.compile(r"0o[0-7]+|0x[0-9a-fA-F]+")
_FLOAT: Final = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")
_NO_NUMBER: Final = re.compile(r"[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)")
_BEGINS: Final = frozenset("+-.0123456789")
_LARGEST: Final = 10**4300
"""From here on Python does not write a whole number in decimal digits."""


def meaning(text: str) -> str | int | float | bool | None:
    """The value of a plain scalar.

    Raises:
        ConfigError: it is a number that is not taken. It has no place.
    """
    if text in _WORDS:
        return _WORDS[text]
    if text[0] not in _BEGINS:
        return text
    if _WHOLE.fullmatch(text):
        return _whole(text)
    if _BASED.fullmatch(text):
        return _bounded(int(text, 0))
    if _FLOAT.fullmatch(text):
        return _bounded(float(text))
    if _NO_NUMBER.fullmatch(text):
        raise ConfigError(Problem(f"{text} is no number that JSON has", "text stands in quotes"))
    return text


def _whole(text: str) -> int:
    if _BEGINS_WITH_0.match(text):
        what = "a number that begins with 0 is octal to some programs and decimal to others"
        fix = "put it in quotes if it is text, else leave the 0 out, or write 0o if it is octal"
        raise ConfigError(Problem(what, fix))
    try:
        return int(text)
    except ValueError:  # more digits than Python reads
        return int(_bounded(float("inf")))


def _bounded(number: float) -> int | float:
    if abs(number) >= _LARGEST if isinstance(number, int) else isinf(number):
        raise ConfigError(Problem("the number is too large"))
    return number
