"""The backchannel: what an upstream sends in the course of a call reaches the client whose call it is, and nobody else.

Progress is told apart by a token of ours, which the upstream repeats; what the client called it is put back before
the message goes on. Log messages are exact where the transport says which request they belong to (HTTP); on a shared
child they belong to the one call in flight, and to the gateway's own log if there are several or none. The same holds
for what an upstream asks of a client, which is refused where nothing says whose call it is. That an elicitation at a
URL is complete goes to the session that was asked, whether its call is still under way or not.
"""

import asyncio
import logging
from collections import Counter
from collections.abc import Callable, Collection, Sequence
from itertools import count
from typing import Final

from msgspec import Raw

from onemcp.core.access import View
from onemcp.errors import RpcError
from onemcp.gateway.asks import Respond, not_offered, refusal
from onemcp.gateway.call import LONGEST, MESSAGE, PROGRESS, TOKEN, Call, members, own_answer
from onemcp.gateway.calls import CANCELLED
from onemcp.gateway.context import DEFAULT_LOG_LEVEL, CallContext
from onemcp.gateway.line import Line, Owner, Source
from onemcp.gateway.sessions import Session
from onemcp.upstream.supervisor import Supervisor
from onemcp.wire.envelope import ABSENT, METHOD_NOT_FOUND, Envelope, notification
from onemcp.wire.inputs import ELICITATION_ID
from onemcp.wire.revisions import Era

ELICITED: Final = "notifications/elicitation/complete"
TICK: Final = 0.5
"""Seconds between two looks at the deadlines of all calls."""

MAX_ELICITATIONS: Final = 1000
"""Elicitations at a URL whose end is waited for; of more the oldest are forgotten."""


_SEVERAL: Final = (
    'nothing says whose question this is, with calls of several clients under way or just answered; "isolation": '
    '"session" in the entry of this server gives every session a connection of its own'
)
_NO_CALL: Final = (
    'no call is being answered that this could belong to; "isolation": "session" in the entry of this server gives '
    "every session a connection of its own, on which it may be asked at any time"
)

_log = logging.getLogger("onemcp.gateway")
_upstream_log = logging.getLogger("onemcp.upstream.message")


class Backchannel:
    """Knows which client waits for which message."""

    def __init__(self) -> None:
        self._lines: dict[Source, Line[Call]] = {}
        self._watched: dict[int, Call] = {}
        self._elicited: dict[tuple[Source, bytes], Session] = {}
        self._outside: dict[Supervisor, Call] = {}
        self.session_of: Callable[[Source], Session | None] = lambda _: None
        """The session that alone uses a connection, if it is one session's own."""
        self._tokens = count(1)
        self._timer: asyncio.TimerHandle | None = None
        self._loop = asyncio.get_running_loop()
        self.time = self._loop.time
        self.unclaimed = 0
        """Messages that belonged to no call (any more)."""

    def __len__(self) -> int:
        """Calls under way, without those that nobody waits for."""
        return sum(not call.is_given_up for line in self._lines.values() for call in line.calls)

    def under_way(self) -> Counter[str]:
        """How many calls are under way to each upstream, over whichever of its connections."""
        counts: Counter[str] = Counter()
        for source, line in self._lines.items():
            counts[str(source)] += len(line.calls)
        return counts

    def is_busy(self, source: Source) -> bool:
        """Whether a call is under way on this connection."""
        return bool(self._calls(source))

    def begin(self, source: Source, ctx: CallContext, respond: Respond, timeout: float) -> Call:
        """A call to an upstream begins, which has `timeout` seconds from here and from each sign of progress."""
        line = self._lines.get(source) or self._open(source)
        now = self.time()
        call = Call(self, line, ctx, respond, timeout, now, now + timeout)
        line.calls.add(call)
        return call

    def _open(self, source: Source) -> Line[Call]:
        """A line for a connection that had none; it is there as long as it knows anything."""
        if self._timer is None:
            self._timer = self._loop.call_later(TICK, self._look)
        line = self._lines[source] = Line[Call](source)
        return line

    def _calls(self, source: Source) -> Collection[Call]:
        line = self._lines.get(source)
        return line.calls if line is not None else ()

    def end(self, call: Call) -> None:
        """It is over; nothing about it is heard any more."""
        if call.asked or call.own:
            self.give_up(call)
        line = call.line
        line.answered[call.owner] = self.time()
        line.calls.discard(call)

    def give_up(self, call: Call) -> None:
        """Nobody waits for it any more. Until it is forgotten, what its upstream says may still be about it."""
        if call.asked:
            call.close(other for other in call.line.calls if other is not call)
            call.asked = None
        if call.own:
            del self._watched[call.own]
            call.own = 0

    def forget(self, call: Call) -> None:
        """Nothing that comes is about this call."""
        call.line.calls.discard(call)

    def close(self) -> None:
        """Look after no deadlines any more."""
        if self._timer is not None:
            self._timer.cancel()

    def _look(self) -> None:
        """End the calls whose time is over, and forget what is no moment ago any more."""
        self._timer = None
        now = self.time()
        for source, line in list(self._lines.items()):
            for call in list(line.calls):
                call.check_deadline(now)
            line.prune(now)
            if line.is_blank:
                del self._lines[source]
        if self._lines:
            self._timer = self._loop.call_later(TICK, self._look)

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
            requested = members(envelope.params).get("requestId", ABSENT)
            calls = (*self._calls(source), *self._alone(source, respond))
            any(call.withdraw(requested) for call in calls)
        elif envelope.method == PROGRESS:
            self._take_progress(source, envelope)
        elif envelope.method == MESSAGE:
            self._take_message(source, envelope, respond)
        elif envelope.method == ELICITED:
            self._take_elicited(source, envelope)

    def _take_progress(self, source: Source, envelope: Envelope) -> None:
        params = members(envelope.params)
        token = bytes(params.get(TOKEN, ABSENT))
        call = self._watched.get(int(token)) if token.isdigit() and len(token) < 20 else None
        if call is None or call.source is not source:
            self.unclaimed += 1
            _log.debug("%s: progress that nobody waits for", source)
            return
        call.progress(params)

    def _take_request(self, source: Source, envelope: Envelope, respond: Respond) -> None:
        """All calls that are under way are one client's: it is that one's. With several nobody can say whose."""
        calls = self._placed(source, respond)
        own = own_answer(source, envelope)
        if own is not None:
            respond(own)
            return
        why = not_offered(envelope)
        if why is None and calls:
            key = calls[0].ask(envelope)
            if key is not None:
                for call in calls:
                    call.belongs(key)
            return
        what = _SEVERAL if self._calls(source) else _NO_CALL
        respond(refusal(envelope, why or RpcError(METHOD_NOT_FOUND, what)))

    def expect(self, source: Source, elicitation: Raw, session: Session) -> None:
        """A session is sent to a URL: it is told when the upstream says that this is done."""
        named = members(elicitation).get(ELICITATION_ID)
        if named is not None:
            self._elicited[source, bytes(named)] = session
            if len(self._elicited) > MAX_ELICITATIONS:
                del self._elicited[next(iter(self._elicited))]

    def _take_elicited(self, source: Source, envelope: Envelope) -> None:
        """On the stream of a call of that session in which it was asked, if there is one, else on its own stream."""
        elicitation = bytes(members(envelope.params).get(ELICITATION_ID, ABSENT))
        session = self._elicited.pop((source, elicitation), None)
        if session is None:
            self.unclaimed += 1
            return
        message = notification(ELICITED, bytes(envelope.params))
        asking = (call for call in self._calls(source) if call.asked and call.asks is session.asks)
        if not any(call.tell(message) for call in asking):
            session.tell(str(source), message)

    def _take_message(self, source: Source, envelope: Envelope, respond: Respond) -> None:
        calls = self._placed(source, respond)
        if calls:
            calls[0].log(envelope)
        else:
            self.unclaimed += 1
            _upstream_log.info("%s: %s", source, bytes(envelope.params)[:1000].decode(errors="replace"))

    def _placed(self, source: Source, respond: Respond) -> Sequence[Call]:
        """The calls that a message may be about which says nothing of that, the one to be told of it first.

        None, if they are several clients', or if another client's call was answered on this connection a moment ago.
        """
        calls = self._calls(source) or self._alone(source, respond)
        if not calls or not _are_one_client_s(calls):
            return ()
        first = max(calls, key=lambda call: call.is_heard)
        line = self._lines.get(source)
        if line is not None and line.echoes_of_others(first.owner, self.time()):
            return ()
        return [first, *(call for call in calls if call is not first)]

    def drop(self, source: Supervisor) -> None:
        """A connection of one session's own is gone, and so is what it has asked outside its calls."""
        call = self._outside.pop(source, None)
        if call is not None:
            call.close(())

    def _alone(self, source: Source, respond: Respond) -> Collection[Call]:
        """What stands for a call where none is under way: the session whose own connection it is, if it is one's."""
        session = self.session_of(source)
        if session is None or not isinstance(source, Supervisor):
            return ()
        call = self._outside.get(source)
        if call is None:
            ctx = CallContext(Era.HANDSHAKE, session.revision, View(), session)
            ctx.emit = lambda message: _tell(session, message)
            call = self._outside[source] = Call(self, Line(source), ctx, respond, LONGEST, 0.0, LONGEST)
        call.attend(respond, session.log_level or DEFAULT_LOG_LEVEL)
        return (call,)


def _tell(session: Session, message: bytes) -> bool:
    """Send what belongs to no call to a session, if it listens; in no log, since a question is asked once."""
    if session.listener is None:
        return False
    session.listener.push(message)
    return True


def _are_one_client_s(calls: Collection[Call]) -> bool:
    """Whether all of these belong to one session, or there is one only."""
    owner: Owner | None = None
    for call in calls:
        if owner is None:
            owner = call.owner
        elif call.owner != owner or not call.is_session_s:
            return False
    return True
