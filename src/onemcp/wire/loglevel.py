"""The log levels of MCP, from the most talkative to the most severe (RFC 5424, section 6.2.1)."""

from enum import StrEnum


class LogLevel(StrEnum):
    """What a client may ask for with `logging/setLevel` or `logLevel`."""

    DEBUG = "debug"
    INFO = "info"
    NOTICE = "notice"
    WARNING = "warning"
    ERROR = "error"
    CRITICAL = "critical"
    ALERT = "alert"
    EMERGENCY = "emergency"


_RANKS = {level.value: rank for rank, level in enumerate(LogLevel)}


def passes(severity: str, asked: str) -> bool:
    """Whether a message of this severity is for somebody who asked for `asked` and above.

    One of an unknown severity is shown rather than lost; nobody asks for the empty level.
    """
    if not asked:
        return False
    return _RANKS.get(severity, len(_RANKS)) >= _RANKS[asked]


def lower(one: str, other: str) -> str:
    """The more talkative of two levels; the other one if one of them is empty."""
    if not one or not other:
        return one or other
    return one if _RANKS[one] <= _RANKS[other] else other
