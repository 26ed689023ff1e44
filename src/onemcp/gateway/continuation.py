"""Continuations: the sealed `requestState` of an answer that asks, and what has to be true of whoever brings it back.

A state is an attacker's word until it is opened: it is good for the same request of the same principal on the same
endpoint only, and for a while. Whatever is wrong with one, the refusal says the same.

Source: multi round-trip requests, requestState (2026-07-28).
"""

import hashlib
import time
from dataclasses import dataclass
from typing import Final

import msgspec
from msgspec import Raw

from onemcp.core.catalog import Route
from onemcp.errors import Reason, RpcError, UpstreamError
from onemcp.gateway.context import CallContext
from onemcp.seal.keyring import Keyring
from onemcp.wire.envelope import ABSENT, INVALID_PARAMS, encode
from onemcp.wire.inputs import STATE

PURPOSE: Final = "mcp-request-state"
LIFETIME: Final = 24 * 3600.0
"""Seconds that a state is good which names no call of this process."""
MAX_RELAYED: Final = 96 * 1024
"""Bytes of an upstream's own state."""
_MAX_TOKEN: Final = MAX_RELAYED * 2

_decode_value = msgspec.json.Decoder().decode
_decode_text = msgspec.json.Decoder(str).decode
_encode_sorted = msgspec.json.Encoder(order="sorted").encode


class Parked(msgspec.Struct, array_like=True, frozen=True, tag="parked"):
    """One round of a call that waits in this process."""

    binding: str
    instance: str
    """The process."""
    number: int
    """The call."""
    round: int
    """Each is good once."""


class Again(msgspec.Struct, array_like=True, frozen=True, tag="again"):
    """The call has ended, and is made again once the client has done what it was asked."""

    binding: str
    expires: float


class Relayed(msgspec.Struct, array_like=True, frozen=True, tag="relayed"):
    """The state of a stateless upstream."""

    binding: str
    expires: float
    state: str


State = Parked | Again | Relayed

_decode = msgspec.json.Decoder(State).decode


@dataclass(frozen=True, slots=True)
class Subject:
    """What a state is bound to: who asked what of whom, and where."""

    ctx: CallContext
    method: str
    route: Route
    arguments: Raw

    @property
    def binding(self) -> str:
        """A digest of it; arguments are the same whatever the order of their members."""
        principal = self.ctx.principal
        parts = [
            self.ctx.endpoint,
            principal.issuer,
            principal.subject,
            principal.client_id,
            self.route.upstream,
            self.method,
            self.route.key,
            _canonical(self.arguments),
        ]
        return hashlib.sha256(encode(parts)).hexdigest()


def _canonical(arguments: Raw) -> bytes:
    """The same bytes for the same value; what no decoder can hold stands for itself."""
    try:
        return _encode_sorted(_decode_value(arguments)) if arguments is not ABSENT else b""
    except (msgspec.MsgspecError, ValueError, OverflowError, RecursionError):
        return bytes(arguments)


class Continuations:
    """Seals and opens states."""

    def __init__(self, keyring: Keyring, instance: str, lifetime: float = LIFETIME) -> None:
        self._keyring = keyring
        self._lifetime = lifetime
        self._instance = instance

    def parked(self, subject: Subject, number: int, turn: int) -> str:
        """The state of a round of a call of this process."""
        return self._seal(Parked(subject.binding, self._instance, number, turn))

    def again(self, subject: Subject) -> str:
        """The state of a call that is to be made again."""
        return self._seal(Again(subject.binding, time.time() + self._lifetime))

    def relayed(self, subject: Subject, state: Raw) -> Raw:
        """The state in which that of an upstream is wrapped, as JSON.

        Raises:
            UpstreamError: it is no text, or too long.
        """
        try:
            inner = _decode_text(state)
        except msgspec.DecodeError:
            inner = None
        if inner is None or len(bytes(state)) > MAX_RELAYED:
            what = f"answered with a {STATE} that is no text of at most {MAX_RELAYED >> 10} KiB"
            raise UpstreamError(subject.route.upstream, Reason.PROTOCOL, what)
        return Raw(encode(self._seal(Relayed(subject.binding, time.time() + self._lifetime, inner))))

    def open(self, subject: Subject, token: Raw) -> State:
        """The state that a client has brought.

        Raises:
            RpcError: `refused()`: none of ours, or not for this.
        """
        try:
            payload = self._keyring.open(PURPOSE, _decode_text(token), _MAX_TOKEN)
        except msgspec.DecodeError:
            payload = None
        if payload is None:
            raise refused()
        state: State = _decode(payload)
        good = state.instance == self._instance if isinstance(state, Parked) else time.time() < state.expires
        if state.binding != subject.binding or not good:
            raise refused()
        return state

    def _seal(self, state: State) -> str:
        return self._keyring.seal(PURPOSE, msgspec.json.encode(state))


def refused() -> RpcError:
    """The one answer to a state that is not good, so that nobody learns why."""
    what = f"the {STATE} is not good for this request (any more): call again without it"
    return RpcError(INVALID_PARAMS, what, status=400)
