"""The backchannel: what an upstream sends in the course of a call reaches the client whose call it is, and nobody else.

Progress is told apart by a token of ours, which the upstream repeats; what the client called it is put back before
the message goes on. Log messages are exact where the transport says which request they belong to (HTTP); on a shared
child they belong to the one call in flight, and to the gateway's own log if there are several or none. The same holds
for what an upstream asks of a client, which is refused where nothing says whose call it is.
"""

import asyncio
import logging
from collections.abc import Hashable
from itertools import count
from typing import Final

import msgspec
from msgspec import Raw

from onemcp.errors import RpcError
from onemcp.gateway.asks import CAPABILITY, Respond, refusal
from onemcp.gateway.calls import CANCELLED
from onemcp.gateway.context import CallContext
from onemcp.wire.envelope import ABSENT, Envelope, encode, notification, open_object, success
from onemcp.wire.loglevel import passes

PROGRESS: Final = "notifications/progress"
MESSAGE: Final = "notifications/message"
TICK: Final = 0.5
"""Seconds between two looks at the deadlines of all calls."""
LONGEST: Final = 3600.0
"""Seconds that no call outlasts, whatever progress it shows."""
TOKEN: Final = "progressToken"  # noqa: S105 - the protocol's word for a name, not a secret

Source = Hashable
"""The connection that a message comes from, told apart by identity; its `str` is the upstream's name."""

_log = logging.getLogger("onemcp.gateway")
_upstream_log = logging.getLogger("onemcp.upstream.message")


class Call:
    """One call under way, as far as messages about it go.

    What most calls never need are defaults of the class, because every call makes one of these.
    """

    token: Raw = ABSENT
    """The client's progress token."""
    own: int = 0
    """Ours; 0 if the client asked for no progress."""
    is_overdue: bool = False
    """It was ended because its time was over."""
    asked: set[bytes] | None = None
    """The questions that were put to its client."""

    def __init__(
        self, backchannel: "Backchannel", source: Source, ctx: CallContext, respond: Respond, timeout: float
    ) -> None:
        self._backchannel = backchannel
        self._ctx = ctx
        self._began = backchannel.loop.time()
        self._timeout = timeout
        self.deadline = self._began + timeout
        self.source = source
        self.respond = respond
        """Answers a request of the upstream."""

    def watch(self, token: Raw) -> Raw:
        """The token to ask for progress with, in place of the client's own one."""
        self.token = token
        self.own = self._backchannel.claim(self)
        return Raw(b"%d" % self.own)

    def hear(self, envelope: Envelope) -> None:
        """A message that came with the answer to this very call. Never raises."""
        if envelope.is_request:
            self.ask(envelope)
        elif envelope.method == MESSAGE:
            self.log(envelope)
        else:
            self._backchannel.take(self.source, envelope, self.respond)

    def check_deadline(self, now: float) -> None:
        """End the call if its time is over; while its client is asked something the time stands still."""
        session = self._ctx.session
        if self.asked and session is not None and session.asks.has_any(self.asked):
            self.prolong(now)
        if now >= self.deadline and self._ctx.task is not None:
            self.is_overdue = True
            self._ctx.task.cancel()

    def prolong(self, now: float) -> None:
        """The upstream shows that it is at work: it has its whole time again, up to a limit."""
        self.deadline = min(now + self._timeout, self._began + max(self._timeout, LONGEST))

    def absorb(self) -> None:
        """The present task has caught the cancellation that the deadline sent, and goes on."""
        if self._ctx.task is not None:
            self._ctx.task.uncancel()

    def tell(self, message: bytes) -> bool:
        """Send a message to the client; False if it could not take it."""
        return self._ctx.emit is not None and self._ctx.emit(message)

    def log(self, envelope: Envelope) -> None:
        """Pass on a log message, if the client asked for such."""
        if passes(_severity(envelope), self._ctx.log_level):
            self.tell(notification(MESSAGE, bytes(envelope.params)))

    def objection(self, method: str) -> str:
        """Why the client of this call cannot be asked this; empty if it can."""
        session = self._ctx.session
        return session.asks.objection(method) if session is not None else "the client takes no requests"

    def ask(self, envelope: Envelope) -> None:
        """Put a request of the upstream to the client, or refuse it."""
        if envelope.method == "ping":
            self.respond(success(envelope.id, b"{}"))
            return
        objection = self.objection(envelope.method)
        session = self._ctx.session
        if objection or session is None:
            self.respond(refusal(envelope, objection))
            return
        key, request = session.asks.put(envelope, self.respond)
        if self.asked is None:
            self.asked = set()
        self.asked.add(key)
        if not self.tell(request):
            session.asks.abandon(key)

    def withdraw(self, upstream_id: Raw) -> bool:
        """The upstream cancels what it asked; False if it did not ask that in this call."""
        session = self._ctx.session
        key = session.asks.key_of(upstream_id, self.asked or set()) if session is not None else None
        if session is None or key is None:
            return False
        session.asks.abandon(key)
        self.tell(notification(CANCELLED, b'{"requestId":%b}' % key))
        return True

    def close(self) -> None:
        """The call is over, and so is all that was asked in it."""
        session = self._ctx.session
        if session is not None:
            for key in self.asked or ():
                session.asks.abandon(key)


class Backchannel:
    """Knows which client waits for which message."""

    def __init__(self) -> None:
        self._calls: dict[Source, set[Call]] = {}
        self._watched: dict[int, Call] = {}
        self._tokens = count(1)
        self._timer: asyncio.TimerHandle | None = None
        self.loop = asyncio.get_running_loop()
        self.unclaimed = 0
        """Messages that belonged to no call (any more)."""

    def __len__(self) -> int:
        """Calls under way."""
        return sum(map(len, self._calls.values()))

    def is_busy(self, source: Source) -> bool:
        """Whether a call is under way on this connection."""
        return bool(self._calls.get(source))

    def begin(self, source: Source, ctx: CallContext, respond: Respond, timeout: float) -> Call:
        """A call to an upstream begins, which has `timeout` seconds from here and from each sign of progress."""
        call = Call(self, source, ctx, respond, timeout)
        if self._timer is None:
            self._timer = self.loop.call_later(TICK, self._check_deadlines)
        calls = self._calls.get(source)
        if calls is None:
            calls = self._calls[source] = set()
        calls.add(call)
        return call

    def end(self, call: Call) -> None:
        """It is over; nothing about it is heard any more."""
        self._calls[call.source].discard(call)
        if call.asked:
            call.close()
        if call.own:
            del self._watched[call.own]

    def close(self) -> None:
        """Look after no deadlines any more."""
        if self._timer is not None:
            self._timer.cancel()

    def _check_deadlines(self) -> None:
        self._timer = None
        now = self.loop.time()
        for calls in self._calls.values():
            for call in list(calls):
                call.check_deadline(now)
        if any(self._calls.values()):
            self._timer = self.loop.call_later(TICK, self._check_deadlines)

    def claim(self, call: Call) -> int:
        """A fresh token for the progress of a call."""
        own = next(self._tokens)
        self._watched[own] = call
        return own

    def take(self, source: Source, envelope: Envelope, respond: Respond) -> None:
        """What an upstream sent without saying to which call it belongs. Never raises."""
        if envelope.is_request:
            self._take_request(source, envelope, respond)
        elif envelope.method == CANCELLED:
            requested = _members(envelope).get("requestId", ABSENT)
            any(call.withdraw(requested) for call in self._calls.get(source, ()))
        elif envelope.method == PROGRESS:
            self._take_progress(source, envelope)
        elif envelope.method == MESSAGE:
            self._take_message(source, envelope)

    def _take_progress(self, source: Source, envelope: Envelope) -> None:
        params = _members(envelope)
        token = bytes(params.get(TOKEN, ABSENT))
        call = self._watched.get(int(token)) if token.isdigit() and len(token) < 20 else None
        if call is None or call.source is not source:
            self.unclaimed += 1
            _log.debug("%s: progress that nobody waits for", source)
            return
        call.prolong(self.loop.time())
        params[TOKEN] = call.token
        call.tell(notification(PROGRESS, encode(params)))

    def _take_request(self, source: Source, envelope: Envelope, respond: Respond) -> None:
        """Exactly one call whose client can be asked: it is that one's. With several nobody can say whose."""
        if envelope.method not in CAPABILITY:
            respond(refusal(envelope, f"{envelope.method} is not offered to this server"))
            return
        calls = self._calls.get(source, set())
        able = [call for call in calls if not call.objection(envelope.method)]
        if len(able) == 1:
            able[0].ask(envelope)
        elif able:
            what = (
                f"{len(able)} clients are being served; only a connection of its own could tell whose this is"
            )
            respond(refusal(envelope, what))
        else:
            reasons = {call.objection(envelope.method) for call in calls} or {"no call is being answered"}
            respond(refusal(envelope, "; ".join(sorted(reasons))))

    def _take_message(self, source: Source, envelope: Envelope) -> None:
        calls = self._calls.get(source)
        if calls is not None and len(calls) == 1:
            next(iter(calls)).log(envelope)
        else:
            self.unclaimed += 1
            _upstream_log.info("%s: %s", source, bytes(envelope.params)[:1000].decode(errors="replace"))


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
