"""The two forms of a line: JSON for programs, text for people. Credentials are taken out of both.

What would make a line read as several, or as something that it does not say, is written out: control characters, marks
that turn the direction of writing, characters without width.
"""

import unicodedata
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, Final

import msgspec

from onemcp.core.readable import readable
from onemcp.ops.logs.entry import Entry
from onemcp.upstream.secrecy import without_secrets_of

Format = Callable[[Entry], bytes]
"""Makes one line of an entry, its end included."""

_WORDS: Final = {"debug": "DEBUG", "info": "INFO", "warn": "WARNING", "error": "ERROR"}
_HIDDEN: Final = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})
"""Categories of characters that are not seen, and change what is."""
_CONTINUED: Final = "\n    "
_SHORT_SESSION: Final = 8
_SHOWN: Final = ("request_id", "session", "principal", "trace_id", "left_out")
"""What a line of text says beside its message; the rest of the facts is in JSON only."""

_encode = msgspec.json.Encoder().encode


def document(entry: Entry) -> dict[str, Any]:
    """The line as the JSON object of `docs/logs.md`, without what is not known."""
    line: dict[str, Any] = {
        "timestamp": _utc(entry.time),
        "level": entry.level,
        "logger": entry.logger,
        "message": without_secrets_of(entry.server, entry.message),
    }
    if entry.server:
        line["server"] = entry.server
    facts = dict(entry.facts)
    code = facts.pop("error_code", None)
    line |= facts
    if entry.fault is not None:
        fault = entry.fault
        line["error"] = {
            "type": fault.kind,
            "message": without_secrets_of(entry.server, fault.message),
            "stack": without_secrets_of(entry.server, fault.stack),
        }
    elif code is not None:
        line["error"] = {"code": code}
    return line


def as_json(entry: Entry) -> bytes:
    """One object on one line, in UTF-8; one line also for those who know of more line breaks than a line feed."""
    line = document(entry)
    try:
        encoded = _encode(line)
    except UnicodeEncodeError:  # a lone surrogate: what the system gave as a name that is no UTF-8
        encoded = _encode(_replaced(line))
    shown = encoded.decode()
    return encoded + b"\n" if shown.isprintable() else _visible(shown, _in_json).encode() + b"\n"


def as_text(entry: Entry) -> bytes:
    """A line for a person, in local time; further lines of the same entry are indented, so none can be forged."""
    return text(document(entry), entry.time).encode("utf-8", "replace") + b"\n"


def text(line: Mapping[str, Any], seconds: float) -> str:
    """The JSON object of a line as text."""
    time = datetime.fromtimestamp(seconds).strftime("%Y-%m-%d %H:%M:%S")  # noqa: DTZ006 - a person's own time
    server = line.get("server", "")
    message = f"{server}: {line['message']}" if server else line["message"]
    error = line.get("error", {})
    if "stack" in error:
        message += f"\n{error['stack'].rstrip()}"
    facts = {name: line[name] for name in _SHOWN if name in line}
    if "session" in facts:
        facts["session"] = facts["session"][:_SHORT_SESSION]
    told = "".join(f" {name}={value}" for name, value in facts.items())
    lines = [_visible(part.removesuffix("\r"), _in_text) for part in message.split("\n")]
    return f"{time} {_WORDS[line['level']]:<7} {_CONTINUED.join(lines)}{_visible(told, _in_text)}"


def _visible(text: str, written_out: Callable[[str], str]) -> str:
    if text.isprintable():
        return text
    return "".join(
        written_out(char) if not char.isprintable() and unicodedata.category(char) in _HIDDEN else char
        for char in text
    )


def _in_text(char: str) -> str:
    code = ord(char)
    if char == "\t":
        return char
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def _in_json(char: str) -> str:
    """As a JSON string has it: UTF-16 units."""
    units = char.encode("utf-16-be").hex()
    return "".join(f"\\u{units[start : start + 4]}" for start in range(0, len(units), 4))


def seconds_of(timestamp: str) -> float:
    """Seconds since the epoch of the `timestamp` of a line."""
    return datetime.fromisoformat(timestamp).timestamp()


def _utc(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _replaced(value: Any) -> Any:
    if isinstance(value, str):
        return readable(value)
    if isinstance(value, dict):
        return {name: _replaced(member) for name, member in value.items()}
    return value
