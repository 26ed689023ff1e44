"""Our own HTTP/1.1 client, for one thing: very cheap exchanges with one origin, and event streams.

No redirects, no cookies, no compression, no retries: an exchange happens once or fails with HttpError. Deadlines
cost no task and no timer of their own; the pool looks at them a few times a second.
"""

import asyncio
import ssl
from collections.abc import Iterable
from contextlib import AbstractAsyncContextManager
from types import TracebackType
from typing import Final

from onemcp.net.origin import Origin
from onemcp.net.pool import Limits, Pool
from onemcp.net.response import Response

_TOKEN: Final = frozenset("!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ")


def field_lines(headers: Iterable[tuple[str, str]]) -> bytes:
    """Header lines as they are sent.

    Raises:
        ValueError: a name that is no token, or a value that would end its line or is not Latin-1 (RFC 9110, 5.5).
    """
    lines = []
    for name, value in headers:
        if not name or not _TOKEN.issuperset(name):
            raise ValueError(f"{name!r} is not the name of a header")
        if not value.isprintable() and not value.replace("\t", " ").isprintable():
            raise ValueError(f"the header {name} has a control character in its value")
        try:
            lines.append(f"{name}: {value}\r\n".encode("latin-1"))
        except UnicodeEncodeError:
            raise ValueError(
                f"the header {name} has a character in its value that HTTP cannot carry"
            ) from None
    return b"".join(lines)


class HttpClient(AbstractAsyncContextManager["HttpClient"]):
    """A client of one origin; made inside the event loop that uses it, closed by `async with` or `aclose`.

    A request is sent once. Where a connection turns out to be lost before anything is written, another is taken;
    after that the outcome is unknown and HttpError says so (`sent`). Cancelling whoever waits for a response, or
    closing a stream early, closes the connection at once.
    """

    def __init__(
        self, origin: Origin, limits: Limits | None = None, tls: ssl.SSLContext | None = None
    ) -> None:
        self.origin = origin
        self._loop = asyncio.get_running_loop()
        self._pool = Pool(origin, limits or Limits(), tls)
        self._host = field_lines([("host", origin.authority), ("accept-encoding", "identity")])

    def __repr__(self) -> str:
        """The pool's numbers."""
        return f"<HttpClient {self._pool!r}>"

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close everything."""
        await self.aclose()

    def prepare(self, method: str, target: str, headers: Iterable[tuple[str, str]] = ()) -> bytes:
        """The beginning of a request, for `send`; more `field_lines` may be appended.

        `Host`, `Accept-Encoding` and what frames the body are ours to say.

        Raises:
            ValueError: a method, target or header that cannot be sent.
        """
        if not method or not _TOKEN.issuperset(method):
            raise ValueError(f"{method!r} is not a method")
        if not target.isascii() or not target.isprintable() or " " in target:
            raise ValueError(f"{target!r} is not a request target")
        return f"{method} {target} HTTP/1.1\r\n".encode() + self._host + field_lines(headers)

    async def send(self, head: bytes, body: bytes = b"", *, timeout: float, idle: float = 0.0) -> Response:
        """One exchange; `head` comes from `prepare`.

        A 2xx answer of the type text/event-stream is returned as soon as its head is there; every other when it is
        complete. `timeout` is the time in seconds for all of it, a stream's end included; with `idle`, a stream has
        no end to reach but fails after so many seconds of silence. Both may come up to a tick late.

        Raises:
            HttpError: there was no response; a stream raises it while it is read.
        """
        now = self._loop.time()
        deadline = now + timeout
        connection = self._pool.take(now)
        if connection is None:
            connection = await self._pool.acquire(deadline)
            while not connection.is_usable:  # Lost between being given back and being given to us.
                connection = await self._pool.acquire(deadline)
        ending = b"content-length: %d\r\n\r\n" % len(body) if body or head.startswith(b"POST") else b"\r\n"
        waiter = connection.start(head + ending, body, deadline, idle)
        try:
            return await waiter
        except asyncio.CancelledError:
            connection.give_up(waiter)
            raise

    async def request(
        self,
        method: str,
        target: str,
        headers: Iterable[tuple[str, str]] = (),
        body: bytes = b"",
        *,
        timeout: float = 60.0,
    ) -> Response:
        """`prepare` and `send` in one, for what is not said often.

        Raises:
            HttpError: there was no response.
            ValueError: something that cannot be sent.
        """
        return await self.send(self.prepare(method, target, headers), body, timeout=timeout)

    async def aclose(self) -> None:
        """Close every connection; what is under way fails. Safe to call twice."""
        await self._pool.aclose()
