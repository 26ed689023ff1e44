"""The two forms of a line: JSON for programs, text for people. Credentials are taken out of both."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, Final

import msgspec

from onemcp.core.redact import without_secrets
from onemcp.ops.logs.entry import Entry

Format = Callable[[Entry], bytes]
"""Makes one line of an entry, its end included."""

_WORDS: Final = {"debug": "DEBUG", "info": "INFO", "warn": "WARNING", "error": "ERROR"}
_CONTROL: Final = {
    code: f"\\x{code:02x}" for code in (*range(32), *range(127, 160)) if chr(code) not in "\n\t"
}
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
        "message": without_secrets(entry.message),
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
            "message": without_secrets(fault.message),
            "stack": without_secrets(fault.stack),
        }
    elif code is not None:
        line["error"] = {"code": code}
    return line


def as_json(entry: Entry) -> bytes:
    """One object on one line, in UTF-8."""
    line = document(entry)
    try:
        return _encode(line) + b"\n"
    except UnicodeEncodeError:  # a lone surrogate: what the system gave as a name that is no UTF-8
        return _encode(_replaced(line)) + b"\n"


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
    safe = message.replace("\r\n", "\n").translate(_CONTROL).replace("\n", _CONTINUED)
    return f"{time} {_WORDS[line['level']]:<7} {safe}{told.translate(_CONTROL)}"


def seconds_of(timestamp: str) -> float:
    """Seconds since the epoch of the `timestamp` of a line."""
    return datetime.fromisoformat(timestamp).timestamp()


def _utc(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _replaced(value: Any) -> Any:
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode()
    if isinstance(value, dict):
        return {name: _replaced(member) for name, member in value.items()}
    return value
