"""The connections to one origin: few, reused while they are fresh, and bounded in every direction."""

import asyncio
import socket
import ssl
from asyncio import Future
from collections import deque
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from typing import Final, NamedTuple

from onemcp.net.connection import Connection
from onemcp.net.fault import Fault, HttpError
from onemcp.net.names import addresses_of
from onemcp.net.origin import Origin

TICK: Final = 0.25
"""Seconds between two looks at the deadlines, while there is a connection or somebody waits for one."""
CLOSE_LIMIT: Final = 1.0
KEEP_ALIVE_AFTER: Final = 60
"""Seconds of silence before the kernel probes whether the peer is still there."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What one client takes of everything."""

    connections: int = 64
    """Connections that carry calls, or are free for them."""
    streams: int = 256
    """Connections that carry a stream and do not count among those of calls; beyond these, streams do count."""
    queue: int = 1024
    """Requests that wait for a connection; one more is refused."""
    max_body: int = 16 * 1024 * 1024
    """Bytes of a response that is not a stream."""
    connect_timeout: float = 10.0


@cache
def tls_context() -> ssl.SSLContext:
    """The machine's trust store, read once, when the first https connection is made."""
    context = ssl.create_default_context()
    context.set_alpn_protocols(["http/1.1"])
    return context


class _Waiter(NamedTuple):
    """A request in the queue. Its future gives a free connection, or None for the right to open one."""

    future: Future[Connection | None]
    deadline: float


class Pool:
    """Connections to one origin, for one event loop; `Connection` tells it what becomes of each."""

    def __init__(self, origin: Origin, limits: Limits, tls: ssl.SSLContext | None = None) -> None:
        self._origin = origin
        self._limits = limits
        self._tls = tls
        self._loop = asyncio.get_running_loop()
        self._open: set[Connection] = set()
        self._idle: deque[Connection] = deque()
        self._waiters: deque[_Waiter] = deque()
        self._connecting = 0
        self._streams = 0
        self._timer: asyncio.TimerHandle | None = None
        self._closed = False
        self._emptied: Future[None] | None = None

    def __repr__(self) -> str:
        """All the numbers, in one line."""
        return (
            f"<Pool {self._origin} open={len(self._open)} idle={len(self._idle)} streams={self._streams}"
            f" connecting={self._connecting} waiting={len(self._waiters)}>"
        )

    def take(self, now: float) -> Connection | None:
        """The connection that was used last, if one is free and fresh."""
        while self._idle:
            connection = self._idle.pop()
            if connection.is_usable:
                if connection.reuse_until > now:
                    return connection
                connection.abort()
        return None

    async def acquire(self, deadline: float) -> Connection:
        """A free connection, a new one, or one that another request gives back.

        Raises:
            HttpError: none to be had by `deadline` (loop time); `sent` is False.
        """
        if self._closed:
            raise HttpError(Fault.LOST, "is not connected any more", sent=False)
        connection = self.take(self._loop.time())
        if connection is not None:
            return connection
        if self._has_room():
            self._connecting += 1
        else:
            connection = await self._queue(deadline)
        return connection if connection is not None else await self._connect(deadline)

    def _has_room(self) -> bool:
        return len(self._open) + self._connecting - self._streams < self._limits.connections

    async def _queue(self, deadline: float) -> Connection | None:
        if len(self._waiters) >= self._limits.queue:
            raise HttpError(Fault.BUSY, f"has {len(self._waiters)} requests waiting already", sent=False)
        waiter = _Waiter(self._loop.create_future(), deadline)
        self._waiters.append(waiter)
        self._watch()
        try:
            return await waiter.future
        except asyncio.CancelledError:
            self._take_back(waiter.future)
            raise

    def _take_back(self, future: Future[Connection | None]) -> None:
        """What a cancelled request was given in the same moment goes to the next."""
        if future.cancelled() or future.exception() is not None:
            return
        connection = future.result()
        if connection is not None:
            self.released(connection)
        else:
            self._connecting -= 1
            self._pass_room()

    async def _connect(self, deadline: float) -> Connection:
        """A new connection in a place that was counted before; the place is free again if it fails."""
        by = min(deadline, self._loop.time() + self._limits.connect_timeout)
        connection: Connection | None = None
        try:
            async with asyncio.timeout_at(by):
                connection = await self._dial()
        except TimeoutError:
            raise HttpError(
                Fault.UNREACHABLE, f"({self._origin}) does not accept connections in time", sent=False
            ) from None
        except OSError as error:
            raise HttpError(Fault.UNREACHABLE, f"({self._origin}) {_reason(error)}", sent=False) from None
        finally:
            self._connecting -= 1
            if connection is None:
                self._pass_room()
        if self._closed or not connection.is_usable:
            connection.abort()
            raise HttpError(Fault.LOST, "closed the connection as soon as it was made", sent=False)
        return connection

    async def _dial(self) -> Connection:
        origin = self._origin
        tls = (self._tls or tls_context()) if origin.scheme == "https" else None
        name = origin.host if tls is not None else None
        if origin.uds:
            _, connection = await self._loop.create_unix_connection(
                self._make, origin.uds, ssl=tls, server_hostname=name
            )
        else:
            transport, connection = await self._dial_first(tls, name)
            _keep_alive(transport)
        self._open.add(connection)
        self._watch()
        return connection

    async def _dial_first(
        self, tls: ssl.SSLContext | None, name: str | None
    ) -> tuple[asyncio.Transport, Connection]:
        """A connection to the first address of the origin that takes one."""
        origin = self._origin
        *others, last = [origin.address] if origin.address else await addresses_of(origin.host, origin.port)
        for address in others:
            with suppress(OSError):
                return await self._loop.create_connection(
                    self._make, address, origin.port, ssl=tls, server_hostname=name
                )
        return await self._loop.create_connection(
            self._make, last, origin.port, ssl=tls, server_hostname=name
        )

    def _make(self) -> Connection:
        return Connection(self, self._limits.max_body)

    def released(self, connection: Connection) -> None:
        """A connection is free: to whoever waits longest, else it rests."""
        self._leave_streams(connection)
        if self._closed:
            connection.abort()
            return
        waiter = self._next_waiter()
        if waiter is not None:
            waiter.set_result(connection)
        else:
            self._idle.append(connection)

    def streaming(self, connection: Connection) -> None:
        """A call has become a stream, and its place is free for another call."""
        if self._streams < self._limits.streams:
            self._streams += 1
            connection.is_stream = True
            self._pass_room()

    def lost(self, connection: Connection) -> None:
        """A connection is gone, and its place is free."""
        self._leave_streams(connection)
        self._open.discard(connection)
        if connection in self._idle:
            self._idle.remove(connection)
        self._pass_room()
        if not self._open and self._emptied is not None and not self._emptied.done():
            self._emptied.set_result(None)

    def _leave_streams(self, connection: Connection) -> None:
        if connection.is_stream:
            connection.is_stream = False
            self._streams -= 1

    def _pass_room(self) -> None:
        """Let those who wait open connections, as far as there is room."""
        while self._has_room():
            waiter = self._next_waiter()
            if waiter is None:
                return
            self._connecting += 1
            waiter.set_result(None)

    def _next_waiter(self) -> Future[Connection | None] | None:
        while self._waiters:
            future = self._waiters.popleft().future
            if not future.done():
                return future
        return None

    def _watch(self) -> None:
        if self._timer is None and not self._closed:
            self._timer = self._loop.call_later(TICK, self._sweep)

    def _sweep(self) -> None:
        """Fail what is overdue, close what has rested too long."""
        self._timer = None
        now = self._loop.time()
        for connection in list(self._open):
            if connection.deadline <= now:
                connection.expire()
        while self._idle and self._idle[0].reuse_until <= now:
            self._idle.popleft().abort()
        self._waiters = deque(waiter for waiter in self._waiters if not self._give_up(waiter, now))
        if self._open or self._waiters:
            self._watch()

    def _give_up(self, waiter: _Waiter, now: float) -> bool:
        if waiter.deadline <= now and not waiter.future.done():
            waiter.future.set_exception(HttpError(Fault.BUSY, "had no connection free in time", sent=False))
        return waiter.future.done()

    async def aclose(self) -> None:
        """Close every connection at once; what is under way fails. Returns when all are gone."""
        self._closed = True
        if self._timer is not None:
            self._timer.cancel()
        while (future := self._next_waiter()) is not None:
            future.set_exception(HttpError(Fault.LOST, "is not connected any more", sent=False))
        for connection in list(self._open):
            connection.fail(HttpError(Fault.LOST, "was disconnected from"))
        if self._open:
            self._emptied = self._loop.create_future()
            await asyncio.wait((self._emptied,), timeout=CLOSE_LIMIT)


def _keep_alive(transport: asyncio.Transport) -> None:
    """Let the kernel find out that a peer is gone without a word; a silent stream would never notice."""
    sock = transport.get_extra_info("socket")
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    if hasattr(socket, "TCP_KEEPIDLE"):
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, KEEP_ALIVE_AFTER)


def _reason(error: OSError) -> str:
    """Why there is no connection, for a person."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"has a certificate that is not accepted: {error.verify_message}"
    if isinstance(error, ssl.SSLError):
        return f"does not speak TLS with us: {error.reason or error}"
    if isinstance(error, ConnectionRefusedError):
        return "refuses connections"
    return f"cannot be reached: {error.strerror or error}"
