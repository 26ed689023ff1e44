"""Watches: who watches which resource of which upstream, and hears of its updates.

A watcher is a session of the handshake era or a stream of `subscriptions/listen`. What several watch is subscribed to
once; the upstream's supervisor keeps that alive over restarts (`upstream/watched.py`).

Source: server/resources, subscriptions (2025-11-25); basic/patterns/subscriptions (2026-07-28).
"""

import asyncio
import logging
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final
from weakref import WeakKeyDictionary

from msgspec import Raw

from onemcp.core.changes import RESOURCE_UPDATED
from onemcp.core.merge import relisted
from onemcp.core.offering import Listing
from onemcp.core.spec import Isolation
from onemcp.errors import OnemcpError, Reason, RpcError, UpstreamError
from onemcp.gateway.context import CallContext
from onemcp.gateway.failures import as_rpc_error
from onemcp.gateway.owned import owner
from onemcp.gateway.resolver import Resolver
from onemcp.gateway.sessions import Session
from onemcp.gateway.streams import MAX_QUEUED, Stream
from onemcp.upstream.supervisor import Supervisor
from onemcp.wire.envelope import INVALID_PARAMS, Envelope, encode, notification, open_object, text

if TYPE_CHECKING:
    from onemcp.gateway.runtime import Runtime

MAX_PER_CLIENT: Final = MAX_QUEUED // 2
"""Resources that one session or stream watches at a time: all may be told of at once, after a restart."""
SUBSCRIBE: Final = "resources/subscribe"
SUBSCRIPTION: Final = "io.modelcontextprotocol/subscriptionId"

_BOUNDARIES: Final = frozenset("/?#")
MAX_DEPTH: Final = 128
"""Parts of a URI of which an update may be told to those who watch what is above it."""

Watcher = Session | Stream
_log = logging.getLogger("onemcp.gateway")


@dataclass(slots=True, eq=False)
class Watch:
    """One resource that one client watches."""

    watcher: Watcher
    uri: str
    """What the client calls it."""
    key: str
    """What the upstream calls it."""
    upstream: str
    owner: str
    """Whose connection tells of it; empty for the one that all share."""
    ctx: CallContext
    """Who asked, and what that request may see."""

    @property
    def place(self) -> tuple[str, str]:
        """The connection, whatever supervisor it has at the moment."""
        return self.upstream, self.owner


class Watches:
    """All watches, by watcher and by resource."""

    def __init__(self, runtime: "Runtime") -> None:
        self._runtime = runtime
        self._resolver = Resolver(runtime)
        self._mine: dict[Watcher, dict[str, Watch]] = {}
        self._watched: dict[tuple[str, str], dict[str, set[Watch]]] = {}
        self._owners: WeakKeyDictionary[Supervisor, str] = WeakKeyDictionary()
        self._homeless: dict[Session, CallContext] = {}
        """Sessions some of whose resources cannot be watched again yet."""
        self._work: asyncio.Task[None] | None = None
        self._again = False
        self.unclaimed = 0
        """Updates of what nobody watches (any more)."""

    def __len__(self) -> int:
        """How many watches there are."""
        return sum(map(len, self._mine.values()))

    async def subscribe(self, ctx: CallContext, watcher: Watcher, uri: str) -> None:
        """Watch a resource; returns when its upstream has agreed.

        Raises:
            RpcError: it leads nowhere in this view, the upstream does not agree, or too much is watched.
        """
        try:
            await self._begin(ctx, watcher, uri)
        except UpstreamError as error:
            raise as_rpc_error(error) from error

    def unsubscribe(self, watcher: Watcher, uri: str) -> None:
        """Watch a resource no more; one that is not watched is fine."""
        watch = self._mine.get(watcher, {}).get(uri)
        if watch is not None:
            self._remove(watch)
        if isinstance(watcher, Session) and uri in watcher.watched:
            watcher.watched.discard(uri)
            watcher.dirty = True

    def forget(self, watcher: Watcher) -> None:
        """A client has gone; what a session has watched stays noted with the session."""
        for watch in list(self._mine.get(watcher, {}).values()):
            self._remove(watch)
        self._mine.pop(watcher, None)
        if isinstance(watcher, Session):
            self._homeless.pop(watcher, None)

    async def adopt(self, ctx: CallContext) -> None:
        """Watch again what the session of this context has watched: in the background, each as soon as that can be.

        It then hears of an update of each, since it may have missed one.
        """
        if ctx.session is not None and ctx.session.watched:
            self._homeless[ctx.session] = _lasting(ctx)
            self._settle()

    def restore(self, supervisor: Supervisor, owner: str = "") -> None:
        """A supervisor is new: it is to watch what one before it did for the same owner."""
        self._owners[supervisor] = owner
        supervisor.watched.restore(self._watched.get((supervisor.spec.name, owner), ()))

    def came(self) -> None:
        """An upstream has become ready, and may be the one that something waits for."""
        if self._homeless or any(owner for _, owner in self._watched):
            self._settle()

    def updated(self, supervisor: Supervisor, envelope: Envelope) -> None:
        """An upstream says that a resource was updated, or one below it. Never raises."""
        try:
            params = open_object(envelope.params)
            uri = text(params.get("uri"), "uri")
        except RpcError as error:
            _log.debug("%s: an update of no resource: %s", supervisor, error.message)
            return
        watched = self._watched.get((supervisor.spec.name, self._owners.get(supervisor, "")), {})
        told: set[tuple[Watcher, str]] = set()
        for key in _and_above(uri):
            for watch in watched.get(key, ()):
                named = (watch.watcher, self._listed(watch, uri))
                if named not in told and self._sees(watch):
                    told.add(named)
                    _tell(*named, watch.upstream, params)
        self.unclaimed += not told

    async def aclose(self) -> None:
        """Take up nothing any more."""
        self._again = False
        if self._work is not None:
            self._work.cancel()
            await asyncio.gather(self._work, return_exceptions=True)

    async def _begin(self, ctx: CallContext, watcher: Watcher, uri: str) -> None:
        mine = self._mine.setdefault(watcher, {})
        route = await self._resolver.resolve(ctx, SUBSCRIBE, Listing.RESOURCES, uri)
        shared = self._runtime.pool.get(route.upstream)
        if shared is None or self._mine.get(watcher) is not mine:
            raise RpcError(INVALID_PARAMS, "what was to be watched, or whoever asked, is gone meanwhile")
        if uri not in mine and len(mine) >= MAX_PER_CLIENT:
            what = f"{MAX_PER_CLIENT} resources are watched already; unsubscribe from some"
            raise RpcError(INVALID_PARAMS, what)
        if shared.spec.partitioning.isolation is Isolation.SHARED:
            watch = Watch(watcher, uri, route.key, route.upstream, "", _lasting(ctx))
            await self._ask(shared, watch)
            return
        watch = Watch(watcher, uri, route.key, route.upstream, owner(ctx), _lasting(ctx))
        with self._runtime.owned.lease(ctx, shared) as own:
            await self._ask(own, watch)

    async def _ask(self, supervisor: Supervisor, watch: Watch) -> None:
        """Have the upstream agree; the watch stands from before that, so that no update is lost in between."""
        known = self._add(watch)
        try:
            if watch.key not in supervisor.watched:
                await supervisor.ready(self._runtime.options.call_wait)
            await supervisor.watched.want(watch.key)
        except BaseException:
            if known is watch:  # Else somebody asked twice, and it is the other one's.
                self._remove(watch)
            raise
        session = watch.watcher
        if (
            isinstance(session, Session)
            and self._mine.get(session, {}).get(watch.uri) is known
            and watch.uri not in session.watched
        ):
            session.watched.add(watch.uri)
            session.dirty = True

    def _add(self, watch: Watch) -> Watch:
        mine = self._mine[watch.watcher]
        known = mine.get(watch.uri)
        if known is not None:
            if (known.key, known.place) == (watch.key, watch.place):
                known.ctx = watch.ctx
                return known
            self._remove(known)
        mine[watch.uri] = watch
        self._watched.setdefault(watch.place, {}).setdefault(watch.key, set()).add(watch)
        return watch

    def _remove(self, watch: Watch) -> None:
        mine = self._mine.get(watch.watcher, {})
        if mine.get(watch.uri) is not watch:
            return
        del mine[watch.uri]
        watched = self._watched[watch.place]
        watched[watch.key].discard(watch)
        if watched[watch.key]:
            return
        del watched[watch.key]
        if not watched:
            del self._watched[watch.place]
        for supervisor in self._supervisors(watch):
            supervisor.watched.drop(watch.key)

    def _supervisors(self, watch: Watch) -> Iterable[Supervisor]:
        """The supervisor of a watch's connection, if there is one."""
        if watch.owner:
            named = [own for own, key in self._owners.items() if key == watch.owner]
        else:
            shared = self._runtime.pool.get(watch.upstream)
            named = [shared] if shared is not None else []
        return [supervisor for supervisor in named if supervisor.spec.name == watch.upstream]

    def _sees(self, watch: Watch) -> bool:
        """Whether the client may see the upstream as things are now: by its request, and where it listens."""
        shows, upstream = self._runtime.shows, watch.upstream
        listener = watch.watcher.listener if isinstance(watch.watcher, Session) else None
        if listener is not None and not shows(listener.view, listener.endpoint, upstream):
            return False
        return shows(watch.ctx.view, watch.ctx.endpoint, upstream)

    def _listed(self, watch: Watch, uri: str) -> str:
        """What the client calls a resource that is the watched one or below it."""
        if watch.uri != watch.key:
            return watch.uri + uri[len(watch.key) :]
        relist = None if uri == watch.key else relisted(self._runtime.catalog_of(watch.ctx), watch.upstream)
        return relist(uri) if relist is not None else uri

    def _settle(self) -> None:
        """Take up what waits, in the background."""
        self._again = True
        if self._work is None:
            self._work = asyncio.create_task(self._take_up())

    async def _take_up(self) -> None:
        try:
            while self._again:
                self._again = False
                self._reopen()
                await asyncio.gather(*(self._readopt(ctx) for ctx in self._homeless.values()))
        finally:
            self._work = None

    def _reopen(self) -> None:
        """Have the connections of their own again that are watched over and were ended with their upstream."""
        for (upstream, key), watched in list(self._watched.items()):
            shared = self._runtime.pool.get(upstream)
            if key and shared is not None and not self._is_away(upstream):
                ctx = next(iter(next(iter(watched.values())))).ctx
                try:
                    with self._runtime.owned.lease(ctx, shared):
                        pass
                except UpstreamError as error:
                    _log.warning("resources are not watched again: %s", error)

    async def _readopt(self, ctx: CallContext) -> None:
        session = ctx.session
        if session is None or session not in self._homeless:
            return
        missing = sorted(session.watched - self._mine.get(session, {}).keys())
        outcomes = await asyncio.gather(
            *(self._resume(ctx, session, uri) for uri in missing), return_exceptions=True
        )
        for outcome in outcomes:
            if outcome is not None and not isinstance(outcome, OnemcpError):
                raise outcome
        if not any(outcomes) and self._homeless.get(session) is ctx:
            del self._homeless[session]

    def _is_away(self, upstream: str) -> bool:
        supervisor = self._runtime.pool.get(upstream)
        return supervisor is None or supervisor.connection is None

    async def _resume(self, ctx: CallContext, session: Session, uri: str) -> None:
        """Watch one resource again, and say that it may have changed; raises where that may succeed later."""
        if ctx.endpoint and self._is_away(ctx.endpoint):
            raise UpstreamError(ctx.endpoint, Reason.NOT_READY, "is not ready", ran=False)
        await self._begin(ctx, session, uri)
        watch = self._mine.get(session, {}).get(uri)
        if watch is not None and self._sees(watch):
            _tell(session, uri, watch.upstream, {})


def _lasting(ctx: CallContext) -> CallContext:
    """Who asks and what is seen, without what is only of the one request."""
    return CallContext(ctx.era, ctx.revision, ctx.view, ctx.session, ctx.endpoint, principal=ctx.principal)


def _and_above(uri: str) -> Iterator[str]:
    """A URI, and those of which it names a part: what is before a boundary, with it and without it."""
    yield uri
    for place in [place for place, letter in enumerate(uri) if letter in _BOUNDARIES][:MAX_DEPTH]:
        yield uri[:place]
        if place + 1 < len(uri):
            yield uri[: place + 1]


def _tell(watcher: Watcher, uri: str, upstream: str, params: dict[str, Raw]) -> None:
    """Send the update under the client's name for the resource, and all else as the upstream said it."""
    said = {**params, "uri": Raw(encode(uri))}
    try:
        meta = open_object(said.pop("_meta", b""))
    except RpcError:
        meta = {}
    meta.pop(SUBSCRIPTION, None)
    if isinstance(watcher, Stream):
        meta[SUBSCRIPTION] = Raw(watcher.subscription)
    if meta:
        said["_meta"] = Raw(encode(meta))
    message = notification(RESOURCE_UPDATED, encode(said))
    if isinstance(watcher, Stream):
        watcher.push(message)
    else:
        watcher.tell(upstream, message)
