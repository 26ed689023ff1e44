"""One line of the log as facts, before it has a form: taken from a record of `logging` where it arises."""

import logging
import traceback
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from onemcp.gateway.trail import TRAIL

MAX_MESSAGE: Final = 8 * 1024
"""Characters of a message that are kept."""
MAX_STACK: Final = 16 * 1024
"""Characters of a traceback that are kept, its end."""
_ABOUT: Final = "%s: "
"""How a message about one upstream begins; the first argument is its name."""
_LEVELS: Final = {logging.DEBUG: "debug", logging.INFO: "info", logging.WARNING: "warn"}


@dataclass(frozen=True, slots=True)
class Fault:
    """An exception that a line tells of."""

    kind: str
    message: str
    stack: str


@dataclass(frozen=True, slots=True)
class Entry:
    """One line. Nothing in it is redacted yet."""

    time: float
    """Seconds since the epoch."""
    level: str
    """debug, info, warn or error."""
    logger: str
    message: str
    """What happened; what it is about is in `server`."""
    server: str
    """The upstream that it is about; empty for the gateway."""
    facts: Mapping[str, str | int]
    """Of the request that it belongs to, and of an error that was told; by the names of `docs/logs.md`."""
    fault: Fault | None = None


def entry_of(record: logging.LogRecord) -> Entry:
    """The entry for a record, made in the task that logs: it belongs to the request that is answered there."""
    trail = TRAIL.get()
    facts: dict[str, str | int] = {**trail.facts()} if trail is not None else {}
    server, message = _said(record)
    server = server or str(facts.pop("server", ""))
    facts.pop("server", None)
    for name in ("error_code", "left_out"):
        if getattr(record, name, 0):
            facts[name] = int(getattr(record, name))
    level = _LEVELS.get(record.levelno, "error" if record.levelno > logging.WARNING else "debug")
    return Entry(record.created, level, record.name, message, server, facts, _fault(record))


def server_of(record: logging.LogRecord) -> str:
    """The upstream that a record names, else that of the request in whose task it arises; empty for the gateway."""
    named = _named(record)
    if named:
        return named
    trail = TRAIL.get()
    context = trail.context if trail is not None else None
    return context.upstream if context is not None else ""


def _named(record: logging.LogRecord) -> str:
    template, arguments = record.msg, record.args
    is_about = isinstance(template, str) and template.startswith(_ABOUT)
    return str(arguments[0])[:200] if is_about and isinstance(arguments, tuple) and arguments else ""


def _said(record: logging.LogRecord) -> tuple[str, str]:
    """Which upstream a record is about, and what it says; a broken record says what it can."""
    template, arguments = record.msg, record.args
    server = _named(record)
    if server and isinstance(template, str) and isinstance(arguments, tuple):
        template, arguments = template[len(_ABOUT) :], arguments[1:]
    try:
        text = str(template) % arguments if arguments else str(template).replace("%%", "%")
    except (TypeError, ValueError):
        text = f"{template} {arguments}"
    return server, text if len(
        text
    ) <= MAX_MESSAGE else f"{text[:MAX_MESSAGE]} ({len(text) - MAX_MESSAGE} more)"


def _fault(record: logging.LogRecord) -> Fault | None:
    kind, error, trace = record.exc_info or (None, None, None)
    if kind is None or error is None:
        return None
    stack = "".join(traceback.format_exception(kind, error, trace))
    return Fault(kind.__name__, str(error)[:MAX_MESSAGE], stack[-MAX_STACK:])
