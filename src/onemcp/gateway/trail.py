"""The trail of one request: what its log lines, and the errors that its client gets, are found by.

An id is made only when something is said about the request; most are answered without that. Whoever takes requests
sets `TRAIL` in the task that answers one, so that everything below logs under it.
"""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from itertools import count
from typing import Final

import msgspec

from onemcp.core.trace import TRACEPARENT, is_parent, span_id, trace_id
from onemcp.errors import RpcError
from onemcp.gateway.context import CallContext
from onemcp.wire.envelope import Envelope, open_object

REQUEST_ID: Final = b"x-request-id"
"""The header, in requests and in answers."""
MAX_ID: Final = 128
"""Characters of a request id that a client brings."""
_MAX_SHOWN: Final = 100
_ID_BYTES: Final = b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.:=+/@~"
_NO_HEADERS: Final[Mapping[bytes, bytes]] = {}

_prefix = os.urandom(4).hex()
_numbers = count(1)


class Trail:
    """One request, from its first byte to its answer. What outlives it finds nothing here any more."""

    __slots__ = ("_id", "context", "envelope", "headers", "is_over")

    def __init__(self, headers: Mapping[bytes, bytes] = _NO_HEADERS, request_id: str = "") -> None:
        """`headers` are those of HTTP, by lower-case name; `request_id` is for a part of a request that has one."""
        self._id = request_id
        self.headers = headers
        self.context: CallContext | None = None
        """Who asks; None as long as that is not known."""
        self.envelope: Envelope | None = None
        """What is asked; None as long as it was not read."""
        self.is_over = False

    @property
    def id(self) -> str:
        """The request id: the client's own if it sent a good one, else one that no other request here has."""
        if not self._id:
            self._id = _brought(self.headers.get(REQUEST_ID, b"")) or f"{_prefix}-{next(_numbers)}"
        return self._id

    def end(self) -> None:
        """The request is answered: what goes on after it is not about it."""
        self.is_over = True
        self.headers = _NO_HEADERS
        self.context = self.envelope = None  # the context knows its task, and the task this object

    def facts(self) -> dict[str, str]:
        """What every log line about the request says, by the names of `docs/logs.md`; empty once it is over."""
        if self.is_over:
            return {}
        facts = {"request_id": self.id}
        context = self.context
        if context is not None:
            if context.session is not None and context.session.sid:
                facts["session"] = context.session.sid
            facts["principal"] = str(context.principal)[:_MAX_SHOWN]
            if context.upstream:
                facts["server"] = context.upstream
        if self.envelope is not None and self.envelope.method:
            facts["method"] = self.envelope.method[:_MAX_SHOWN]
        parent = self._parent()
        if parent:
            facts["trace_id"], facts["span_id"] = trace_id(parent), span_id(parent)
        return facts

    def _parent(self) -> str:
        """The traceparent: the message's own, else the header."""
        found = _in_meta(self.envelope) if self.envelope is not None else ""
        found = found or self.headers.get(TRACEPARENT.encode(), b"").decode("latin-1")
        return found if is_parent(found) else ""


TRAIL: Final[ContextVar[Trail | None]] = ContextVar("TRAIL", default=None)
"""The trail of the request that the present task answers."""


@contextmanager
def following(trail: Trail) -> Iterator[Trail]:
    """Follow a trail while the block runs, and end it: for what is answered within somebody else's task."""
    token = TRAIL.set(trail)
    try:
        yield trail
    finally:
        trail.end()
        TRAIL.reset(token)


def request_id() -> str:
    """The id of the request that is being answered; empty outside of one."""
    trail = TRAIL.get()
    return trail.id if trail is not None and not trail.is_over else ""


def _brought(value: bytes) -> str:
    """A client's own id, if it is short and of harmless characters."""
    if not 0 < len(value) <= MAX_ID or value.translate(None, _ID_BYTES):
        return ""
    return value.decode("ascii")


def _in_meta(envelope: Envelope) -> str:
    try:
        meta = open_object(open_object(envelope.params).get("_meta", b""))
        return msgspec.json.decode(meta.get(TRACEPARENT, b'""'), type=str)
    except (RpcError, msgspec.DecodeError):
        return ""
