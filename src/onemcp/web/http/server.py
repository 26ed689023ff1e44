"""The server: listening sockets, the sweep over deadlines, and an end within a bound."""

import asyncio
import errno
import socket
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from email.utils import formatdate
from pathlib import Path
from typing import Final

from onemcp.errors import StartError
from onemcp.web.answers import refuse_new
from onemcp.web.forwarded import NOBODY, Trust
from onemcp.web.http.connection import LINGER, Connection
from onemcp.web.http.request import Request
from onemcp.web.http.response import Response

Handler = Callable[[Request, Response], Awaitable[None] | None]
"""Answers a request, at once or by what it returns."""

BACKLOG: Final = 2048
TICK: Final = 1.0
GRACE: Final = 3.0
"""Seconds that answers in flight have once the server stops."""
DEAD: Final = 45
"""Seconds without a sign of life after which the machine gives a connection up. A stream has a comment every 15 s, so
that a peer which vanished without a word is noticed within a minute."""


class Server:
    """What all connections of one listening socket share."""

    def __init__(self, handler: Handler, max_body: int, grace: float = GRACE, trust: Trust = NOBODY) -> None:
        self.handler = handler
        self.max_body = max_body
        self.grace = grace
        self.trust = trust
        self.loop = asyncio.get_running_loop()
        self.connections: set[Connection] = set()
        self.is_stopping = False
        self.now = self.loop.time()
        """The loop's time of the last sweep; deadlines need no better."""
        self.date = b""
        """The Date header line of this second (RFC 9110, section 6.6.1)."""
        self._timer: asyncio.TimerHandle | None = None
        self._empty: asyncio.Event | None = None
        self.sweep()

    def sweep(self) -> None:
        """End connections whose time is over; once a tick."""
        self.now = self.loop.time()
        self.date = b"date: %b\r\n" % formatdate(time.time(), usegmt=True).encode()
        for connection in [c for c in self.connections if c.deadline <= self.now]:
            connection.expire()
        self._timer = self.loop.call_later(TICK, self.sweep)

    def discourage(self) -> None:
        """From now on every answer ends its connection, so that its client opens the next one, perhaps elsewhere.

        What is idle stays open: a client that uses it at this moment would lose a request.
        """
        self.is_stopping = True
        for connection in self.connections:
            connection.discourage()

    async def stop(self) -> None:
        """Close what is idle, wait for what is being answered and for what is half-way, cut the rest.

        A request that was half-way is told that nothing was done: when it is whole, or else when the time is over.
        """
        self.is_stopping = True
        self.handler = _too_late
        if self._timer is not None:
            self._timer.cancel()
        for connection in list(self.connections):
            connection.close()
        await self._emptied(self.grace)
        for connection in list(self.connections):
            if connection.is_half_way:
                connection.leave_off()
            else:
                connection.abort()
        await self._emptied(min(self.grace, LINGER))
        for connection in list(self.connections):
            connection.abort()
        await self._emptied(self.grace)

    def forget(self, connection: Connection) -> None:
        """A connection has ended."""
        self.connections.discard(connection)
        if not self.connections and self._empty is not None:
            self._empty.set()

    async def _emptied(self, seconds: float) -> None:
        """Wait until no connection is left, or the time is over."""
        if self.connections:
            self._empty = asyncio.Event()
            with suppress(TimeoutError):
                async with asyncio.timeout(seconds):
                    await self._empty.wait()


def _too_late(_request: Request, response: Response) -> None:
    refuse_new(response)


@asynccontextmanager
async def serving(
    handler: Handler, sock: socket.socket, max_body: int, grace: float = GRACE, trust: Trust = NOBODY
) -> AsyncIterator[Server]:
    """Serve on a bound socket while the block runs; then finish what is in flight, bounded, and close the socket."""
    server = Server(handler, max_body, grace, trust)
    listener = await server.loop.create_server(lambda: Connection(server), sock=sock, backlog=BACKLOG)
    try:
        yield server
    finally:
        listener.close()
        await server.stop()


def bind(host: str, port: int) -> socket.socket:
    """A bound socket.

    Raises:
        StartError: the port is in use, or may not be used.
    """
    sock = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_STREAM)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        _notice_the_dead(sock)
        sock.bind((host.strip("[]"), port))
        sock.listen(BACKLOG)
    except OSError as error:
        sock.close()
        raise _explained(host, port, error) from error
    sock.setblocking(False)
    return sock


def _notice_the_dead(sock: socket.socket) -> None:
    """What is set on a listening socket holds for the connections that it accepts."""
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for name, value in (
        ("TCP_KEEPIDLE", DEAD // 3),
        ("TCP_KEEPINTVL", DEAD // 3),
        ("TCP_KEEPCNT", 2),
        ("TCP_USER_TIMEOUT", DEAD * 1000),
    ):
        if (option := getattr(socket, name, None)) is not None:  # not every system has all of them
            sock.setsockopt(socket.IPPROTO_TCP, option, value)


def _explained(host: str, port: int, error: OSError) -> StartError:
    if error.errno == errno.EADDRINUSE:
        return StartError(
            f"port {port} on {host} is in use", "stop what listens there, or choose another with --port"
        )
    if error.errno == errno.EACCES:
        return StartError(f"port {port} may not be used by this user", "choose one above 1023 with --port")
    if isinstance(error, socket.gaierror) or error.errno == errno.EADDRNOTAVAIL:
        return StartError(f"{host} is no address of this machine", "choose another with --host")
    what = f"cannot listen on {host} port {port}: {error.strerror or error}"
    return StartError(what, "choose another with --host or --port")


def bind_unix(path: Path) -> socket.socket:
    """A bound unix socket of mode 0600; one that a dead process left is replaced.

    Raises:
        StartError: the path cannot be used.
    """
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        with suppress(FileNotFoundError):
            path.unlink()
        sock.bind(str(path))
        path.chmod(0o600)
        sock.listen(16)
    except OSError as error:
        sock.close()
        what = f"{path}: the control socket cannot be made: {error.strerror}"
        raise StartError(what, "choose another --state-dir") from error
    sock.setblocking(False)
    return sock
