"""One call under way, as far as messages about it go: who may be told, who may be asked, and until when."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Final

import msgspec
from msgspec import Raw, Struct
from msgspec.structs import replace

from onemcp.errors import RpcError
from onemcp.gateway import withheld
from onemcp.gateway.asks import GONE, NO_CLIENT, UNDECLARED, Asked, Respond, not_offered, refusal
from onemcp.gateway.context import CallContext
from onemcp.gateway.line import Line, Owner, Source
from onemcp.upstream.supervisor import Supervisor
from onemcp.wire.capabilities import Required, required
from onemcp.wire.envelope import Envelope, encode, notification, open_object, success
from onemcp.wire.inbound import MISSING_CAPABILITY
from onemcp.wire.inputs import ELICIT
from onemcp.wire.loglevel import passes
from onemcp.wire.revisions import Era

if TYPE_CHECKING:
    from onemcp.gateway.backchannel import Backchannel

PROGRESS: Final = "notifications/progress"
MESSAGE: Final = "notifications/message"
PATIENCE: Final = 600.0
"""Seconds for which a client that was asked is waited for; then the call's own time runs again."""
LONGEST_ECHO: Final = 60.0
"""Seconds for which an upstream that was told of a cancellation may still speak of the call."""
LONGEST: Final = 3600.0
"""Seconds that no call outlasts, whatever progress it shows."""
TOKEN: Final = "progressToken"  # noqa: S105 - the protocol's word for a name, not a secret


class Call(Struct, eq=False):
    """One call under way, as far as messages about it go."""

    _backchannel: "Backchannel"
    line: Line["Call"]
    """Where it is under way."""
    _ctx: CallContext
    respond: Respond
    """Answers a request of the upstream."""
    _timeout: float
    """Seconds that it has from its beginning, and from each sign of progress."""
    _began: float
    deadline: float
    own: int = 0
    """Our progress token; 0 if the client asked for no progress."""
    is_given_up: bool = False
    """Nobody waits for it any more."""
    is_overdue: bool = False
    """It was ended because its time was over."""
    asked: set[bytes] | None = None
    """The questions that were put to its client."""
    patient_until: float = 0.0
    """How long its time stands still because of them."""
    lingers_until: float = 0.0
    """How long what comes may be about it, once it was given up."""
    lacking: Required | None = None
    """What was asked for in it and its stateless client has not declared."""

    @property
    def source(self) -> Source:
        """The connection that it is under way on."""
        return self.line.source

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
        """End the call if its time is over; while its client is asked something the time stands still, for a while."""
        if self.asked and now < self.patient_until and self.asks.has_any(self.asked):
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
        own = own_answer(self.source, envelope)
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
        self.patient_until = self._backchannel.time() + PATIENCE

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

    def linger(self) -> None:
        """It has the time of one answer more, in which its upstream may speak of it."""
        self.lingers_until = self._backchannel.time() + min(self._timeout, LONGEST_ECHO)

    def silence(self) -> None:
        """Its client does not wait any more: nothing reaches it, and nothing ends it."""
        self.is_given_up = True
        asks = GONE if self._ctx.asks is not None else None  # a session's own are told apart by it
        self._ctx = replace(self._ctx, emit=None, task=None, asks=asks)

    @property
    def owner(self) -> Owner:
        """Whose call it is: a session, or the principal of a stateless client."""
        return self._ctx.session or self._ctx.principal

    @property
    def is_session_s(self) -> bool:
        """Whether its owner is one client for certain."""
        return self._ctx.session is not None

    @property
    def is_heard(self) -> bool:
        """Whether its client takes messages while it is answered."""
        return self._ctx.emit is not None


def own_answer(source: Source, envelope: Envelope) -> bytes | None:
    """The answer to what no client is asked: the gateway knows it, or it is switched off."""
    if isinstance(source, Supervisor):
        return source.answer(envelope) or withheld.answer(source.spec, envelope)
    return success(envelope.id, b"{}") if envelope.method == "ping" else None


def _severity(envelope: Envelope) -> str:
    try:
        return msgspec.json.decode(members(envelope.params).get("level", b""), type=str)
    except msgspec.DecodeError:
        return ""


def members(params: Raw) -> dict[str, Raw]:
    """The members of params, of which there are none if they are no object."""
    try:
        return open_object(params)
    except RpcError:
        return {}
