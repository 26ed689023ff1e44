"""What belongs to one session or principal alone: its connections and, where these offer something else, its catalog."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Final
from weakref import WeakKeyDictionary

from onemcp.core.catalog import Catalog
from onemcp.core.changes import Kind, difference
from onemcp.core.lifecycle import State
from onemcp.core.offering import Offering
from onemcp.core.spec import UpstreamSpec
from onemcp.errors import Reason, UpstreamError
from onemcp.gateway.context import CallContext
from onemcp.gateway.sessions import Session
from onemcp.upstream.partitions import Partitions
from onemcp.upstream.pool import UpstreamPool
from onemcp.upstream.supervisor import Supervisor
from onemcp.wire.envelope import encode, notification
from onemcp.wire.revisions import Era

ROOTS_CHANGED: Final = "notifications/roots/list_changed"

Rebuild = Callable[[Mapping[str, Offering], str], Catalog]
"""The catalog of an endpoint with these upstreams' offerings in the place of those that everybody sees."""


class Owned:
    """The partitions of all upstreams, and what follows from what each of them offers."""

    def __init__(self, pool: UpstreamPool, is_busy: Callable[[Supervisor], bool], rebuild: Rebuild) -> None:
        """`is_busy` tells whether a connection is used by more than a lease."""
        self._pool = pool
        self._rebuild = rebuild
        self._partitions = Partitions(is_busy, self._ended)
        self._sessions: WeakKeyDictionary[Supervisor, Session] = WeakKeyDictionary()
        self.deviating: set[str] = set()
        """Owners of a connection that offers something else than the shared one."""
        self._catalogs: dict[tuple[str, str], Catalog] = {}
        self._log_level = ""
        self.on_made: Callable[[Supervisor, str], None] = lambda _supervisor, _owner: None
        """Told of each connection before it is opened, and whose it is."""
        self.on_changed: Callable[[frozenset[Kind], str], None] = lambda _kinds, _upstream: None
        """Told of the lists that changed for an owner that is no session."""
        self.on_ended: Callable[[Supervisor], None] = lambda _: None
        """Told of each connection of somebody's own that is gone."""

    def count(self, upstream: str) -> int:
        """How many connections of this upstream are somebody's own."""
        return self._partitions.count(upstream)

    @contextmanager
    def lease(self, ctx: CallContext, shared: Supervisor) -> Iterator[Supervisor]:
        """The connection that an isolated upstream is used through in a context, for as long as the block runs.

        Raises:
            UpstreamError: OVERLOADED, with every place taken by somebody who is using it; STOPPING, for a session
                that has ended.
        """
        key = owner(ctx)
        if ctx.session is not None and ctx.session.is_over:
            raise UpstreamError(
                shared.spec.name, Reason.STOPPING, "is not used by a session that has ended", ran=False
            )
        if not key:
            yield shared
            return
        if ctx.lane:
            key += f"/{ctx.lane}"
        with self._partitions.lease(shared.spec, key, lambda: self._make(shared.spec, ctx)) as own:
            yield own

    def _make(self, spec: UpstreamSpec, ctx: CallContext) -> Supervisor:
        session = ctx.session
        supervisor = self._pool.supervisor(spec, self._changed)
        supervisor.want_logs(self._log_level)
        if session is not None:
            supervisor.client = session.capabilities
            self._sessions[supervisor] = session
        self.on_made(supervisor, owner(ctx))
        return supervisor

    def session(self, source: object) -> Session | None:
        """The session that alone uses a connection; None for a shared one, and for one of a stateless client's."""
        return self._sessions.get(source) if isinstance(source, Supervisor) else None

    def roots_changed(self, session: Session) -> None:
        """A client has other roots now: the upstreams that it has connections of its own to are told."""
        for supervisor in self._partitions.of(_key(session)):
            spec = supervisor.spec
            if (spec.roots is None or not spec.roots.given) and "roots" not in spec.withheld:
                supervisor.tell(ROOTS_CHANGED)

    def catalog(self, ctx: CallContext) -> Catalog | None:
        """The catalog that is this owner's alone; None if it sees what everybody sees."""
        if not self.deviating:
            return None
        key = owner(ctx)
        if key not in self.deviating:
            return None
        catalog = self._catalogs.get((key, ctx.endpoint))
        if catalog is None:
            offered = {s.spec.name: s.listed for s in self._partitions.of(key) if s.listed is not None}
            catalog = self._catalogs[key, ctx.endpoint] = self._rebuild(offered, ctx.endpoint)
        return catalog

    def touch(self) -> None:
        """What everybody sees has changed."""
        self._catalogs.clear()
        if self.deviating:
            self.deviating = {key for key in self.deviating if self._deviates(key)}

    def _deviates(self, key: str) -> bool:
        return any(
            own.listed is not None and shared is not None and difference(shared.listed, own.listed)
            for own in self._partitions.of(key)
            for shared in (self._pool.get(own.spec.name),)
        )

    def _changed(self, supervisor: Supervisor, previous: State, changed: frozenset[Kind]) -> None:
        """One owner's connection came, went, or offers something else now."""
        shared = self._pool.get(supervisor.spec.name)
        key = self._partitions.owner(supervisor)
        if not changed or shared is None or not key or supervisor.life.state is State.STOPPING:
            return
        deviated = key in self.deviating
        self._catalogs.clear()
        if self._deviates(key):
            self.deviating.add(key)
        else:
            self.deviating.discard(key)
        told = changed if previous is State.READY else difference(shared.listed, supervisor.listed)
        session = self.session(supervisor)
        if session is not None and (deviated or key in self.deviating):
            for kind in sorted(told):
                session.tell(supervisor.spec.name, notification(kind.method))
        elif session is None and previous is State.READY:
            self.on_changed(changed, supervisor.spec.name)

    def _ended(self, key: str, supervisor: Supervisor) -> None:
        """A connection of this owner is gone; what it offered alone is gone with it."""
        self.on_ended(supervisor)
        self._catalogs = {of: catalog for of, catalog in self._catalogs.items() if of[0] != key}
        if key in self.deviating and not self._deviates(key):
            self.deviating.discard(key)

    def adopt(self, spec: UpstreamSpec) -> None:
        """Take over a configuration that needs no restart."""
        self._partitions.adopt(spec)

    def want_logs(self, level: str) -> None:
        """Have all of them send log messages of this level and above."""
        self._log_level = level
        for supervisor in self._partitions:
            supervisor.want_logs(level)

    def forget(self, session: Session) -> None:
        """A session is over, and with it what is its own."""
        self._partitions.forget(_key(session))

    async def stop(self, *upstreams: str, limit: float) -> None:
        """Take out all partitions of these upstreams; what is under way on them has `limit` seconds to finish."""
        await self._partitions.stop(*upstreams, limit=limit)

    async def aclose(self) -> None:
        """End everything."""
        await self._partitions.aclose()


def _key(session: Session) -> str:
    return f"session/{session.sid}"


def owner(ctx: CallContext) -> str:
    """Whose connection a request uses where connections are not shared; empty for a request of the gateway's own."""
    if ctx.session is not None:
        return _key(ctx.session)
    if ctx.era is Era.HANDSHAKE:
        return ""
    principal = ctx.principal
    return "principal/" + encode([principal.issuer, principal.subject, principal.client_id]).decode()
