"""Handshake-era sessions: a sealed id, and the little that is remembered beside it.

Any later process with the same key recognises the id, so that a restart ends no session.
"""

import asyncio
import logging
import os
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Iterable, Iterator
from contextlib import contextmanager
from itertools import islice
from typing import Final, Protocol

import msgspec
from msgspec import Raw

from onemcp.errors import StoreError
from onemcp.gateway.asks import Asks
from onemcp.gateway.calls import Calls
from onemcp.gateway.listener import NOWHERE
from onemcp.gateway.streams import Stream
from onemcp.gateway.transcripts import Transcripts
from onemcp.seal.keyring import Keyring
from onemcp.store.base import Entries, Log
from onemcp.wire.envelope import encode, open_object

PURPOSE: Final = "mcp-session"
LIFETIME: Final = 7 * 24 * 3600.0
"""Seconds after which a session id is no longer accepted."""
MAX_REMEMBERED: Final = 10_000
"""Sessions whose record is in memory; an older one is rebuilt from its id when it comes back."""
IDLE: Final = 600.0
"""Seconds after which a session that has nothing open is in memory no longer; its id and what is kept stay good."""
SWEEP: Final = 30.0
_LOOKED_AT: Final = 64
"""Sessions that are looked at for one that can be forgotten, where there are too many."""
MAX_ENDED: Final = 100_000
"""Ended sessions whose id is remembered as such, until it would have expired; then the oldest are forgotten."""
MAX_GIVEN: Final = 256
_RELAYED: Final = {
    "elicitation": {"form", "url"},
    "roots": {"listChanged"},
    "sampling": {"tools", "context"},
    "tasks": set[str](),
}
MAX_CAPABILITIES: Final = 400
"""Bytes of client capabilities that fit into an id; larger ones are reduced to their names."""

_log = logging.getLogger("onemcp.gateway")


class Store(Entries, Log, Protocol):
    """Where sessions are kept: records as entries, streams in the log."""


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
        "is_over",
        "listener",
        "log_level",
        "position",
        "revision",
        "seen_at",
        "sid",
        "token",
        "told",
        "transcripts",
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
        self.position = NOWHERE
        """How far the client has heard its GET stream."""
        self.told = 0
        """The number of the last message that it was told there."""
        self.transcripts: Transcripts | None = None
        """Keeps its event streams; None where nothing is kept."""
        self.calls = Calls()
        self.asks = Asks(ticket.capabilities)
        self.listener: Stream | None = None
        """The stream that is open to the client for messages that answer no request."""
        self.watched: set[str] = set()
        """The URIs, as listed, that the client subscribed to."""
        self.is_over = False
        """Its client has deleted it."""
        self.seen_at = 0.0
        """When its client last sent anything; seconds since the epoch."""
        self.dirty = False
        """What is remembered of it has changed since it was last saved."""
        self.given: dict[str, str] = {}
        """URIs that results gave to the client, and which upstream's; the latest `MAX_GIVEN`."""

    @property
    def is_in_use(self) -> bool:
        """Whether its client has something open: its stream, a request, or a question."""
        return self.listener is not None or len(self.calls) > 0 or bool(self.asks.open)

    def note_given(self, uris: Iterable[str], upstream: str) -> None:
        """A result of this upstream gave these URIs to the client."""
        for uri in uris:
            self.given.pop(uri, None)
            self.given[uri] = upstream
        for uri in list(self.given)[: max(0, len(self.given) - MAX_GIVEN)]:
            del self.given[uri]

    def tell(self, upstream: str, message: bytes) -> None:
        """Send what answers no request, and comes from this upstream, to the client, now or when it listens again."""
        if self.transcripts is not None:
            # Milliseconds, so that a later process goes on with higher numbers without having to ask for them.
            self.told = max(self.told + 1, int(time.time() * 1000))
            self.transcripts.tell(self.sid, self.told, upstream, message)
        if self.listener is not None:
            self.listener.tell(message, upstream, self.told)

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


class Kept(msgspec.Struct, array_like=True):
    """What the store has of a session, until it expires."""

    log_level: str = ""
    watched: list[str] = []
    has_ended: bool = False
    """The client has deleted it: its id is good for nothing any more."""


_decode = msgspec.json.Decoder(Ticket).decode
_decode_kept = msgspec.json.Decoder(Kept).decode


class Sessions:
    """Opens, finds and ends sessions. `now` is seconds since the epoch, because ids outlive the process."""

    def __init__(self, keyring: Keyring, store: Store | None = None) -> None:
        """Without a store nothing but the ids outlives the process, and no stream can be resumed."""
        self._keyring = keyring
        self._store = store
        self._transcripts = Transcripts(store) if store is not None else None
        self._records: OrderedDict[str, Session] = OrderedDict()
        self._ended: dict[str, float] = {}
        self._timer: asyncio.TimerHandle
        self.is_full: Callable[[], bool] = lambda: False
        """Whether there is no room for new ones; set by whoever knows."""
        self.on_gone: list[Callable[[Session], None]] = []
        """Told of each session that has ended, or is no longer remembered."""

    def __len__(self) -> int:
        """Sessions in memory."""
        return len(self._records)

    def open(self, revision: str, endpoint: str, capabilities: Raw, now: float) -> Session:
        """A new session."""
        ticket = Ticket(os.urandom(16).hex(), revision, now + LIFETIME, endpoint, _reduced(capabilities))
        token = self._keyring.seal(PURPOSE, msgspec.json.encode(ticket))
        return self._remember(Session(token, ticket), now)

    def find(self, token: str, endpoint: str, now: float) -> Session | None:
        """The session of an id, if it is in memory; None for an expired one, and for one of another endpoint."""
        session = self._records.get(token)
        if session is None:
            return None
        if session.expires <= now or session.endpoint != endpoint:
            return None
        self._records.move_to_end(token)
        session.seen_at = now
        return session

    async def recall(
        self, token: str, endpoint: str, now: float, adopt: Callable[[Session], Awaitable[None]]
    ) -> Session | None:
        """The session of an id that is not in memory; None for an unknown, ended or expired one.

        `adopt` is called for a session that is rebuilt, before the first request of it goes on.
        """
        payload = self._keyring.open(PURPOSE, token)
        if payload is None:
            return None
        ticket = _decode(payload)
        if ticket.expires <= now or ticket.endpoint != endpoint:
            return None
        kept = await self._kept(ticket.sid, now)
        if kept.has_ended or ticket.sid in self._ended:
            return None
        known = self.find(token, endpoint, now)  # somebody else may have recalled it meanwhile
        if known is not None:
            return known
        session = self._remember(Session(token, ticket), now)
        session.log_level = kept.log_level
        session.watched = set(kept.watched)
        await adopt(session)
        return session

    async def save(self, session: Session) -> None:
        """Keep what is remembered of a session; where that fails it is lost with the process, and the log says so."""
        session.dirty = False
        if session.is_over:
            return
        await self._keep(session, Kept(session.log_level, sorted(session.watched)))

    async def end(self, session: Session, now: float) -> None:
        """The client is done: what it has asked for ends, and its id is refused, also by a later process."""
        session.is_over = True
        session.calls.end_all()
        session.asks.abandon_all()
        if self._records.pop(session.token, None) is not None:
            self._forget(session)
        self._ended[session.sid] = session.expires
        while self._ended:
            sid, expires = next(iter(self._ended.items()))
            if expires > now and len(self._ended) <= MAX_ENDED:
                break
            del self._ended[sid]
        await self._keep(session, Kept(has_ended=True))
        if self._transcripts is not None:
            try:
                await self._transcripts.drop(session.sid)
            except StoreError as error:
                _log.warning("the streams of a session that has ended stay until they are too old: %s", error)

    async def _kept(self, sid: str, now: float) -> Kept:
        """The record of a session; the defaults where there is none, or none that can be read."""
        if self._store is None:
            return Kept()
        try:
            entry = await self._store.get(f"session/{sid}", now)
            return _decode_kept(entry.value) if entry is not None else Kept()
        except (StoreError, msgspec.DecodeError) as error:
            _log.warning("a session goes on without its log level and subscriptions: %s", error)
            return Kept()

    async def _keep(self, session: Session, kept: Kept) -> None:
        if self._store is None:
            return
        try:
            await self._store.put(f"session/{session.sid}", encode(kept), session.expires, time.time())
        except StoreError as error:
            _log.warning("what is remembered of a session is lost with this process: %s", error)

    def _forget(self, session: Session) -> None:
        for tell in self.on_gone:
            tell(session)

    def _remember(self, session: Session, now: float) -> Session:
        if len(self._records) >= MAX_REMEMBERED:
            self._make_room()
        self._records[session.token] = session
        session.seen_at = now
        session.transcripts = self._transcripts
        return session

    def _make_room(self) -> None:
        """Forget the one that was seen longest ago and has nothing open, if there is one among the first."""
        for token, session in list(islice(self._records.items(), _LOOKED_AT)):
            if not session.is_in_use:
                del self._records[token]
                self._forget(session)
                return
            self._records.move_to_end(token)

    def sweep(self, now: float) -> None:
        """Forget those of which nothing was seen for a while, and what is held for them."""
        for token, session in list(self._records.items()):
            if session.expires <= now or (now - session.seen_at >= IDLE and not session.is_in_use):
                del self._records[token]
                self._forget(session)

    @contextmanager
    def sweeping(self) -> Iterator[None]:
        """Sweep now and then while the block runs."""
        loop = asyncio.get_running_loop()

        def sweep() -> None:
            self.sweep(time.time())
            self._timer = loop.call_later(SWEEP, sweep)

        self._timer = loop.call_later(SWEEP, sweep)
        try:
            yield
        finally:
            self._timer.cancel()


def _reduced(capabilities: Raw) -> Raw:
    """Client capabilities small enough for an id: of large ones the gateway's business, and of that the names."""
    if len(bytes(capabilities)) <= MAX_CAPABILITIES:
        return capabilities
    members = open_object(capabilities)
    return Raw(
        encode(
            {
                name: {part: {} for part in sorted(parts & open_object(members[name]).keys())}
                for name, parts in _RELAYED.items()
                if name in members
            }
        )
    )
