"""Handshake-era sessions: a sealed id, and the little that is remembered beside it.

Any later process with the same key recognises the id, so that a restart ends no session.
"""

import os
from collections import OrderedDict
from collections.abc import Callable, Iterable
from typing import Final

import msgspec
from msgspec import Raw

from onemcp.gateway.asks import Asks
from onemcp.gateway.calls import Calls
from onemcp.gateway.streams import Stream
from onemcp.seal.keyring import Keyring
from onemcp.wire.envelope import encode, open_object

PURPOSE: Final = "mcp-session"
LIFETIME: Final = 7 * 24 * 3600.0
"""Seconds after which a session id is no longer accepted."""
MAX_REMEMBERED: Final = 10_000
"""Sessions whose record is in memory; an older one is rebuilt from its id when it comes back."""
MAX_ENDED: Final = 100_000
"""Ended sessions whose id is remembered as such, until it would have expired; then the oldest are forgotten."""
MAX_GIVEN: Final = 256
MAX_CAPABILITIES: Final = 400
"""Bytes of client capabilities that fit into an id; larger ones are reduced to their names."""


class Session:
    """One handshake-era client."""

    __slots__ = (
        "asks",
        "calls",
        "capabilities",
        "dirty",
        "endpoint",
        "expires",
        "given",
        "listener",
        "log_level",
        "revision",
        "seen",
        "sid",
        "token",
        "watched",
    )

    def __init__(self, token: str, ticket: "Ticket") -> None:
        self.token = token
        self.sid = ticket.sid
        self.revision = ticket.revision
        self.expires = ticket.expires
        self.endpoint = ticket.endpoint
        self.capabilities = ticket.capabilities
        self.log_level = ""
        self.seen = -1
        """The last notice (of `Notifier`) that reached the client; negative for a client of a process before."""
        self.calls = Calls()
        self.asks = Asks(ticket.capabilities)
        self.listener: Stream | None = None
        """The stream that is open to the client for messages that answer no request."""
        self.watched: set[str] = set()
        """The URIs, as listed, that the client subscribed to."""
        self.dirty = False
        """What is remembered of it has changed since it was last saved."""
        self.given: dict[str, str] = {}
        """URIs that results gave to the client, and which upstream's; the latest `MAX_GIVEN`."""

    def note_given(self, uris: Iterable[str], upstream: str) -> None:
        """A result of this upstream gave these URIs to the client."""
        for uri in uris:
            self.given.pop(uri, None)
            self.given[uri] = upstream
        for uri in list(self.given)[: max(0, len(self.given) - MAX_GIVEN)]:
            del self.given[uri]

    def tell(self, upstream: str, message: bytes) -> None:
        """Send what answers no request, and comes from this upstream, to the client."""
        if self.listener is not None:
            self.listener.push(message)

    def __repr__(self) -> str:
        """Id (shortened) and revision."""
        return f"<Session {self.sid[:8]} {self.revision}>"


class Ticket(msgspec.Struct, array_like=True):
    """What is sealed into a session id."""

    sid: str
    revision: str
    expires: float
    endpoint: str
    """The path's server, so that an id is good for one endpoint only."""
    capabilities: Raw


_decode = msgspec.json.Decoder(Ticket).decode


class Sessions:
    """Opens, finds and ends sessions. `now` is seconds since the epoch, because ids outlive the process."""

    def __init__(self, keyring: Keyring) -> None:
        self._keyring = keyring
        self._records: OrderedDict[str, Session] = OrderedDict()
        self._ended: dict[str, float] = {}
        self.on_gone: list[Callable[[Session], None]] = []
        """Told of each session that has ended, or is no longer remembered."""

    def __len__(self) -> int:
        """Sessions in memory."""
        return len(self._records)

    def open(self, revision: str, endpoint: str, capabilities: Raw, now: float) -> Session:
        """A new session."""
        ticket = Ticket(os.urandom(16).hex(), revision, now + LIFETIME, endpoint, _reduced(capabilities))
        token = self._keyring.seal(PURPOSE, msgspec.json.encode(ticket))
        return self._remember(Session(token, ticket))

    def find(self, token: str, endpoint: str, now: float) -> Session | None:
        """The session of an id; None for an unknown, ended or expired one, and for one of another endpoint."""
        session = self._records.get(token)
        if session is None:
            session = self._rebuild(token)
        else:
            self._records.move_to_end(token)
        if session is None or session.expires <= now or session.endpoint != endpoint:
            return None
        return session

    def end(self, session: Session, now: float) -> None:
        """The client is done; its id is refused from now on."""
        if self._records.pop(session.token, None) is not None:
            self._forget(session)
        self._ended[session.sid] = session.expires
        while self._ended:
            sid, expires = next(iter(self._ended.items()))
            if expires > now and len(self._ended) <= MAX_ENDED:
                break
            del self._ended[sid]

    def _forget(self, session: Session) -> None:
        for tell in self.on_gone:
            tell(session)

    def _rebuild(self, token: str) -> Session | None:
        payload = self._keyring.open(PURPOSE, token)
        if payload is None:
            return None
        ticket = _decode(payload)
        return None if ticket.sid in self._ended else self._remember(Session(token, ticket))

    def _remember(self, session: Session) -> Session:
        if len(self._records) >= MAX_REMEMBERED:
            self._forget(self._records.popitem(last=False)[1])
        self._records[session.token] = session
        return session


def _reduced(capabilities: Raw) -> Raw:
    """Client capabilities small enough for an id: in large ones only the gateway's business, by name."""
    if len(bytes(capabilities)) <= MAX_CAPABILITIES:
        return capabilities
    names = open_object(capabilities).keys() & {"roots", "sampling", "elicitation", "tasks"}
    return Raw(encode({name: {} for name in sorted(names)}))
