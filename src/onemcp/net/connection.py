"""One HTTP/1.1 connection: writes a request, reads its response, and is then free for the next.

The parser is llhttp in its strict mode, so contradicting lengths, bare line feeds and the like end the connection
rather than being guessed at. One exchange at a time: a byte that arrives when nobody asked ends it too.
"""

import asyncio
from asyncio import Future
from math import inf
from typing import Final, Protocol, cast

from httptools import HttpParserError, HttpParserUpgrade, HttpResponseParser

from onemcp.net.fault import Fault, HttpError
from onemcp.net.response import Response, Stream

HEAD_LIMIT: Final = 64 * 1024
"""Bytes without any of the body in them: heads, interim responses, trailers. Exceeded by one read at most."""
REUSE: Final = 4.0
"""Seconds of idleness after which a connection is not used again; common servers close theirs after five."""
DRAIN_TIME: Final = 1.0
DRAIN_LIMIT: Final = 64 * 1024
_JOINED: Final = 64 * 1024
"""A body up to this size is copied behind its head, so that both leave in one packet."""
_EVENT_STREAM: Final = b"text/event-stream"


class Keeper(Protocol):
    """Who owns the connection, and hears when it changes hands. Must not raise."""

    def released(self, connection: "Connection") -> None:
        """The exchange is over and the connection can be used again."""

    def streaming(self, connection: "Connection") -> None:
        """The exchange has become a stream."""

    def lost(self, connection: "Connection") -> None:
        """The connection is closed; called once."""


class Connection(asyncio.Protocol):
    """One connection of a pool.

    Writing is never waited for by itself: what the peer does not take is bounded by the one body of the one
    exchange, and its deadline ends the wait. A response that overtakes its request costs the connection.
    """

    __slots__ = (
        "_body",
        "_draining",
        "_headers",
        "_idle_limit",
        "_keeper",
        "_loop",
        "_max_body",
        "_parser",
        "_quiet",
        "_size",
        "_status",
        "_stream",
        "_transport",
        "_waiter",
        "_write_paused",
        "busy",
        "deadline",
        "is_open",
        "is_stream",
        "reuse_until",
    )

    def __init__(self, keeper: Keeper, max_body: int) -> None:
        self._keeper = keeper
        self._max_body = max_body
        self._loop = asyncio.get_running_loop()
        self._parser: HttpResponseParser | None = HttpResponseParser(self)
        self._waiter: Future[Response] | None = None
        self._stream: Stream | None = None
        self._headers: dict[bytes, bytes] = {}
        self._body: list[bytes] = []
        self._status = self._size = self._quiet = 0
        self._idle_limit = 0.0
        self._draining = self._write_paused = False
        self.busy = self.is_open = self.is_stream = False
        self.deadline = inf
        self.reuse_until = inf

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the way out (called by the loop)."""
        self._transport = cast("asyncio.Transport", transport)
        self.is_open = True

    @property
    def is_usable(self) -> bool:
        """Whether a request can be written now; a transport may know of its end before it has told us."""
        return self.is_open and not self._transport.is_closing()

    def start(self, head: bytes, body: bytes, deadline: float, idle_limit: float) -> Future[Response]:
        """Begin an exchange; the future ends with its response or with HttpError.

        After `deadline` (loop time) the exchange fails, unless it has become a stream and there is an `idle_limit`:
        then it fails when nothing has come for as many seconds.
        """
        self.busy = True
        self.deadline = deadline
        self._idle_limit = idle_limit
        self._headers = {}
        self._body = []
        self._status = self._size = self._quiet = 0
        self._waiter = waiter = self._loop.create_future()
        if len(body) <= _JOINED:
            self._transport.write(head + body)
        else:
            self._transport.writelines((head, body))
        return waiter

    def give_up(self, waiter: Future[Response]) -> None:
        """Whoever waited was cancelled: close the connection, if the exchange still is that one."""
        if self._waiter is waiter:
            self._waiter = None
            self.abort()
        elif waiter.done() and not waiter.cancelled() and waiter.exception() is None:
            waiter.result().close()

    def expire(self) -> None:
        """The deadline has passed: fail what is under way."""
        if self._stream is not None and self._idle_limit:
            self.fail(HttpError(Fault.TIMEOUT, f"sent nothing for {self._idle_limit:g} s"))
        else:
            self.fail(HttpError(Fault.TIMEOUT, "did not answer in time"))

    def fail(self, error: HttpError) -> None:
        """End the exchange with an error, and the connection with it."""
        waiter, self._waiter = self._waiter, None
        stream, self._stream = self._stream, None
        self.abort()
        if waiter is not None and not waiter.done():
            waiter.set_exception(error)
        if stream is not None:
            stream.end(error)

    def abort(self) -> None:
        """Close at once; what is under way gets nothing more."""
        self.is_open = False
        self._stream = None
        self.deadline = inf
        self._transport.abort()

    def pause(self) -> None:
        """Stop reading (for a stream whose reader is slow)."""
        if self.is_open:
            self._transport.pause_reading()

    def resume(self) -> None:
        """Read again."""
        if self.is_open:
            self._transport.resume_reading()

    def drain(self) -> None:
        """Discard the rest of a stream, within a bound; after that the connection is free."""
        self._stream = None
        self._draining = True
        self._size = 0
        self._idle_limit = 0.0
        self.deadline = self._loop.time() + DRAIN_TIME

    def data_received(self, data: bytes) -> None:
        """Feed the parser (called by the loop)."""
        if not self.busy or self._parser is None:
            self.abort()
            return
        self._quiet += len(data)
        try:
            self._parser.feed_data(data)
        except (HttpParserError, HttpParserUpgrade) as error:
            self.fail(HttpError(Fault.MALFORMED, f"answered what is not HTTP/1.1 ({error})"))
            return
        if self._quiet > HEAD_LIMIT and self.busy:
            self.fail(HttpError(Fault.TOO_LARGE, f"answered with a head of more than {HEAD_LIMIT} bytes"))

    def eof_received(self) -> None:
        """Nothing is written any more; the transport closes by itself (called by the loop)."""
        self.is_open = False

    def connection_lost(self, exc: Exception | None) -> None:
        """End what was under way (called by the loop)."""
        unfinished = self._waiter is not None or self._stream is not None
        if unfinished and exc is None and self._is_close_delimited():
            self._finish()
        elif unfinished:
            why = f": {exc}" if exc is not None else ""
            part = "in the middle of its answer" if self._status else "before it answered"
            self.fail(HttpError(Fault.LOST, f"closed the connection {part}{why}"))
        self.is_open = self.busy = False
        self._parser = None  # It holds this object's methods: without this both would wait for the collector.
        self._keeper.lost(self)

    def pause_writing(self) -> None:
        """Note that the peer does not take the request (called by the loop)."""
        self._write_paused = True

    def resume_writing(self) -> None:
        """Note that it does again (called by the loop)."""
        self._write_paused = False

    def on_message_begin(self) -> None:
        """A response begins (called by the parser)."""
        if not self.busy:
            self.abort()

    def on_header(self, name: bytes, value: bytes) -> None:
        """Collect; what comes after the head is a trailer and not wanted (called by the parser)."""
        if self._status:
            return
        name = name.lower()
        headers = self._headers
        headers[name] = b"%b, %b" % (headers[name], value) if name in headers else value

    def on_headers_complete(self) -> None:
        """Judge the head (called by the parser)."""
        if self._parser is None or not self.is_open:
            return
        status = self._parser.get_status_code()
        if status < 200:  # An interim response; the one that counts follows (RFC 9110, 15.2).
            self._headers = {}
            return
        self._status = status
        headers = self._headers
        if headers.get(b"content-encoding", b"identity").lower() != b"identity":
            self.fail(HttpError(Fault.MALFORMED, "answered in a content encoding that was not asked for"))
        elif status < 300 and headers.get(b"content-type", b"").lower().startswith(_EVENT_STREAM):
            self._begin_stream()
        elif int(headers.get(b"content-length", b"0")) > self._max_body:
            self._refuse_size()

    def _begin_stream(self) -> None:
        waiter, self._waiter = self._waiter, None
        if waiter is None or waiter.done():
            self.abort()
            return
        self._stream = stream = Stream(self)
        if self._idle_limit:
            self.deadline = self._loop.time() + self._idle_limit
        self._keeper.streaming(self)
        waiter.set_result(Response(self._status, self._headers, stream=stream))

    def on_body(self, chunk: bytes) -> None:
        """Collect or pass on (called by the parser)."""
        self._quiet = 0
        if self._stream is not None:
            self._stream.feed(chunk)
            if self._idle_limit:
                self.deadline = self._loop.time() + self._idle_limit
            return
        self._size += len(chunk)
        if self._draining:
            if self._size > DRAIN_LIMIT:
                self.abort()
        elif self._size > self._max_body:
            self._refuse_size()
        else:
            self._body.append(chunk)

    def _refuse_size(self) -> None:
        self._body = []
        self.fail(HttpError(Fault.TOO_LARGE, f"answered with more than {self._max_body} bytes"))

    def on_message_complete(self) -> None:
        """The response is there (called by the parser)."""
        if not self._status or not self.is_open or self._parser is None:
            return
        reusable = self._parser.should_keep_alive() and not self._write_paused
        self._finish()
        if reusable:
            self.reuse_until = self._loop.time() + self._reuse_time()
            self._keeper.released(self)
        else:
            self.abort()

    def _finish(self) -> None:
        """Hand over what was read; the exchange is over."""
        waiter, self._waiter = self._waiter, None
        stream, self._stream = self._stream, None
        self.busy = self._draining = False
        self.deadline = inf
        if stream is not None:
            stream.end()
        elif waiter is not None and not waiter.done():
            body = self._body
            waiter.set_result(
                Response(self._status, self._headers, body[0] if len(body) == 1 else b"".join(body))
            )

    def _reuse_time(self) -> float:
        """Seconds of idleness that the server certainly stands, by its `Keep-Alive` header if it sends one."""
        hint = self._headers.get(b"keep-alive")
        if hint is None:
            return REUSE
        digits = hint.partition(b"timeout=")[2].partition(b",")[0].strip()
        return min(REUSE, int(digits) - 1.0) if digits.isdigit() and len(digits) < 9 else REUSE

    def _is_close_delimited(self) -> bool:
        """Whether the end of the connection is the end of the body (RFC 9112, 6.3)."""
        headers = self._headers
        return bool(self._status) and not (b"content-length" in headers or b"transfer-encoding" in headers)
