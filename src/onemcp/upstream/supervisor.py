"""The supervisor: the one task that opens, watches, restarts and closes an upstream's connection.

It drives `core/lifecycle.py`: wait for something to happen or to fall due, step, perform. Everybody else holds
it as a handle and only asks `ready()`.
"""

import asyncio
import logging
import random
import time
from collections.abc import Awaitable, Callable
from typing import Final

from msgspec import Raw

from onemcp.core.changes import RESOURCE_UPDATED, Kind, difference
from onemcp.core.lifecycle import OFFERING_GRACE, Event, Life, State, is_listed, step
from onemcp.core.offering import Offering
from onemcp.core.spec import Roots, UpstreamSpec
from onemcp.errors import Reason, RpcError, UpstreamError
from onemcp.upstream.channel import Channel, Inbound
from onemcp.upstream.connection import Connection
from onemcp.upstream.listing import fetch
from onemcp.upstream.negotiate import Identity, Manner, declared, negotiate
from onemcp.upstream.secrecy import hide
from onemcp.upstream.watched import Watched
from onemcp.upstream.wishes import Wishes
from onemcp.wire.envelope import Envelope, encode, success
from onemcp.wire.revisions import Era

REFRESH_INTERVAL: Final = 0.25
"""Seconds between two fetches of an upstream that keeps announcing changes."""
AUTH_RETRY: Final = 300.0
"""Seconds until an upstream that wanted credentials is asked again."""
CHECK_TIMEOUT: Final = 5.0

Opener = Callable[[UpstreamSpec, Inbound], Awaitable[Channel]]
"""Opens a fresh channel to an upstream; raises UpstreamError."""
Listener = Callable[["Supervisor", State, frozenset[Kind]], None]
"""Told after a move or a changed offering: the handle, its state before, the lists that changed."""

Hearer = Callable[["Supervisor", Envelope, Callable[[bytes], None]], None]
"""Takes every other message of an upstream, and what answers it; must not block and must not raise."""

_log = logging.getLogger("onemcp.upstream")
_HOPEFUL: Final = frozenset({State.CONNECTING, State.BACKOFF, State.READY})
_CHANGES: Final = {kind.method: kind for kind in Kind}


class Supervisor:
    """One upstream and the task that owns its connection."""

    def __init__(
        self,
        spec: UpstreamSpec,
        opener: Opener,
        identity: Identity,
        listener: Listener,
        hear: Hearer,
    ) -> None:
        self.spec = spec
        self.connection: Connection | None = None
        self.offering: Offering | None = None
        self._opener = opener
        self._identity = identity
        self._listener = listener
        self._hear = hear
        self.client: Raw | None = None
        """The capabilities of the one client whose connection it is; None for a shared one. Set before `run`."""
        self.watched = Watched(spec.name, self._tell_missed)
        """The resources that it is to tell of."""
        self._loop = asyncio.get_running_loop()
        self.life = Life(_first_state(spec), self._loop.time(), reason=str(spec.fault or ""))
        self.started_at = self._loop.time()
        self.previous_since = self.started_at
        """When the state before the present one began."""
        self.last_connected: float | None = None
        """When it last became ready, in seconds since the epoch; None before that."""
        self.first_ready_at: float | None = None
        """When it first became ready, by the loop's clock."""
        self.last_error = self.life.reason
        """Why it last was not ready, for a person; kept when it is ready again."""
        self._channel: Channel | None = None
        self._era: Era | None = None
        self._wake = asyncio.Event()
        self._dirty = False
        self._suspected = False
        self._refresh_at = 0.0
        self._wishes = Wishes(spec.name, self._wake.set)
        self._waiters: set[asyncio.Future[None]] = set()
        self._expiry: asyncio.TimerHandle | None = None

    def __str__(self) -> str:
        """The name, for messages."""
        return self.spec.name

    def __repr__(self) -> str:
        """Name and state in one line."""
        return f"<Supervisor {self.spec.name} {self.life.state.value}>"

    @property
    def is_starting(self) -> bool:
        """In its very first attempt: it has neither been ready nor failed yet."""
        life = self.life
        return life.state is State.CONNECTING and self.last_connected is None and life.failures == 0

    @property
    def is_settled(self) -> bool:
        """Ready, or past waiting for: nothing is gained by holding a client back for it."""
        if self.life.state in (State.CONNECTING, State.BACKOFF):
            return self._loop.time() - self.started_at >= self.spec.connection_timeout
        return True

    @property
    def listed(self) -> Offering | None:
        """The offering that stands in the lists now, without the tools that the configuration disables."""
        if self.offering is None or not is_listed(self.life, self._loop.time()):
            return None
        return self.offering.without(self.spec.disabled_tools)

    async def ready(self, timeout: float) -> Connection:
        """The live connection; waits for it at most `timeout` seconds while there is hope.

        Raises:
            UpstreamError: NOT_READY, with the state and the reason in its text; nothing was sent.
        """
        deadline = self._loop.time() + timeout
        while (connection := self.connection) is None or connection.channel.closed.done():
            left = deadline - self._loop.time()
            if left <= 0 or self.life.state not in _HOPEFUL:
                raise UpstreamError(self.spec.name, Reason.NOT_READY, self._excuse(), ran=False)
            waiter: asyncio.Future[None] = self._loop.create_future()
            self._waiters.add(waiter)
            try:
                await asyncio.wait((waiter,), timeout=left)
            finally:
                self._waiters.discard(waiter)
        return connection

    @property
    def waiting(self) -> int:
        """Those who wait in `ready`."""
        return len(self._waiters)

    def _excuse(self) -> str:
        state = self.life.state.value.replace("_", " ")
        return f"is not ready ({state}{': ' + self.life.reason if self.life.reason else ''})"

    def suspect(self) -> None:
        """Somebody could not reach the upstream: look whether it is still there."""
        self._suspected = True
        self._wake.set()

    def retry(self) -> None:
        """Try again now instead of at the end of the back-off."""
        self._step(Event.DUE)
        self._wake.set()

    def adopt(self, spec: UpstreamSpec) -> None:
        """Take over a configuration that differs only in what needs no restart."""
        self.spec = spec

    def want_logs(self, level: str) -> None:
        """Have the upstream send log messages of this level and above; empty for what it likes."""
        self._wishes.want_logs(level)

    def tell(self, method: str) -> None:
        """Have the upstream told something that has no params; once, however often it is said meanwhile."""
        self._wishes.tell(method)

    def refresh(self) -> None:
        """Fetch the offering again: something says that it may have changed."""
        self._mark_dirty()

    async def run(self, after: asyncio.Task[None] | None = None) -> None:
        """Live until cancelled, once `after` has ended; the connection is closed when this returns."""
        try:
            if after is not None:
                await asyncio.wait((after,))
                after = None  # it would keep what it ran, and all before that, for as long as this lives
            while True:
                if self.life.state is State.CONNECTING:
                    await self._attempt()
                elif self.life.state is State.READY:
                    await self._attend()
                else:
                    await self._rest()
        finally:
            self._step(Event.STOPPED)
            if self._expiry is not None:
                self._expiry.cancel()
            await self._close()

    async def _attempt(self) -> None:
        spec = self.spec
        try:
            async with asyncio.timeout(spec.connection_timeout):
                self._channel = await self._opener(spec, self._inbound)
                manner = Manner(
                    spec.name,
                    spec.connection_timeout,
                    spec.protocol,
                    self._era,
                    declared(spec, self.client),
                )
                connection = await negotiate(self._channel, manner, self._identity)
                offering = await fetch(connection, spec.connection_timeout)
        except TimeoutError:
            await self._fail(
                Event.REFUSED, f"did not answer within {spec.connection_timeout:g} s of its start"
            )
        except UpstreamError as error:
            if error.reason is Reason.EXITED and self._era is None:
                # Some servers die of a request that they do not know; the next start must not ask it.
                self._era = Era.HANDSHAKE
            await self._fail(_EVENTS.get(error.reason, Event.REFUSED), error.what)
        except RpcError as error:
            await self._fail(Event.REFUSED, f"answered what is not MCP: {error.message}")
        except Exception as error:  # noqa: BLE001 - a defect of ours must cost one upstream only
            _log.exception("%s: the attempt broke", spec.name)
            await self._fail(Event.REFUSED, f"the attempt broke: {error!r}")
        else:
            self._era = connection.era
            self._open(connection, offering)

    def _open(self, connection: Connection, offering: Offering) -> None:
        connection.channel.closed.add_done_callback(lambda _: self._wake.set())
        connection.channel.on_reinitialized = self._begin_anew
        connection.channel.on_missed = self.watched.tell_missed
        changed = difference(self.listed, offering.without(self.spec.disabled_tools))
        self.connection = connection
        self._wishes.begin()
        self.offering = offering
        for warning in offering.warnings:
            _log.warning("%s: %s", self.spec.name, warning)
        self.watched.begin(connection)
        self._step(Event.OPENED, changed=changed)

    async def _fail(self, event: Event, reason: str) -> None:
        await self._close()
        self._step(event, reason=reason)

    async def _attend(self) -> None:
        """Watch a live connection until it is lost."""
        connection = self.connection
        assert connection is not None  # ready means that there is one
        if connection.channel.closed.done():
            self._lose(connection.channel.closed.result())
            await self._close()
        elif self._suspected:
            await self._check(connection)
        elif self._dirty:
            await self._refresh(connection)
        elif self._wishes:
            await self._wishes.carry_out(connection)
        else:
            await self._sleep(None)

    async def _check(self, connection: Connection) -> None:
        self._suspected = False
        method = "ping" if connection.era is Era.HANDSHAKE else "server/discover"
        try:
            await connection.ask(method, {}, CHECK_TIMEOUT, renews=False)
        except RpcError:
            pass  # any answer is a sign of life
        except UpstreamError as error:
            if error.reason is not Reason.SESSION_LOST:  # that is an answer too; the next call begins anew
                self._lose(error.what)
                await self._close()

    async def _refresh(self, connection: Connection) -> None:
        wait = self._refresh_at - self._loop.time()
        if wait > 0:
            await asyncio.sleep(wait)
        self._dirty = False
        try:
            offering = await fetch(connection, self.spec.request_timeout)
        except (UpstreamError, RpcError) as error:
            _log.warning("%s: its lists changed and could not be fetched: %s", self.spec.name, error)
            self._suspected = True
            return
        finally:
            self._refresh_at = self._loop.time() + REFRESH_INTERVAL
        changed = difference(self.offering, offering)
        if changed and self.connection is connection:
            self.offering = offering
            self._listener(self, State.READY, changed)
            if Kind.RESOURCES in changed:
                self.watched.reconsider()

    async def _rest(self) -> None:
        """Wait for the back-off, or for somebody to ask."""
        until = self.life.retry_at
        if self.life.state is State.AWAITING_AUTH:
            until = self.life.since + AUTH_RETRY
        await self._sleep(until)
        if until is not None and self._loop.time() >= until:
            self._step(Event.DUE)

    async def _sleep(self, until: float | None) -> None:
        try:
            async with asyncio.timeout_at(until):
                await self._wake.wait()
        except TimeoutError:
            return
        self._wake.clear()

    def _lose(self, reason: str) -> None:
        self._step(Event.LOST, reason=reason)
        self._expiry = self._loop.call_later(OFFERING_GRACE + 0.01, self._expire)

    def _expire(self) -> None:
        """The grace is over: an upstream that is still away leaves the lists."""
        if self.offering is not None and self.listed is None:
            changed = difference(self.offering, None)
            self.offering = None
            self._listener(self, self.life.state, changed)

    async def _close(self) -> None:
        channel, self._channel, self.connection = self._channel, None, None
        await self.watched.end()
        if channel is not None:
            await channel.aclose()

    def _step(self, event: Event, *, reason: str = "", changed: frozenset[Kind] = frozenset()) -> None:
        before = self.life
        was_listed = self.listed
        jitter = random.random()  # noqa: S311 - it spreads restarts and guards nothing
        reason = hide(self.spec.name, reason)
        self.life = step(before, event, self._loop.time(), self.spec.restart, jitter=jitter, reason=reason)
        if self.life is before:
            return
        self.previous_since = before.since
        self.last_error = self.life.reason or self.last_error
        if self.life.state is State.READY:
            self.last_connected = time.time()
            self.first_ready_at = self.first_ready_at or self.life.since
        else:
            self.connection = None
        if was_listed is not None and self.listed is None:
            changed |= difference(was_listed, None)
        for waiter in self._waiters:
            if not waiter.done():
                waiter.set_result(None)
        self._listener(self, before.state, changed)

    def _begin_anew(self) -> None:
        """The upstream may have changed, and forgotten what it was told."""
        self._mark_dirty()
        if self._era is Era.HANDSHAKE:  # In the other era whoever listens notices by itself.
            self.watched.renew()

    def _tell_missed(self, uri: str) -> None:
        params = Raw(encode({"uri": uri}))
        self._hear(self, Envelope("2.0", method=RESOURCE_UPDATED, params=params), lambda _: None)

    def _mark_dirty(self) -> None:
        self._dirty = True
        self._wake.set()

    def answer(self, envelope: Envelope) -> bytes | None:
        """The answer to a request that no client is asked, because the gateway knows it; None for anything else."""
        if not envelope.is_request:
            return None
        if envelope.method == "ping":
            return success(envelope.id, b"{}")
        roots = self.spec.roots
        if envelope.method == "roots/list" and roots is not None and roots.given:
            return success(envelope.id, _listed_roots(roots))
        return None

    def _inbound(self, envelope: Envelope) -> None:
        """What the upstream sends on its own."""
        channel = self._channel
        if envelope.method in _CHANGES:
            self._mark_dirty()
        elif channel is not None:
            answer = self.answer(envelope)
            if answer is not None:
                channel.respond(answer)
            else:
                self._hear(self, envelope, channel.respond)


_EVENTS: Final = {Reason.UNFIT: Event.UNFIT, Reason.UNAUTHORIZED: Event.DENIED}


def _first_state(spec: UpstreamSpec) -> State:
    if spec.disabled:
        return State.DISABLED
    return State.FAILED if spec.fault or spec.transport is None else State.CONNECTING


def _listed_roots(roots: Roots) -> bytes:
    """The answer to `roots/list` that the configuration gives."""
    return encode({"roots": [{"uri": uri, **({"name": name} if name else {})} for uri, name in roots.given]})
