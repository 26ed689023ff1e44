"""The backchannel: what an upstream sends in the course of a call reaches the client whose call it is, and nobody else.

Progress is told apart by a token of ours, which the upstream repeats; what the client called it is put back before
the message goes on. Log messages are exact where the transport says which request they belong to (HTTP); on a shared
child they belong to the one call in flight, and to the gateway's own log if there are several or none. The same holds
for what an upstream asks of a client, which is refused where nothing says whose call it is. That an elicitation at a
URL is complete goes to the session that was asked, whether its call is still under way or not.
"""

import asyncio
import logging
from collections.abc import Callable, Collection, Hashable, Iterable
from dataclasses import replace
from itertools import count
from typing import Final
from weakref import WeakKeyDictionary

import msgspec
from msgspec import Raw

from onemcp.core.access import View
from onemcp.errors import RpcError
from onemcp.gateway.asks import NO_CLIENT, UNDECLARED, Asked, Asks, Respond, not_offered, refusal
from onemcp.gateway.calls import CANCELLED
from onemcp.gateway.context import DEFAULT_LOG_LEVEL, CallContext
from onemcp.gateway.sessions import Session
from onemcp.upstream.supervisor import Supervisor
from onemcp.wire.capabilities import Required, required
from onemcp.wire.envelope import (
    ABSENT,
    METHOD_NOT_FOUND,
    Envelope,
    encode,
    notification,
    open_object,
    success,
)
from onemcp.wire.inbound import MISSING_CAPABILITY
from onemcp.wire.inputs import ELICIT, ELICITATION_ID
from onemcp.wire.loglevel import passes
from onemcp.wire.revisions import Era

PROGRESS: Final = "notifications/progress"
MESSAGE: Final = "notifications/message"
ELICITED: Final = "notifications/elicitation/complete"
TICK: Final = 0.5
"""Seconds between two looks at the deadlines of all calls."""
LONGEST: Final = 3600.0
"""Seconds that no call outlasts, whatever progress it shows."""
TOKEN: Final = "progressToken"  # noqa: S105 - the protocol's word for a name, not a secret

MAX_ELICITATIONS: Final = 1000
"""Elicitations at a URL whose end is waited for; of more the oldest are forgotten."""

Source = Hashable
"""The connection that a message comes from, told apart by identity; its `str` is the upstream's name."""

_SEVERAL: Final = (
    '{} calls are under way, and nothing says whose question this is; "isolation": "session" in the entry of this '
    "server gives every session a connection of its own"
)

_log = logging.getLogger("onemcp.gateway")
_upstream_log = logging.getLogger("onemcp.upstream.message")


class Call:
    """One call under way, as far as messages about it go."""

    __slots__ = (
        "_backchannel",
        "_began",
        "_ctx",
        "_timeout",
        "asked",
        "deadline",
        "is_overdue",
        "lacking",
        "own",
        "respond",
        "source",
    )

    def __init__(
        self, backchannel: "Backchannel", source: Source, ctx: CallContext, respond: Respond, timeout: float
    ) -> None:
        self._backchannel = backchannel
        self._ctx = ctx
        self._began = began = backchannel.time()
        self._timeout = timeout
        self.deadline = began + timeout
        self.source = source
        self.respond = respond
        """Answers a request of the upstream."""
        self.own = 0
        """Our progress token; 0 if the client asked for no progress."""
        self.is_overdue = False
        """It was ended because its time was over."""
        self.asked: set[bytes] | None = None
        """The questions that were put to its client."""
        self.lacking: Required | None = None
        """What was asked for in it and its stateless client has not declared."""

    @property
    def asks(self) -> Asked:
        """Whoever can be asked."""
        ctx = self._ctx
        if ctx.asks is not None:
            return ctx.asks
        if ctx.session is not None:
            return ctx.session.asks
        return UNDECLARED if ctx.era is Era.STATELESS else NO_CLIENT

    def watch(self, token: Raw) -> Raw:
        """The token to ask for progress with, in place of the client's own one."""
        self._ctx.token = token
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
        if self.asked and self.asks.has_any(self.asked):
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

    def progress(self, params: dict[str, Raw]) -> None:
        """Pass on a sign of progress under the client's token, if it has given one."""
        self.prolong(self._backchannel.time())
        if self._ctx.token is not None:
            params[TOKEN] = self._ctx.token
            self.tell(notification(PROGRESS, encode(params)))

    def log(self, envelope: Envelope) -> None:
        """Pass on a log message, if the client asked for such."""
        if passes(_severity(envelope), self._ctx.log_level):
            self.tell(notification(MESSAGE, bytes(envelope.params)))

    def ask(self, envelope: Envelope) -> bytes | None:
        """Put a request of the upstream to the client, or refuse it; the key that it has with the client."""
        own = _own_answer(self.source, envelope)
        if own is not None:
            self.respond(own)
            return None
        asks = self.asks
        why = not_offered(envelope) or asks.refusal(envelope)
        if why is not None:
            self._refuse(envelope, why)
            return None
        key = asks.ask(envelope, self.respond, self.tell)
        self.belongs(key)
        if envelope.method == ELICIT and self._ctx.session is not None:
            self._backchannel.expect(self.source, envelope.params, self._ctx.session)
        return key

    def belongs(self, key: bytes) -> None:
        """A question was asked in this call, as far as anybody can tell."""
        if self.asked is None:
            self.asked = set()
        self.asked.add(key)

    def _refuse(self, envelope: Envelope, why: RpcError) -> None:
        if why.code == MISSING_CAPABILITY:
            self.lacking = self.lacking or {}
            for name, parts in required(envelope.method, envelope.params).items():
                self.lacking.setdefault(name, {}).update(parts)
        self.respond(refusal(envelope, why))

    def withdraw(self, upstream_id: Raw) -> bool:
        """The upstream cancels what it asked; False if it did not ask that in this call."""
        key = self.asks.key_of(upstream_id, self.asked) if self.asked else None
        if key is None:
            return False
        self.asks.withdraw(key, self.tell)
        return True

    def close(self, others: Iterable["Call"]) -> None:
        """The call is over, and so is all that was asked in it, and in none of the others."""
        going_on = {key for other in others for key in other.asked or ()}
        for key in (self.asked or set()) - going_on:
            self.asks.abandon(key)

    def attend(self, respond: Respond, log_level: str) -> None:
        """The connection, or what its client wants to hear, may be another one now."""
        self.respond = respond
        self._ctx.log_level = log_level

    def silence(self) -> None:
        """Its client does not wait any more: nothing reaches it, and nothing ends it."""
        self._ctx = replace(self._ctx, emit=None, task=None)

    @property
    def is_heard(self) -> bool:
        """Whether its client takes messages while it is answered."""
        return self._ctx.emit is not None


class Backchannel:
    """Knows which client waits for which message."""

    def __init__(self) -> None:
        self._calls: dict[Source, set[Call]] = {}
        self._watched: dict[int, Call] = {}
        self._elicited: dict[tuple[Source, bytes], Session] = {}
        self._outside: WeakKeyDictionary[Supervisor, Call] = WeakKeyDictionary()
        self.session_of: Callable[[Source], Session | None] = lambda _: None
        """The session that alone uses a connection, if it is one session's own."""
        self._tokens = count(1)
        self._timer: asyncio.TimerHandle | None = None
        self._loop = asyncio.get_running_loop()
        self.time = self._loop.time
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
            self._timer = self._loop.call_later(TICK, self._check_deadlines)
        calls = self._calls.get(source)
        if calls is None:
            calls = self._calls[source] = set()
        calls.add(call)
        return call

    def end(self, call: Call) -> None:
        """It is over; nothing about it is heard any more."""
        if call.asked or call.own:
            self.give_up(call)
        self.forget(call)

    def give_up(self, call: Call) -> None:
        """Nobody waits for it any more. Until it is forgotten, what its upstream says may still be about it."""
        if call.asked:
            call.close(other for other in self._calls[call.source] if other is not call)
            call.asked = None
        if call.own:
            del self._watched[call.own]
            call.own = 0

    def forget(self, call: Call) -> None:
        """Nothing that comes is about this call."""
        calls = self._calls[call.source]
        calls.discard(call)
        if not calls:
            del self._calls[call.source]

    def close(self) -> None:
        """Look after no deadlines any more."""
        if self._timer is not None:
            self._timer.cancel()

    def _check_deadlines(self) -> None:
        self._timer = None
        now = self._loop.time()
        for call in [call for calls in self._calls.values() for call in calls]:
            call.check_deadline(now)
        if any(self._calls.values()):
            self._timer = self._loop.call_later(TICK, self._check_deadlines)

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
            requested = _members(envelope.params).get("requestId", ABSENT)
            calls = (*self._calls.get(source, ()), *self._alone(source, respond))
            any(call.withdraw(requested) for call in calls)
        elif envelope.method == PROGRESS:
            self._take_progress(source, envelope)
        elif envelope.method == MESSAGE:
            self._take_message(source, envelope, respond)
        elif envelope.method == ELICITED:
            self._take_elicited(source, envelope)

    def _take_progress(self, source: Source, envelope: Envelope) -> None:
        params = _members(envelope.params)
        token = bytes(params.get(TOKEN, ABSENT))
        call = self._watched.get(int(token)) if token.isdigit() and len(token) < 20 else None
        if call is None or call.source is not source:
            self.unclaimed += 1
            _log.debug("%s: progress that nobody waits for", source)
            return
        call.progress(params)

    def _take_request(self, source: Source, envelope: Envelope, respond: Respond) -> None:
        """All calls that are under way are one client's: it is that one's. With several nobody can say whose."""
        calls = self._calls.get(source) or self._alone(source, respond)
        own = _own_answer(source, envelope)
        if own is not None:
            respond(own)
            return
        why = not_offered(envelope)
        if why is None and (len(calls) == 1 or _are_of_one_session(calls)):
            first = max(calls, key=lambda call: call.is_heard)
            key = first.ask(envelope)
            if key is not None:
                for call in calls:
                    call.belongs(key)
            return
        what = _SEVERAL.format(len(calls)) if calls else "no call is being answered"
        respond(refusal(envelope, why or RpcError(METHOD_NOT_FOUND, what)))

    def expect(self, source: Source, elicitation: Raw, session: Session) -> None:
        """A session is sent to a URL: it is told when the upstream says that this is done."""
        members = _members(elicitation)
        if ELICITATION_ID in members:
            self._elicited[source, bytes(members[ELICITATION_ID])] = session
            if len(self._elicited) > MAX_ELICITATIONS:
                del self._elicited[next(iter(self._elicited))]

    def _take_elicited(self, source: Source, envelope: Envelope) -> None:
        """On the stream of a call of that session in which it was asked, if there is one, else on its own stream."""
        elicitation = bytes(_members(envelope.params).get(ELICITATION_ID, ABSENT))
        session = self._elicited.pop((source, elicitation), None)
        if session is None:
            self.unclaimed += 1
            return
        message = notification(ELICITED, bytes(envelope.params))
        asking = (call for call in self._calls.get(source, ()) if call.asked and call.asks is session.asks)
        if not any(call.tell(message) for call in asking):
            session.tell(str(source), message)

    def _take_message(self, source: Source, envelope: Envelope, respond: Respond) -> None:
        calls = self._calls.get(source) or self._alone(source, respond)
        if len(calls) == 1 or _are_of_one_session(calls):
            max(calls, key=lambda call: call.is_heard).log(envelope)
        else:
            self.unclaimed += 1
            _upstream_log.info("%s: %s", source, bytes(envelope.params)[:1000].decode(errors="replace"))

    def _alone(self, source: Source, respond: Respond) -> Collection[Call]:
        """What stands for a call where none is under way: the session whose own connection it is, if it is one's."""
        session = self.session_of(source)
        if session is None or not isinstance(source, Supervisor):
            return ()
        call = self._outside.get(source)
        if call is None:
            ctx = CallContext(Era.HANDSHAKE, session.revision, View(), session)
            ctx.emit = lambda message: _tell(session, str(source), message)
            call = self._outside[source] = Call(self, source, ctx, respond, LONGEST)
        call.attend(respond, session.log_level or DEFAULT_LOG_LEVEL)
        return (call,)


def _tell(session: Session, upstream: str, message: bytes) -> bool:
    """Send what belongs to no call to a session, if it listens."""
    if session.listener is None:
        return False
    session.tell(upstream, message)
    return True


def _own_answer(source: Source, envelope: Envelope) -> bytes | None:
    """The answer to what no client is asked because the gateway knows it."""
    if isinstance(source, Supervisor):
        return source.answer(envelope)
    return success(envelope.id, b"{}") if envelope.method == "ping" else None


def _are_of_one_session(calls: Collection[Call]) -> bool:
    asked = {id(call.asks): call.asks for call in calls}
    return len(asked) == 1 and all(isinstance(asks, Asks) for asks in asked.values())


def _severity(envelope: Envelope) -> str:
    try:
        return msgspec.json.decode(_members(envelope.params).get("level", b""), type=str)
    except msgspec.DecodeError:
        return ""


def _members(params: Raw) -> dict[str, Raw]:
    try:
        return open_object(params)
    except RpcError:
        return {}
