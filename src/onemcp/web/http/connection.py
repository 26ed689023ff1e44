"""One client connection: bytes in, requests to the handler one after the other, bytes out."""

import asyncio
import logging
from collections import deque
from typing import Final, NoReturn, cast

import httptools

from onemcp.errors import RpcError
from onemcp.gateway.told import told
from onemcp.gateway.trail import TRAIL, Trail, following
from onemcp.web.answers import refuse_new
from onemcp.web.forwarded import Trust
from onemcp.web.http.host import Host
from onemcp.web.http.request import Request
from onemcp.web.http.response import JSON, WRITE_TIMEOUT, Response
from onemcp.web.http.target import TARGETS, split
from onemcp.wire.envelope import INVALID_REQUEST, failure

MAX_HEAD: Final = 64 * 1024
"""Bytes of request line and headers together, and of one that has not ended, be it a trailer or a chunk's size."""
MAX_HEADERS: Final = 128
REQUEST_TIMEOUT: Final = 30.0
"""Seconds from a request's first byte to its last."""
IDLE_TIMEOUT: Final = 75.0
"""Seconds without a request; longer than common load balancers keep a connection, so that they close it first."""
MAX_PIPELINED: Final = 8
LINGER: Final = 2.0
"""Seconds for which what a refused client still sends is read and dropped."""
HIGH_WATER: Final = 256 * 1024
"""Bytes of unread output beyond which a stream waits."""
NEVER: Final = float("inf")

_log = logging.getLogger("onemcp.web")


_NOTHING: Final[dict[bytes, bytes]] = {}


class _Refusal(Exception):  # noqa: N818 - it is an answer, not a fault
    """The request cannot be taken; the connection ends with this answer."""

    def __init__(self, status: int, what: str) -> None:
        super().__init__(what)
        self.status = status


class Connection(asyncio.Protocol):
    """The server side of one TCP or unix connection."""

    def __init__(self, server: Host) -> None:
        self.server = server
        self.deadline = server.now + REQUEST_TIMEOUT
        """When the server's sweep ends it; `NEVER` while a request is being answered."""
        self.keeps = True
        """Whether the connection goes on after the present answer."""
        self.is_head = False
        self.is_http11 = True
        self.is_clogged = False
        self.writable = asyncio.Event()
        self._transport: asyncio.Transport
        self._parser = httptools.HttpRequestParser(self)
        self._waiting: deque[tuple[Request, bool, bool]] = deque()
        self._task: asyncio.Task[None] | None = None
        self._response: Response | None = None
        self._upgraded: int | None = None
        self._is_fresh = True
        self._is_paused = False
        self._lingers = False
        self._unread = NEVER
        """Bytes of output that the client had not read when its time was over last."""
        self._pending = 0
        """Bytes of a head, a trailer or a chunk's size that the parser has begun to read, and what came with them."""
        self._is_behind = False
        """The present head began in the same bytes as another request ended: they are not in `_pending`."""
        self._named: dict[bytes, bytes]
        self._reset()

    # From the loop

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """A client is there."""
        self._transport = cast("asyncio.Transport", transport)  # uvloop's is one by its methods only
        self._transport.set_write_buffer_limits(HIGH_WATER)
        self.server.connections.add(self)

    def data_received(self, data: bytes) -> None:
        """Bytes of requests."""
        if self._lingers:
            return
        if self._is_fresh and self._task is None:
            self._is_fresh = False
            self.deadline = self.server.now + REQUEST_TIMEOUT
        try:
            if self._upgraded is not None:
                self._take_plain(data)
            else:
                if not self._url:
                    self._is_behind = False
                self._pending += len(data)
                self._parser.feed_data(data)
                if self._pending > MAX_HEAD:  # it has no bound of its own
                    self._refuse_head()
        except httptools.HttpParserUpgrade as upgrade:
            self._ignore_upgrade(data[upgrade.args[0] :])
        except httptools.HttpParserCallbackError as error:
            self._refuse(error.__context__)
        except (httptools.HttpParserError, _Refusal) as error:
            self._refuse(error)

    def eof_received(self) -> bool | None:
        """The client sends no more; half-closed connections are not kept."""
        return None

    def connection_lost(self, _exc: Exception | None) -> None:
        """The client is gone."""
        self.server.forget(self)
        self.keeps = False
        self._waiting.clear()
        self.writable.set()
        if self._response is not None:
            self._response.leave()
        del self._parser  # its callbacks hold this object

    def pause_writing(self) -> None:
        """The client reads more slowly than we write."""
        self.is_clogged = True
        self.writable.clear()

    def resume_writing(self) -> None:
        """It has caught up."""
        self.is_clogged = False
        self.writable.set()
        if self._task is None and self._waiting:
            self._next()

    # From the parser

    def _reset(self) -> None:
        self._url = b""
        self._lines: list[tuple[bytes, bytes]] = []
        self._headers = self._lines
        self._named = _NOTHING  # an idle connection holds nothing of its last request
        self._body: bytes | bytearray = b""
        self._size = 0

    def on_url(self, url: bytes) -> None:
        """A piece of the request target."""
        self._url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        """One header, or one trailer."""
        self._lines.append((name.lower(), value.strip(b" \t")))

    def _measure_head(self) -> None:
        """Refuse a head that is too large, also one that came in a single piece with what follows it."""
        size = len(self._url) + sum(len(name) + len(value) for name, value in self._lines)
        if size > MAX_HEAD:
            self._refuse_head()

    def _refuse_head(self) -> NoReturn:
        raise _Refusal(431, f"request line and headers are larger than {MAX_HEAD} bytes")

    def on_headers_complete(self) -> None:
        """The body follows."""
        if self._pending > MAX_HEAD or self._is_behind:
            self._measure_head()
        self._pending = 0
        headers = self._headers = self._lines
        self._lines = []  # of trailers, which are dropped: nothing that decides about a request comes behind its body
        if len(headers) > MAX_HEADERS:
            raise _Refusal(431, f"more than {MAX_HEADERS} headers")
        named = self._named = dict(headers)
        length = named.get(b"content-length")
        if length is not None and int(length) > self.server.max_body:
            self._refuse_size()
        if b"expect" in named and named[b"expect"].lower() == b"100-continue" and self._task is None:
            self.write(b"HTTP/1.1 100 Continue\r\n\r\n")

    def _refuse_size(self) -> NoReturn:
        raise _Refusal(413, f"the message is larger than {self.server.max_body} bytes")

    def on_body(self, chunk: bytes) -> None:
        """A piece of the body."""
        self._pending = 0
        self._size += len(chunk)
        if self._size > self.server.max_body:
            self._refuse_size()
        if self._body:
            self._add(chunk)
        else:
            self._body = chunk

    def _add(self, chunk: bytes) -> None:
        """Keep a further piece of the body: in one buffer, however many and small they are."""
        if isinstance(self._body, bytes):
            self._body = bytearray(self._body)
        self._body += chunk

    def on_message_complete(self) -> None:
        """The request is whole."""
        self._pending = 0
        self._is_behind = True
        parser = self._parser
        if parser.should_upgrade() and self._plain_length():
            return  # its body is still to come, see `_ignore_upgrade`
        self._complete(parser.get_method(), parser.get_http_version() == "1.1", parser.should_keep_alive())

    def _complete(self, method: bytes, is_http11: bool, keeps: bool) -> None:  # noqa: FBT001 - two facts of a request
        path, query = TARGETS.get(self._url) or split(self._url)
        request = Request(
            method.decode("latin-1"),
            path,
            query,
            self._named,
            self._headers,
            bytes(self._body),
            self,
        )
        self._reset()
        if self._task is None and not self.is_clogged:
            self._begin(request, is_http11, keeps)
            return
        self._waiting.append((request, is_http11, keeps))
        if len(self._waiting) >= MAX_PIPELINED or len(request.body) > HIGH_WATER:
            self._is_paused = True
            self._transport.pause_reading()

    # An upgrade is ignored, as RFC 9110 section 7.8 allows; the parser then leaves the body to us.

    def _plain_length(self) -> int:
        if b"transfer-encoding" in self._named:
            raise _Refusal(400, "a request to upgrade has a body of unknown length")
        lengths = [value for name, value in self._headers if name == b"content-length"]
        return int(lengths[0]) if len(lengths) == 1 and lengths[0].isdigit() else 0

    def _ignore_upgrade(self, rest: bytes) -> None:
        if length := self._plain_length():
            self._upgraded = length
            self._take_plain(rest)
        else:
            self._restart(rest)

    def _take_plain(self, data: bytes) -> None:
        assert self._upgraded is not None  # only called while such a body is read
        mine, rest = data[: self._upgraded], data[self._upgraded :]
        self._upgraded -= len(mine)
        self._add(mine)
        if self._upgraded == 0:
            self._complete(self._parser.get_method(), is_http11=True, keeps=True)
            self._restart(rest)

    def _restart(self, rest: bytes) -> None:
        self._upgraded = None
        self._parser = httptools.HttpRequestParser(self)
        if rest:
            self.data_received(rest)

    # To the handler

    def _begin(self, request: Request, is_http11: bool, keeps: bool) -> None:  # noqa: FBT001 - two facts of a request
        self.deadline = self._unread = NEVER
        self._is_fresh = True
        self.is_head = request.method == "HEAD"
        self.is_http11 = is_http11
        self.keeps = keeps and not self.server.is_stopping
        response = self._response = Response(self, Trail(request.headers))
        response.task = self._task = self.server.loop.create_task(self._answer(request, response))

    async def _answer(self, request: Request, response: Response) -> None:
        TRAIL.set(response.trail)
        try:
            answering = self.server.handler(request, response)
            if answering is not None:
                await answering
        except asyncio.CancelledError:
            # The client has gone, or the server stops: nobody reads what could be said.
            self.keeps = False
        except Exception:  # noqa: BLE001 - a defect in a handler must not end the connection without an answer
            _log.exception("answering %s %s broke", request.method, request.path)
            if not response.started:
                response.send(500, b'{"error":"internal error; the log has it"}', JSON)
        response.trail.end()
        if not response.finished:
            self.keeps = False
        self._task = self._response = None
        self._next()

    def _next(self) -> None:
        if not self.keeps:
            self._transport.close()
            self.deadline = self.server.now + WRITE_TIMEOUT
        elif self._waiting and not self.is_clogged:
            request, is_http11, keeps = self._waiting.popleft()
            if self._is_paused:
                self._is_paused = False
                self._transport.resume_reading()
            self._begin(request, is_http11, keeps)
        else:
            self.deadline = self.server.now + IDLE_TIMEOUT

    def _refuse(self, error: BaseException | None) -> None:
        """Answer what cannot be taken, after what came before it, and hang up."""
        self.keeps = False
        self._lingers = True
        if self._task is not None:
            return
        status = error.status if isinstance(error, _Refusal) else 400
        what = str(error) if isinstance(error, _Refusal) else "not an HTTP request"
        response = Response(self)
        with following(response.trail):
            response.send(status, failure(None, told(RpcError(INVALID_REQUEST, what))), JSON)
        self._linger()

    def _linger(self) -> None:
        """Say nothing more, and drop what still comes.

        To close at once would reset the connection under a client that still sends, and take the answer with it.
        """
        self._lingers = True
        self._transport.write_eof()
        self.deadline = self.server.now + LINGER

    # From responses and the server

    def write(self, data: bytes) -> None:
        """Bytes to the client; nothing once it is gone."""
        if not self._transport.is_closing():
            self._transport.write(data)

    @property
    def date(self) -> bytes:
        """The Date header line of this second."""
        return self.server.date

    @property
    def peer(self) -> str:
        """The address of whoever opened the connection; empty on a unix socket."""
        name = self._transport.get_extra_info("peername")
        return str(name[0]) if isinstance(name, tuple) else ""

    @property
    def trust(self) -> Trust:
        """Whose word about other clients is believed."""
        return self.server.trust

    @property
    def is_idle(self) -> bool:
        """No request is being answered."""
        return self._task is None

    def discourage(self) -> None:
        """End the connection with the present answer, if its head can still say so and no other request waits."""
        if self._response is not None and not self._response.started and not self._waiting:
            self.keeps = False

    @property
    def is_half_way(self) -> bool:
        """The next request has begun to come, and is not whole."""
        return self._task is None and not self._is_fresh and not self._lingers

    def close(self) -> None:
        """End the connection once what was written is out; with the answer to a request that is half-way."""
        self.keeps = False
        if self._task is None and not self.is_half_way:
            self._transport.close()

    def leave_off(self) -> None:
        """Wait no longer for the rest of a request that is half-way: nothing was done, and that is what it is told."""
        response = Response(self)
        with following(response.trail):
            refuse_new(response)
        self._linger()

    def hang_up(self) -> None:
        """End the connection once what was written is out; what is being answered goes on."""
        self.keeps = False
        self._transport.close()

    def expire(self) -> None:
        """Its time is over: between requests it just ends, within one it is told; while it reads it has more."""
        unread = self._transport.get_write_buffer_size()
        if unread:
            if unread >= self._unread:
                self._transport.abort()
            self._unread = unread
            self.deadline = self.server.now + WRITE_TIMEOUT
            return
        if not self._is_fresh and not self._lingers:
            self.keeps = False
            Response(self).send(408)
        self._transport.close()

    def abort(self) -> None:
        """End it now, whatever is unsent, and stop what is being answered."""
        if self._task is not None:
            self._task.cancel()
        self._transport.abort()
