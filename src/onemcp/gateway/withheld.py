"""What upstreams may not ask because it is switched off: it is not declared to them, and refused if they ask all the same.

Upstreams of the handshake era learn at the beginning of a connection what clients can answer (`upstream/negotiate.py`),
those of the stateless era with each request; so it is refused as a request in the one, and as a result in the other.
"""

from collections.abc import Iterator

import msgspec
from msgspec import Raw

from onemcp.core.spec import UpstreamSpec
from onemcp.errors import RpcError
from onemcp.upstream.channel import Reply
from onemcp.wire.capabilities import CAPABILITY, without
from onemcp.wire.envelope import (
    ABSENT,
    INTERNAL_ERROR,
    METHOD_NOT_FOUND,
    Envelope,
    encode,
    error_object,
    failure,
    mentions,
    open_object,
)
from onemcp.wire.inputs import INPUT_REQUIRED, url_elicitations
from onemcp.wire.translate import CAPABILITIES_KEY


def answer(spec: UpstreamSpec, envelope: Envelope) -> bytes | None:
    """The response to a request that this upstream may not make of a client; None for any other."""
    name = CAPABILITY.get(envelope.method, "")
    if name not in spec.withheld:
        return None
    what = f"{envelope.method} is not offered: features.{name} is switched off in this gateway"
    return failure(envelope.id, error_object(RpcError(METHOD_NOT_FOUND, what)))


def undeclare(params: dict[str, Raw], spec: UpstreamSpec) -> None:
    """Take what is withheld out of the client capabilities in params that a stateless upstream gets."""
    meta = open_object(params["_meta"])
    meta[CAPABILITIES_KEY] = without(meta.get(CAPABILITIES_KEY, ABSENT), spec.withheld)
    params["_meta"] = Raw(encode(meta))


def check(spec: UpstreamSpec, reply: Reply) -> None:
    """Pass an answer that asks for nothing that is withheld.

    Raises:
        RpcError: -32603, naming it: whatever the client does, the call cannot go on.
    """
    asked = sorted({CAPABILITY.get(method, "") for method in _asked(reply)} & spec.withheld)
    if asked:
        names = " and ".join(f"features.{name}" for name in asked)
        what = f"{spec.name}: asks its client before it answers, and {names} is switched off in this gateway"
        raise RpcError(INTERNAL_ERROR, what)


def _asked(reply: Reply) -> Iterator[str]:
    """The methods of what an answer asks for."""
    if reply.error is not ABSENT:
        if url_elicitations(reply.error):
            yield "elicitation/create"
        return
    if not mentions(reply.result, INPUT_REQUIRED):
        return
    try:
        members = open_object(reply.result)
        if bytes(members.get("resultType", b"")) == INPUT_REQUIRED:
            for question in msgspec.json.decode(
                members.get("inputRequests", b"{}"), type=dict[str, _Question]
            ).values():
                yield question.method
    except (RpcError, msgspec.DecodeError):
        return  # no result that asks: whoever has to open it will say so


class _Question(msgspec.Struct):
    method: str = ""
