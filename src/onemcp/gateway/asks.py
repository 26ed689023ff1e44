"""Asks: what an upstream asks of the client whose call it is answering, and where that client's answer belongs.

An ask lives in whom it was put to, so nobody else can answer it, and ends with its call.
"""

import os
from collections.abc import Callable
from dataclasses import dataclass
from itertools import count
from typing import Final, Protocol

from msgspec import Raw

from onemcp.errors import RpcError
from onemcp.gateway.calls import CANCELLED
from onemcp.wire.capabilities import CAPABILITY, Required, declared_in, lacking, words
from onemcp.wire.envelope import (
    ABSENT,
    INTERNAL_ERROR,
    INVALID_PARAMS,
    METHOD_NOT_FOUND,
    Envelope,
    encode,
    error_object,
    failure,
    notification,
    success,
)
from onemcp.wire.inbound import MISSING_CAPABILITY

MAX_ASKS: Final = 64
"""Asks that one client has open at a time."""
ABANDONED: Final = error_object(RpcError(INTERNAL_ERROR, "The call that this was asked for is over"))

Respond = Callable[[bytes], None]
"""Sends an encoded response to the upstream; drops it if the connection is gone."""
Tell = Callable[[bytes], bool]
"""Sends a message to the client while its call is answered; False if it could not take it."""


class Asked(Protocol):
    """Whoever is asked in the course of a call."""

    def refusal(self, envelope: Envelope) -> RpcError | None:
        """Why this cannot be asked; None if it can."""

    def ask(self, envelope: Envelope, respond: Respond, tell: Tell, /) -> bytes:
        """Put a question that was not refused; the key that it has here."""

    def withdraw(self, key: bytes, tell: Tell, /) -> None:
        """The upstream has taken the question back."""

    def abandon(self, key: bytes) -> None:
        """The call is over: the upstream is told that no answer will come."""

    def has_any(self, keys: set[bytes]) -> bool:
        """Whether one of these questions still waits for its answer."""

    def key_of(self, upstream_id: Raw, keys: set[bytes]) -> bytes | None:
        """Among these questions the one that an upstream calls by that id."""


@dataclass(frozen=True, slots=True)
class Ask:
    """One open question to a client."""

    upstream_id: Raw
    """What the upstream calls it."""
    respond: Respond
    method: str
    params: Raw


class OpenAsks:
    """The open questions to one client by the keys that they have there: what is common to both eras."""

    __slots__ = ("open",)

    def __init__(self) -> None:
        self.open: dict[bytes, Ask] | None = None

    def keep(self, key: bytes, envelope: Envelope, respond: Respond) -> None:
        """A question is open."""
        if self.open is None:
            self.open = {}
        self.open[key] = Ask(envelope.id, respond, envelope.method, envelope.params)

    def full(self) -> RpcError | None:
        """The refusal of one more, if there are too many."""
        if len(self.open or ()) < MAX_ASKS:
            return None
        return RpcError(METHOD_NOT_FOUND, f"the client has {MAX_ASKS} questions unanswered")

    def withdraw(self, key: bytes, _tell: Tell, /) -> None:
        """See `Asked.withdraw`."""
        self.abandon(key)

    def abandon(self, key: bytes) -> None:
        """See `Asked.abandon`."""
        ask = self.open.pop(key, None) if self.open else None
        if ask is not None:
            ask.respond(failure(ask.upstream_id, ABANDONED))

    def abandon_all(self) -> None:
        """Nobody will answer any more."""
        for key in list(self.open or ()):
            self.abandon(key)

    def has_any(self, keys: set[bytes]) -> bool:
        """See `Asked.has_any`."""
        return self.open is not None and not self.open.keys().isdisjoint(keys)

    def key_of(self, upstream_id: Raw, keys: set[bytes]) -> bytes | None:
        """See `Asked.key_of`."""
        if not self.open:
            return None
        wanted = bytes(upstream_id)
        found = (key for key in keys & self.open.keys() if bytes(self.open[key].upstream_id) == wanted)
        return next(found, None)


class Asks(OpenAsks):
    """The open questions to the client of a session, by the ids that the gateway gave them."""

    __slots__ = ("_capabilities",)

    _numbers = count(
        int.from_bytes(os.urandom(5), "big")
    )  # a late answer to an earlier process is no answer here

    def __init__(self, capabilities: Raw) -> None:
        super().__init__()
        self._capabilities = capabilities

    def refusal(self, envelope: Envelope) -> RpcError | None:
        """See `Asked.refusal`."""
        declared = declared_in(self._capabilities)
        missing = lacking(declared, envelope.method, envelope.params)
        if missing:
            code = METHOD_NOT_FOUND if missing.keys() - declared.keys() else INVALID_PARAMS
            return RpcError(code, f"the client does not support {words(missing)}")
        return self.full()

    def ask(self, envelope: Envelope, respond: Respond, tell: Tell) -> bytes:
        """Send the question as a request of ours; abandoned at once if the client cannot take it."""
        key = encode(f"ask-{next(self._numbers)}")
        self.keep(key, envelope, respond)
        params = b',"params":%b' % bytes(envelope.params) if envelope.params is not ABSENT else b""
        if not tell(b'{"jsonrpc":"2.0","id":%b,"method":%b%b}' % (key, encode(envelope.method), params)):
            self.abandon(key)
        return key

    def withdraw(self, key: bytes, tell: Tell, /) -> None:
        """The client is told as well."""
        self.abandon(key)
        tell(notification(CANCELLED, b'{"requestId":%b}' % key))

    def answer(self, envelope: Envelope) -> None:
        """Hand the client's response to the upstream that asked; one that answers nothing is ignored."""
        ask = self.open.pop(bytes(envelope.id), None) if self.open else None
        if ask is None:
            return
        if envelope.error is not ABSENT:
            ask.respond(failure(ask.upstream_id, envelope.error))
        else:
            ask.respond(success(ask.upstream_id, envelope.result))


class Nobody(OpenAsks):
    """In the place of a client that can be asked nothing at all."""

    __slots__ = ("_why",)

    def __init__(self, why: str) -> None:
        """`why` is what the upstream is told; empty for a stateless client that has declared nothing."""
        super().__init__()
        self._why = why

    def refusal(self, envelope: Envelope) -> RpcError:
        """Always one."""
        if self._why:
            return RpcError(METHOD_NOT_FOUND, self._why)
        return missing_capability(lacking({}, envelope.method, envelope.params))

    def ask(self, envelope: Envelope, respond: Respond, _tell: Tell) -> bytes:
        """Refuse it here as well."""
        respond(refusal(envelope, self.refusal(envelope)))
        return b""


NO_CLIENT: Final = Nobody("the client takes no requests")
UNDECLARED: Final = Nobody("")
GONE: Final = Nobody("the client does not wait for this any more")
NOT_DURING_COMPLETION: Final = Nobody("a client of this revision cannot be asked during completion/complete")


def missing_capability(required: Required) -> RpcError:
    """The stateless era's error for what would need a capability that the client has not declared."""
    what = f"the client has not declared what this needs: {words(required)}"
    return RpcError(MISSING_CAPABILITY, what, {"requiredCapabilities": required}, status=400)


def not_offered(envelope: Envelope) -> RpcError | None:
    """The refusal of what no client is ever asked."""
    if envelope.method in CAPABILITY:
        return None
    return RpcError(METHOD_NOT_FOUND, f"{envelope.method} is not offered to this server")


def refusal(envelope: Envelope, why: RpcError) -> bytes:
    """The response to an upstream's request that nobody is asked."""
    return failure(envelope.id, error_object(why))
