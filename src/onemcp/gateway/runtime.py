"""The runtime: the upstreams, their catalog and what follows when either changes.

Configuration comes in as specs and goes through the reload plan; the first one is a reload from nothing.
"""

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field, replace
from types import TracebackType
from typing import Final, Self

from onemcp.core.access import View
from onemcp.core.catalog import Catalog
from onemcp.core.changes import RESOURCE_UPDATED, Kind
from onemcp.core.events import Events, UpstreamChanged
from onemcp.core.features import Features
from onemcp.core.lifecycle import State
from onemcp.core.merge import VERBATIM, Naming, Shelf, merge
from onemcp.core.offering import Offering
from onemcp.core.plan import plan
from onemcp.core.spec import Isolation, UpstreamSpec
from onemcp.errors import UpstreamError
from onemcp.gateway.backchannel import Backchannel
from onemcp.gateway.call import Call
from onemcp.gateway.context import CallContext
from onemcp.gateway.levels import REMEMBERED, Levels
from onemcp.gateway.lingering import Lingering
from onemcp.gateway.meter import Meter
from onemcp.gateway.notifier import Notifier
from onemcp.gateway.owned import Owned
from onemcp.gateway.parking import Parking
from onemcp.gateway.sessions import Session
from onemcp.gateway.watches import Watches
from onemcp.seal.keyring import Keyring
from onemcp.upstream.connection import Connection
from onemcp.upstream.negotiate import Identity
from onemcp.upstream.pool import UpstreamPool
from onemcp.upstream.supervisor import Opener, Supervisor
from onemcp.wire.envelope import Envelope

_EMPTY: Final = Catalog()
_log = logging.getLogger("onemcp.gateway")


@dataclass(frozen=True, slots=True)
class Options:
    """What the gateway's behaviour depends on beside the upstreams. Seconds."""

    naming: Naming = field(default_factory=Naming)
    async_loading: bool = False
    batch_delay: float = 1.0
    call_wait: float = 10.0
    """How long a call waits for an upstream that is starting."""
    page_size: int = 100
    drain_timeout: float = 10.0
    """How long an upstream that the configuration no longer has may take to finish what it was asked."""
    features: Features = field(default_factory=Features)


class Runtime(AbstractAsyncContextManager["Runtime"]):
    """All upstreams and the catalog of the moment. Leaving it stops the upstreams."""

    def __init__(
        self,
        options: Options,
        opener: Opener,
        identity: Identity,
        keyring: Keyring | None = None,
        events: Events | None = None,
    ) -> None:
        """`keyring` seals what clients are handed; without one a key of this process does."""
        self.options = options
        self.identity = identity
        self.keyring = keyring or Keyring.ephemeral()
        self.backchannel = Backchannel()
        self._lingering = Lingering(self.backchannel.forget)
        self.parking = Parking()
        self.pool = UpstreamPool(opener, identity, self._upstream_changed, self._hear)
        self.owned = Owned(self.pool, self._is_busy, self._rebuilt)
        self.watches = Watches(self)
        self.owned.on_made = self.watches.restore
        self.backchannel.session_of = self.owned.session
        self.owned.on_ended = self.backchannel.drop
        self.notifier = Notifier(options.batch_delay, self.concerns, lambda: self.catalog)
        self.owned.on_changed = self.notifier.changed
        self.events = events or Events()
        self.meter: Meter | None = None
        """Counts requests; None where nobody wants to know."""
        self._specs: tuple[UpstreamSpec, ...] = ()
        self._tags: dict[str, frozenset[str]] = {}
        self._former_tags: dict[str, frozenset[str]] = {}
        self._catalog: Catalog | None = _EMPTY
        self._claims = _EMPTY.claims
        self._solo: dict[str, Catalog] = {}
        self._loop = asyncio.get_running_loop()
        self._levels = Levels()
        self._fading: asyncio.TimerHandle | None = None
        self._log_level = ""
        self._told: frozenset[str] = frozenset()
        self._settled = asyncio.Event()
        self.revision = 0
        """Counts catalogs; what is derived from one is kept only as long as its number stands."""

    async def __aenter__(self) -> Self:
        """Nothing runs until `apply`."""
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop telling, then stop the upstreams."""
        self.notifier.close()
        if self._fading is not None:
            self._fading.cancel()
        await self.parking.aclose()
        await self._lingering.aclose()
        self.backchannel.close()
        await self.watches.aclose()
        await self.owned.aclose()
        await self.pool.__aexit__(kind, error, trace)

    @property
    def specs(self) -> tuple[UpstreamSpec, ...]:
        """The upstreams that were applied last."""
        return self._specs

    def adopt(self, options: Options) -> None:
        """Behave as these say from now on, towards upstreams with the next `apply`. Names of tools stay as they are."""
        self.options = replace(options, naming=self.options.naming, async_loading=self.options.async_loading)
        self.notifier.adopt(options.batch_delay)
        if not options.features.single_server_routes:
            self.notifier.end_routes()

    async def apply(self, specs: Sequence[UpstreamSpec]) -> None:
        """Make the upstreams what configuration and features say; those that did not change are not touched."""
        specs = self.options.features.applied_to(specs)
        steps = plan(self._specs, specs)
        self._specs = specs
        for spec in steps.update:
            self._supervisor(spec.name).adopt(spec)
            self.owned.adopt(spec)
        for spec in (*steps.remove, *steps.replace, *steps.update):
            self._touch(spec.name, frozenset(Kind))
        self._former_tags = self._tags
        self._tags = {spec.name: spec.tags for spec in specs}
        gone = [spec.name for spec in (*steps.remove, *steps.replace)]
        shared = [s.name for s in steps.update if s.partitioning.isolation is Isolation.SHARED]
        limit = self.options.drain_timeout
        await self.owned.stop(*gone, *shared, limit=limit)
        is_busy = self.backchannel.is_busy
        busy, ends = self.pool.take_out(*gone, is_busy=is_busy)
        for spec in (*steps.add, *steps.replace):
            supervisor = self.pool.start(spec, ends.get(spec.name))
            supervisor.want_logs(self._log_level)
            self.watches.restore(supervisor)
        for supervisor in busy:
            self.pool.retire(supervisor, is_busy, limit)
        self.pool.order([spec.name for spec in specs])
        self._touch("", frozenset())
        if ends:
            await asyncio.wait(ends.values())

    def want_logs(self, level: str, session: Session | None = None) -> None:
        """A session, or a request without one, asks for log messages of this level and above."""
        now = self._loop.time()
        if session is not None:
            self._levels.hold(session, level)
        elif not level or not self._levels.mention(level, now):
            return
        self._ask_for_logs()
        if self._fading is None and self._levels.is_fading:
            self._fading = self._loop.call_later(REMEMBERED, self._fade)

    def _fade(self) -> None:
        """Look whether what requests asked for still stands."""
        self._fading = None
        self._ask_for_logs()
        if self._levels.is_fading:
            self._fading = self._loop.call_later(REMEMBERED, self._fade)

    def _ask_for_logs(self) -> None:
        """Have the upstreams send the most that anybody wants."""
        lowest = self._levels.lowest(self._loop.time())
        if lowest != self._log_level:
            self._log_level = lowest
            self.owned.want_logs(lowest)
            for supervisor in self.pool:
                supervisor.want_logs(lowest)

    def give_up(self, call: Call, connection: Connection) -> None:
        """Nobody waits for a call any more; its upstream has been told, and may not have read that yet."""
        self.backchannel.give_up(call)
        call.silence()
        if self.pool.get(str(call.source)) is call.source:
            call.linger()  # it is everybody's, so that somebody else's call might be taken for this one
        self._lingering.add(call, connection)

    def forget(self, session: Session) -> None:
        """A session has ended: let go of what is held for it."""
        self._levels.release(session)
        if self._log_level:
            self._ask_for_logs()
        self.watches.forget(session)
        self.owned.forget(session)

    async def ready(self, supervisor: Supervisor) -> Connection:
        """The live connection of an upstream, or of what stands in its place if it is configured anew meanwhile.

        Raises:
            UpstreamError: as `Supervisor.ready`; they have the time of one call together.
        """
        until = self._loop.time() + self.options.call_wait
        while True:
            try:
                return await supervisor.ready(max(0.0, until - self._loop.time()))
            except UpstreamError:
                successor = self.pool.get(supervisor.spec.name)
                if successor is None or successor is supervisor or self._loop.time() >= until:
                    raise
                supervisor = successor

    async def settled(self) -> None:
        """Return when every upstream is ready, or past the time that it has for its start."""
        while not all(supervisor.is_settled for supervisor in self.pool):
            self._settled.clear()
            try:
                async with asyncio.timeout(0.5):
                    await self._settled.wait()
            except TimeoutError:
                continue

    @property
    def catalog(self) -> Catalog:
        """The merge of all offerings; built anew when one of them changed since."""
        if self._catalog is None:
            shelves = [shelf for supervisor in self.pool if (shelf := _shelf(supervisor)) is not None]
            self._catalog = merge(shelves, self.options.naming, self._claims)
            self._claims = self._catalog.claims
            self._tell_warnings(self._catalog.warnings)
        return self._catalog

    def catalog_of(self, ctx: CallContext) -> Catalog:
        """The catalog that a request sees: everything, or its endpoint's one upstream with its names verbatim.

        Where connections of its owner offer something else than the shared ones, that is in it.
        """
        if not ctx.endpoint and not self.owned.deviating:
            catalog = self._catalog
            return catalog if catalog is not None else self.catalog
        own = self.owned.catalog(ctx)
        return own if own is not None else self._common(ctx.endpoint)

    def _common(self, endpoint: str) -> Catalog:
        """The catalog of an endpoint as everybody sees it."""
        if not endpoint:
            return self.catalog
        catalog = self._solo.get(endpoint)
        if catalog is None:
            supervisor = self.pool.get(endpoint)
            if supervisor is None:
                return _EMPTY
            shelf = _shelf(supervisor)
            catalog = self._solo[endpoint] = merge([shelf], VERBATIM, {}) if shelf else _EMPTY
        return catalog

    def _rebuilt(self, own: Mapping[str, Offering], endpoint: str) -> Catalog:
        """The catalog of an endpoint with some offerings in the place of the shared ones."""
        if endpoint:
            return (
                merge([Shelf(endpoint, own[endpoint])], VERBATIM, {})
                if endpoint in own
                else self._common(endpoint)
            )
        shelves = [
            Shelf(name, offering)
            for supervisor in self.pool
            for name in (supervisor.spec.name,)
            if (offering := own.get(name) or supervisor.listed) is not None
        ]
        return merge(shelves, self.options.naming, self.catalog.claims)

    def shows(self, view: View, endpoint: str, upstream: str) -> bool:
        """Whether a view on an endpoint shows an upstream."""
        if endpoint and upstream != endpoint:
            return False
        return view.shows(self._tags.get(upstream, frozenset()))

    def concerns(self, view: View, endpoint: str, upstream: str) -> bool:
        """Whether a change of an upstream is seen in a view: it shows it now, or did before the last reload."""
        if self.shows(view, endpoint, upstream):
            return True
        former = self._former_tags.get(upstream)
        return former is not None and endpoint in ("", upstream) and view.shows(former)

    def visible(self, view: View) -> frozenset[str] | None:
        """The upstreams that a view shows; None for all."""
        if view.expression is None:
            return None
        return frozenset(s.spec.name for s in self.pool if view.shows(s.spec.tags))

    def tags(self, upstream: str) -> frozenset[str]:
        """The tags of an upstream."""
        return self._tags.get(upstream, frozenset())

    def _tell_warnings(self, warnings: Sequence[str]) -> None:
        """What clients will not see under its own name, once each."""
        for warning in warnings:
            if warning not in self._told:
                _log.warning("%s", warning)
        self._told = frozenset(warnings)

    def _supervisor(self, name: str) -> Supervisor:
        supervisor = self.pool.get(name)
        assert supervisor is not None  # the plan only names what runs
        return supervisor

    def _hear(self, supervisor: Supervisor, envelope: Envelope, respond: Callable[[bytes], None]) -> None:
        """What an upstream sends that is not about its lists."""
        if envelope.method == RESOURCE_UPDATED:
            self.watches.updated(supervisor, envelope)
        else:
            self.backchannel.take(supervisor, envelope, respond)

    def _is_busy(self, supervisor: Supervisor) -> bool:
        """Whether a connection of somebody's own is used by more than calls that are under way."""
        return len(supervisor.watched) > 0 or self.backchannel.is_busy(supervisor)

    def _upstream_changed(self, supervisor: Supervisor, previous: State, changed: frozenset[Kind]) -> None:
        self._settled.set()
        name = supervisor.spec.name
        if self.pool.get(name) not in (None, supervisor):
            return  # its successor is there already, and it only finishes what it was asked
        if supervisor.life.state is not State.STOPPING:
            self._touch(name, changed)
        if supervisor.life.state is State.READY:
            self.watches.came()
        if self.events.heard(UpstreamChanged):
            life = supervisor.life
            offering = supervisor.listed if life.state is State.READY else None
            seconds = life.since - supervisor.previous_since
            self.events.emit(UpstreamChanged(name, life.state, previous, life.reason, seconds, offering))

    def _touch(self, upstream: str, changed: frozenset[Kind]) -> None:
        """The catalog of the moment no longer stands."""
        self._catalog = None
        self._solo.clear()
        self.owned.touch()
        self.revision += 1
        if changed:
            self.notifier.changed(changed, upstream)


def _shelf(supervisor: Supervisor) -> Shelf | None:
    offering = supervisor.listed
    return Shelf(supervisor.spec.name, offering) if offering else None
