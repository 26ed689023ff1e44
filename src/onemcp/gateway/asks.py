"""Asks: what an upstream asks of the client whose call it is answering, and where that client's answer belongs.

An ask lives in the session that it was put to, so no other session can answer it, and ends with its call.
"""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import count
from typing import Final

from msgspec import Raw

from onemcp.errors import RpcError
from onemcp.wire.envelope import (
    ABSENT,
    METHOD_NOT_FOUND,
    Envelope,
    encode,
    error_object,
    failure,
    open_object,
    success,
)

CAPABILITY: Final = {
    "sampling/createMessage": "sampling",
    "elicitation/create": "elicitation",
    "roots/list": "roots",
}
"""The requests that a server may send to a client, and what the client must have declared for each."""
MAX_ASKS: Final = 64
"""Asks that one session has open at a time."""
ABANDONED: Final = error_object(RpcError(-32800, "The call that this was asked for is over"))

Respond = Callable[[bytes], None]
"""Sends an encoded response to the upstream; drops it if the connection is gone."""


@dataclass(frozen=True, slots=True)
class Ask:
    """One open question to a client."""

    upstream_id: Raw
    """What the upstream calls it."""
    respond: Respond


class Asks:
    """The open questions to one client, by the ids that the gateway gave them."""

    __slots__ = ("_capabilities", "_open")

    _numbers = count(1)

    def __init__(self, capabilities: Raw) -> None:
        self._capabilities = capabilities
        self._open: dict[bytes, Ask] | None = None

    def objection(self, method: str) -> str:
        """Why the client cannot be asked this; empty if it can."""
        capability = CAPABILITY.get(method)
        if capability is None:
            return f"{method} is not offered to this server"
        try:
            declared = open_object(self._capabilities)
        except RpcError:
            declared = {}
        if capability not in declared:
            return f"the client does not support {capability}"
        return f"the client has {MAX_ASKS} questions unanswered" if len(self._open or ()) >= MAX_ASKS else ""

    def put(self, envelope: Envelope, respond: Respond) -> tuple[bytes, bytes]:
        """Open a question: its key, and the request for the client under an id of ours."""
        key = encode(f"ask-{next(self._numbers)}")
        if self._open is None:
            self._open = {}
        self._open[key] = Ask(envelope.id, respond)
        params = b',"params":%b' % bytes(envelope.params) if envelope.params is not ABSENT else b""
        return key, b'{"jsonrpc":"2.0","id":%b,"method":%b%b}' % (key, encode(envelope.method), params)

    def answer(self, envelope: Envelope) -> None:
        """Hand the client's response to the upstream that asked; one that answers nothing is ignored."""
        ask = self._open.pop(bytes(envelope.id), None) if self._open else None
        if ask is None:
            return
        if envelope.error is not ABSENT:
            ask.respond(failure(ask.upstream_id, envelope.error))
        else:
            ask.respond(success(ask.upstream_id, envelope.result))

    def abandon(self, key: bytes) -> None:
        """The call is over: the upstream is told that no answer will come."""
        ask = self._open.pop(key, None) if self._open else None
        if ask is not None:
            ask.respond(failure(ask.upstream_id, ABANDONED))

    def has_any(self, keys: set[bytes]) -> bool:
        """Whether one of these questions still waits for its answer."""
        return self._open is not None and not self._open.keys().isdisjoint(keys)

    def key_of(self, upstream_id: Raw, keys: set[bytes]) -> bytes | None:
        """Among these questions the one that an upstream calls by that id."""
        wanted = bytes(upstream_id)
        return next(
            (
                key
                for key in keys
                if self._open and key in self._open and bytes(self._open[key].upstream_id) == wanted
            ),
            None,
        )


def refusal(envelope: Envelope, objection: str) -> bytes:
    """The response to an upstream's request that nobody is asked."""
    return failure(envelope.id, error_object(RpcError(METHOD_NOT_FOUND, objection)))
