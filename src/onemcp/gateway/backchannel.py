"""The backchannel: what an upstream sends in the course of a call reaches the client whose call it is, and nobody else.

Progress is told apart by a token of ours, which the upstream repeats; what the client called it is put back before
the message goes on. Log messages are exact where the transport says which request they belong to (HTTP); on a shared
child they belong to the one call in flight, and to the gateway's own log if there are several or none.
"""

import logging
from itertools import count
from typing import Final

import msgspec
from msgspec import Raw

from onemcp.errors import RpcError
from onemcp.gateway.context import Emit
from onemcp.wire.envelope import ABSENT, Envelope, encode, notification, open_object
from onemcp.wire.loglevel import passes

PROGRESS: Final = "notifications/progress"
MESSAGE: Final = "notifications/message"
TOKEN: Final = "progressToken"  # noqa: S105 - the protocol's word for a name, not a secret

_log = logging.getLogger("onemcp.gateway")
_upstream_log = logging.getLogger("onemcp.upstream.message")


class Call:
    """One call under way, as far as messages about it go."""

    __slots__ = ("_backchannel", "emit", "level", "own", "token", "upstream")

    def __init__(self, backchannel: "Backchannel", upstream: str, emit: Emit, level: str) -> None:
        self._backchannel = backchannel
        self.upstream = upstream
        self.emit = emit
        self.level = level
        """The log level that its client asked for; empty for no log messages."""
        self.token = ABSENT
        self.own = 0

    def watch(self, token: Raw) -> Raw:
        """The token to ask for progress with, in place of the client's own one."""
        self.token = token
        self.own = self._backchannel.claim(self)
        return Raw(b"%d" % self.own)

    def hear(self, envelope: Envelope) -> None:
        """A message that came with the answer to this very call. Never raises."""
        if envelope.method == MESSAGE:
            self.log(envelope)
        else:
            self._backchannel.take(self.upstream, envelope)

    def log(self, envelope: Envelope) -> None:
        """Pass on a log message, if the client asked for such."""
        if passes(_severity(envelope), self.level):
            self.emit(notification(MESSAGE, bytes(envelope.params)))


class Backchannel:
    """Knows which client waits for which message."""

    def __init__(self) -> None:
        self._calls: dict[str, set[Call]] = {}
        self._watched: dict[int, Call] = {}
        self._tokens = count(1)
        self.unclaimed = 0
        """Messages that belonged to no call (any more)."""

    def __len__(self) -> int:
        """Calls under way."""
        return sum(map(len, self._calls.values()))

    def begin(self, upstream: str, emit: Emit, level: str) -> Call:
        """A call to an upstream begins."""
        call = Call(self, upstream, emit, level)
        self._calls.setdefault(upstream, set()).add(call)
        return call

    def end(self, call: Call) -> None:
        """It is over; nothing about it is heard any more."""
        calls = self._calls[call.upstream]
        calls.discard(call)
        if not calls:
            del self._calls[call.upstream]
        if call.own:
            del self._watched[call.own]

    def claim(self, call: Call) -> int:
        """A fresh token for the progress of a call."""
        own = next(self._tokens)
        self._watched[own] = call
        return own

    def take(self, upstream: str, envelope: Envelope) -> None:
        """A notification that an upstream sent on its own. Never raises."""
        if envelope.method == PROGRESS:
            self._take_progress(upstream, envelope)
        elif envelope.method == MESSAGE:
            self._take_message(upstream, envelope)

    def _take_progress(self, upstream: str, envelope: Envelope) -> None:
        params = _members(envelope)
        token = bytes(params.get(TOKEN, ABSENT))
        call = self._watched.get(int(token)) if token.isdigit() and len(token) < 20 else None
        if call is None or call.upstream != upstream:
            self.unclaimed += 1
            _log.debug("%s: progress that nobody waits for", upstream)
            return
        params[TOKEN] = call.token
        call.emit(notification(PROGRESS, encode(params)))

    def _take_message(self, upstream: str, envelope: Envelope) -> None:
        calls = self._calls.get(upstream)
        if calls is not None and len(calls) == 1:
            next(iter(calls)).log(envelope)
        else:
            self.unclaimed += 1
            _upstream_log.info("%s: %s", upstream, bytes(envelope.params)[:1000].decode(errors="replace"))


def _severity(envelope: Envelope) -> str:
    try:
        return msgspec.json.decode(_members(envelope).get("level", b""), type=str)
    except msgspec.DecodeError:
        return ""


def _members(envelope: Envelope) -> dict[str, Raw]:
    try:
        return open_object(envelope.params)
    except RpcError:
        return {}
