"""Lengths of time as a person types and reads them: `90s`, `10m`, `2h`, `1d`."""

from typing import Final

_UNITS: Final = {"s": 1, "m": 60, "h": 3600, "d": 86400}


def seconds(text: str) -> float:
    """The seconds that a text means; a number alone is seconds.

    Raises:
        ValueError: it means none, or less than a second.
    """
    number, unit = (text[:-1], _UNITS[text[-1]]) if text[-1:] in _UNITS else (text, 1)
    if not number.replace(".", "", 1).isdigit() or not number.isascii():
        raise ValueError(f"{text[:40]} is no length of time; write 90s, 10m, 2h or 1d")
    value = float(number) * unit
    if value < 1:
        raise ValueError("a length of time is a second or more")
    return value


def shown(value: float) -> str:
    """A number of seconds in the largest unit that it has one of, rounded down."""
    for unit, size in (("d", 86400), ("h", 3600), ("min", 60)):
        if value >= size:
            return f"{value / size:.3g} {unit}"
    return f"{value:.3g} s"
