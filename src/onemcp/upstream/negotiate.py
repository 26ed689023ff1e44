"""Finding out which revision an upstream speaks, and agreeing on it.

Stateless first: a `server/discover` that is answered settles it. What an upstream does instead decides whether an
`initialize` follows; the table of the design's page says what means what. The caller remembers the answer.
"""

from dataclasses import dataclass, field
from typing import Final

import msgspec
from msgspec import Raw

from onemcp.core.spec import UpstreamSpec
from onemcp.errors import Reason, RpcError, UpstreamError
from onemcp.upstream.channel import Channel, Reply, Request
from onemcp.upstream.connection import Connection, upstream_says
from onemcp.upstream.status import HttpStatusError
from onemcp.wire.capabilities import without
from onemcp.wire.envelope import ABSENT, METHOD_NOT_FOUND, encode, open_object
from onemcp.wire.revisions import ERAS, HANDSHAKE_REVISIONS, LATEST_HANDSHAKE, STATELESS_REVISIONS, Era
from onemcp.wire.translate import stateless_meta

PROBE_TIMEOUT: Final = 10.0
"""Seconds of silence after which a child is taken for one that only knows the handshake (slow ones need 2)."""
_UNSUPPORTED: Final = -32022
_STATELESS_ERRORS: Final = frozenset({-32020, -32021, _UNSUPPORTED})
_RELAYED: Final = ("sampling", "elicitation", "roots")
_NOT_STATELESS: Final = frozenset({400, 404, 405, 406})


ALL: Final = Raw(b'{"sampling":{},"elicitation":{"form":{},"url":{}}}')
"""What a connection that many share declares: each of it is asked of the client whose call it is, or refused."""
WITH_ROOTS: Final = Raw(b'{"sampling":{},"elicitation":{"form":{},"url":{}},"roots":{}}')


def declared(spec: UpstreamSpec, client: Raw | None = None) -> Raw:
    """The client capabilities to declare to an upstream.

    Those of everybody, or, on a connection of its own, of the one `client` (its capabilities as it declared them);
    nothing that is withheld.
    """
    if client is None:
        whole = WITH_ROOTS if spec.roots is not None else ALL
        return without(whole, spec.withheld) if spec.withheld else whole
    theirs = open_object(client)
    relayed = {name: theirs[name] for name in _RELAYED if name in theirs and name not in spec.withheld}
    if spec.roots is not None and spec.roots.given:
        relayed["roots"] = Raw(b"{}")
    return Raw(encode(relayed))


@dataclass(frozen=True, slots=True)
class Identity:
    """How the gateway introduces itself to upstreams."""

    name: str
    version: str
    instance: str
    """A random token of this process, by which it recognises itself."""

    def client_info(self) -> Raw:
        """`clientInfo` as JSON."""
        return Raw(encode({"name": self.name, "version": self.version}))


@dataclass(frozen=True, slots=True)
class Manner:
    """What is known beforehand about one upstream."""

    server: str
    timeout: float
    """Seconds for the whole negotiation."""
    pinned: str = ""
    """The revision to speak, from the configuration."""
    known: Era | None = None
    """The era that an earlier connection found."""
    capabilities: Raw = field(default_factory=lambda: ALL)
    """What is declared to an upstream of the handshake era."""


async def negotiate(channel: Channel, manner: Manner, identity: Identity) -> Connection:
    """Agree on a revision over a fresh channel.

    Raises:
        UpstreamError: it did not answer, answered nonsense, or only speaks revisions that we do not.
    """
    era = ERAS[manner.pinned] if manner.pinned else manner.known
    if era is not Era.HANDSHAKE:
        connection = await _discover(channel, manner, identity, certain=bool(manner.pinned))
        if connection is not None:
            return connection
    return await _initialize(channel, manner, identity)


async def _discover(
    channel: Channel, manner: Manner, identity: Identity, *, certain: bool
) -> Connection | None:
    """A stateless connection, or None if the upstream is of the handshake era."""
    meta = stateless_meta(identity.client_info())
    reply = await _probe(channel, manner, meta, certain=certain)
    if reply is not None and _offered(reply.error) & set(STATELESS_REVISIONS):
        # It wants to be asked in a revision that it names (2026-07-28, version negotiation), which is ours: once more.
        reply = await _probe(channel, manner, meta, certain=certain)
    if reply is None:
        return None
    if reply.error is not ABSENT:
        failure = upstream_says(reply.error)
        offered = _offered(reply.error)
        only_handshake = bool(offered) and offered <= set(HANDSHAKE_REVISIONS)
        if certain or (failure.code in _STATELESS_ERRORS and not only_handshake):
            raise _refused(manner, failure)
        return None
    result = open_object(reply.result)
    revision = _common(result.get("supportedVersions"))
    if not revision:
        if certain:
            raise UpstreamError(
                manner.server, Reason.PROTOCOL, f"does not speak the pinned revision {manner.pinned}"
            )
        return None
    channel.adopt(revision)
    return Connection(
        channel,
        revision,
        open_object(result.get("capabilities", ABSENT)),
        open_object(result.get("_meta", ABSENT)).get("io.modelcontextprotocol/serverInfo", Raw(b"{}")),
        _text(result.get("instructions")),
        meta,
    )


async def _probe(channel: Channel, manner: Manner, meta: dict[str, Raw], *, certain: bool) -> Reply | None:
    """The answer to `server/discover`; None for one that only a server of the handshake era gives."""
    timeout = manner.timeout if certain else min(PROBE_TIMEOUT, manner.timeout / 2)
    try:
        return await channel.request(Request("server/discover", encode({"_meta": meta}), timeout))
    except HttpStatusError as error:
        if error.code in _STATELESS_ERRORS and error.error:
            return Reply(ABSENT, Raw(error.error))
        if error.status in _NOT_STATELESS and not certain:
            return None
        raise
    except UpstreamError as error:
        if error.reason is Reason.TIMEOUT and not certain:
            return None
        raise


def _offered(error: Raw) -> set[str]:
    """The revisions that an error -32022 says are spoken; empty for anything else."""
    try:
        members = open_object(error) if error is not ABSENT else {}
        if bytes(members.get("code", b"")) != b"%d" % _UNSUPPORTED:
            return set()
        supported = open_object(members.get("data", ABSENT)).get("supported", b"[]")
        return set(msgspec.json.decode(supported, type=list[str]))
    except (RpcError, msgspec.DecodeError):
        return set()


def _common(supported: Raw | None) -> str:
    """The newest stateless revision that both sides speak; empty if none."""
    try:
        theirs = msgspec.json.decode(supported, type=list[str]) if supported else []
    except msgspec.DecodeError:
        return ""
    return next((revision for revision in STATELESS_REVISIONS if revision in theirs), "")


async def _initialize(channel: Channel, manner: Manner, identity: Identity) -> Connection:
    params = {
        "protocolVersion": manner.pinned or LATEST_HANDSHAKE,
        "capabilities": manner.capabilities,
        "clientInfo": identity.client_info(),
    }
    reply = await channel.request(Request("initialize", encode(params), manner.timeout))
    if reply.error is not ABSENT:
        raise _refused(manner, upstream_says(reply.error))
    result = open_object(reply.result)
    if identity.instance.encode() in bytes(reply.result):
        raise UpstreamError(
            manner.server, Reason.PROTOCOL, "is this gateway itself; take it out of the configuration"
        )
    revision = _text(result.get("protocolVersion"))
    if revision not in HANDSHAKE_REVISIONS:
        raise UpstreamError(
            manner.server,
            Reason.PROTOCOL,
            f"answered with the revision {revision!r}, and we speak {', '.join(HANDSHAKE_REVISIONS)}",
        )
    channel.adopt(revision)
    await channel.notify("notifications/initialized")
    return Connection(
        channel,
        revision,
        open_object(result.get("capabilities", ABSENT)),
        result.get("serverInfo", Raw(b"{}")),
        _text(result.get("instructions")),
    )


def _refused(manner: Manner, error: RpcError) -> UpstreamError:
    what = f"refused the connection with {error.code} {error.message}"
    if error.code == METHOD_NOT_FOUND:
        what += "; is it an MCP server?"
    return UpstreamError(manner.server, Reason.PROTOCOL, what)


def _text(raw: Raw | None) -> str:
    try:
        return msgspec.json.decode(raw, type=str) if raw else ""
    except msgspec.DecodeError:
        return ""
