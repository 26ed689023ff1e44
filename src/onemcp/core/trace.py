"""Trace context: which headers and members name the trace that a request belongs to, and which are none.

The gateway adds no span of its own: what a client sends reaches the upstream as it came. What is malformed is ignored.

Source: W3C Trace Context level 2, sections 3.2 (traceparent) and 3.3 (tracestate); SEP-414 for `_meta`.
"""

from collections.abc import Iterable
from typing import Final

TRACEPARENT: Final = "traceparent"
TRACESTATE: Final = "tracestate"
MAX_STATE: Final = 8192
"""Characters of a tracestate that are carried; a longer one is ignored."""

_LENGTH: Final = 55
"""Of version 00: `00-<32 hex>-<16 hex>-<2 hex>`."""
_MAX_PARENT: Final = 512
_DASHES: Final = (2, 35, 52)
_HEX: Final = frozenset("0123456789abcdef")
_LOWER: Final = frozenset("abcdefghijklmnopqrstuvwxyz0123456789")
_KEY: Final = _LOWER | frozenset("_-*/@")
_MAX_MEMBERS: Final = 32
_MAX_PART: Final = 256


def is_parent(text: str) -> bool:
    """Whether a text is a traceparent: version, trace id, span id and flags, none of the ids all zero.

    A version above 00 is taken for what 00 has, and may have more after another dash; `ff` is none.
    """
    if not _LENGTH <= len(text) <= _MAX_PARENT or any(text[at] != "-" for at in _DASHES):
        return False
    version, trace, span, flags = text[:2], text[3:35], text[36:52], text[53:55]
    if not _HEX.issuperset(version + trace + span + flags) or version == "ff":
        return False
    if trace.strip("0") == "" or span.strip("0") == "":
        return False
    rest = text[_LENGTH:]
    return not rest or (version != "00" and rest[0] == "-" and rest.isascii() and rest.isprintable())


def parent(trace_id: str, span_id: str, *, sampled: bool = False) -> str:
    """The traceparent of version 00 for a trace and a span, given as 32 and 16 lower-case hexadecimal digits."""
    return f"00-{trace_id}-{span_id}-{int(sampled):02x}"


def trace_id(traceparent: str) -> str:
    """The trace's id in what `is_parent` accepts; empty for an empty text."""
    return traceparent[3:35]


def span_id(traceparent: str) -> str:
    """The id of the span that sent the request; empty for an empty text."""
    return traceparent[36:52]


def joined_state(values: Iterable[str]) -> str:
    """The tracestate that these header lines are together; empty for none, and for a malformed one.

    Empty members are left out, white space around members as well.
    """
    text = ",".join(values)
    if len(text) > MAX_STATE:
        return ""
    members = [member for part in text.split(",") if (member := part.strip(" \t"))]
    keys = {member.partition("=")[0] for member in members}
    if len(members) > _MAX_MEMBERS or len(keys) < len(members) or not all(map(_is_member, members)):
        return ""
    return ",".join(members)


def _is_member(text: str) -> bool:
    key, _, value = text.partition("=")
    if not 0 < len(key) <= _MAX_PART or key[0] not in _LOWER or not _KEY.issuperset(key):
        return False
    return 0 < len(value) <= _MAX_PART and all(" " <= char <= "~" for char in value) and "=" not in value
