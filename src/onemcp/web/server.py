"""The HTTP servers: uvicorn with its fast parser and loop, started and stopped by a context manager.

Signals are `app`'s business, so uvicorn's own handlers are left out (it raises SIGTERM again after its own).
"""

import asyncio
import errno
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from pathlib import Path
from typing import Any, Final

import uvicorn

from onemcp.errors import StartError

KEEP_ALIVE: Final = 75
"""Seconds an idle client connection stays open; longer than common load balancers keep theirs, so that they close."""
BACKLOG: Final = 2048
GRACE: Final = 3
"""Seconds that answers in flight have once the server stops."""


class _Server(uvicorn.Server):
    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def bind(host: str, port: int) -> socket.socket:
    """A listening socket.

    Raises:
        StartError: the port is in use, or may not be used.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_STREAM)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind((host.strip("[]"), port))
        sock.listen(BACKLOG)
    except OSError as error:
        sock.close()
        raise StartError(*_explained(host, port, error)) from error
    sock.setblocking(False)
    return sock


def _explained(host: str, port: int, error: OSError) -> tuple[str, str]:
    if error.errno == errno.EADDRINUSE:
        return f"port {port} on {host} is in use", "stop what listens there, or choose another with --port"
    if error.errno == errno.EACCES:
        return f"port {port} may not be used by this user", "choose one above 1023 with --port"
    if isinstance(error, socket.gaierror) or error.errno == errno.EADDRNOTAVAIL:
        return f"{host} is no address of this machine", "choose another with --host"
    return (
        f"cannot listen on {host} port {port}: {error.strerror or error}",
        "choose another with --host or --port",
    )


def bind_unix(path: Path) -> socket.socket:
    """A listening unix socket of mode 0600; one that a dead process left is replaced.

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
        raise StartError(
            f"{path}: the control socket cannot be made: {error.strerror}", "choose another --state-dir"
        ) from error
    sock.setblocking(False)
    return sock


@asynccontextmanager
async def serving(app: Any, sock: socket.socket) -> AsyncIterator[None]:
    """Serve an ASGI application on a bound socket while the block runs; then finish what is in flight, bounded."""
    config = uvicorn.Config(
        app,
        http="httptools",
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_keep_alive=KEEP_ALIVE,
        timeout_graceful_shutdown=GRACE,
        backlog=BACKLOG,
    )
    server = _Server(config)
    task = asyncio.create_task(server.serve(sockets=[sock]), name="http server")
    try:
        yield
    finally:
        server.should_exit = True
        await asyncio.gather(task, return_exceptions=True)
        sock.close()
