"""The channel to an upstream on the old HTTP+SSE: all its messages on one event stream, ours in POSTs beside it.

Source: basic/transports, HTTP with SSE (2024-11-05).
"""

import asyncio
from asyncio import Future
from collections.abc import Callable
from math import inf
from typing import Final, Self
from urllib.parse import urljoin

from onemcp.core.spec import HttpTransport
from onemcp.errors import Reason, RpcError, UpstreamError
from onemcp.net.fault import HttpError
from onemcp.net.http1 import field_lines
from onemcp.net.origin import split_url
from onemcp.net.response import Stream
from onemcp.upstream.answer import is_message, open_messages
from onemcp.upstream.channel import Inbound, Reply, Request
from onemcp.upstream.endpoint import EITHER, EVENTS, JSON, MAX_BYTES, Endpoint
from onemcp.upstream.errands import Errands
from onemcp.upstream.pending import Pending
from onemcp.upstream.refusal import refusal
from onemcp.wire import envelope
from onemcp.wire.envelope import one_line
from onemcp.wire.sse import Event, EventParser

OPEN_TIMEOUT: Final = 30.0
"""Seconds from the GET to the event that says where messages go."""
POST_TIMEOUT: Final = 10.0
"""Seconds for the acknowledgement of a notification, or of an answer of ours."""


class SseChannel:
    """A `Channel` over HTTP+SSE; lives and dies with its event stream, which may be silent for as long as it likes.

    The transport does not say to which request a message of the upstream's own belongs: all go to `inbound`.
    """

    def __init__(self, name: str, transport: HttpTransport, inbound: Inbound, max_bytes: int) -> None:
        """Use `open`."""
        loop = asyncio.get_running_loop()
        self.closed: Future[str] = loop.create_future()
        self.on_reinitialized: Callable[[], None] = lambda: None
        self.on_missed: Callable[[], None] = lambda: None
        self.strays = 0
        """Messages that were none, and answers that nobody waited for."""
        self._name = name
        self._inbound = inbound
        self._endpoint = Endpoint(name, transport, max_bytes)
        self._pending = Pending(name, on_expired=self._cancel)
        self._errands = Errands(name)
        self._located: Future[str] = loop.create_future()
        self._reading: asyncio.Task[None] | None = None
        self._target = ""
        self._head = b""
        self._is_agreed = False
        self._end_reason = Reason.STOPPING

    @classmethod
    async def open(
        cls, name: str, transport: HttpTransport, inbound: Inbound, max_bytes: int = MAX_BYTES
    ) -> Self:
        """Open the event stream and learn where messages go.

        Raises:
            UpstreamError: UNFIT for an entry that cannot be used; else the stream was refused, or said nothing of
                use within 30 s.
        """
        self = cls(name, transport, inbound, max_bytes)
        try:
            await self._open()
        except BaseException:
            await self.aclose()
            raise
        return self

    async def _open(self) -> None:
        head = self._endpoint.head("GET", [EVENTS])
        response = await self._endpoint.send(head, timeout=OPEN_TIMEOUT, idle=inf)
        if response.stream is None:
            raise refusal(self._name, response)
        self._reading = asyncio.create_task(self._read(response.stream))
        await asyncio.wait((self._located,), timeout=OPEN_TIMEOUT)
        if not self._located.done():
            what = f"did not say within {OPEN_TIMEOUT:g} s where messages go; is it streamable HTTP?"
            raise UpstreamError(self._name, Reason.TIMEOUT, what, ran=False)
        self._target = self._located.result()
        self._head = self._endpoint.head("POST", [JSON, EITHER], self._target)

    def __repr__(self) -> str:
        """Place and load in one line."""
        return f"<SseChannel {self._name} {self._endpoint.origin} {len(self._pending)} in flight>"

    async def request(self, request: Request) -> Reply:
        """Send and wait for the answer; see `Channel.request`."""
        self._check()
        request_id, future = self._pending.open(request.timeout, request.sink)
        try:
            body = envelope.request(request_id, request.method, request.params)
            await self._post(body, request.timeout, field_lines(request.trace))
            return await future
        except asyncio.CancelledError:
            self._pending.withdraw(request_id)
            _forget(future)
            raise
        except UpstreamError:
            if future.done() and future.exception() is None:
                return future.result()  # The answer overtook the acknowledgement, which then failed.
            self._pending.discard(request_id)
            raise

    async def notify(self, method: str, params: bytes = b"") -> None:
        """Send a notification and wait for its acknowledgement; see `Channel.notify`."""
        self._check()
        await self._post(envelope.notification(method, params), POST_TIMEOUT)

    def respond(self, message: bytes) -> None:
        """Queue an answer of ours; see `Channel.respond`."""
        self._run_errand(one_line(message), "an answer of ours")

    def adopt(self, revision: str) -> None:
        """The revision is agreed; servers that know its header get it."""
        self._is_agreed = True
        headers = [JSON, EITHER, ("mcp-protocol-version", revision)]
        self._head = self._endpoint.head("POST", headers, self._target)

    async def watch(self, uris: frozenset[str]) -> frozenset[str]:  # noqa: ARG002 - the port's
        """Nothing can be watched so: the stateless era has no such transport."""
        self._check()
        return frozenset()

    async def aclose(self) -> None:
        """Close the stream and every connection; see `Channel.aclose`."""
        self._end("was disconnected", Reason.STOPPING)
        try:
            if self._reading is not None:
                self._reading.cancel()
                await asyncio.gather(self._reading, return_exceptions=True)
            await self._errands.aclose()
        finally:
            await self._endpoint.aclose()

    async def _post(self, body: bytes, timeout: float, lines: bytes = b"") -> None:
        """Send one message; `lines` are further header lines."""
        response = await self._endpoint.send(self._head + lines, body, timeout=timeout)
        if response.stream is not None:
            response.stream.leave()
        if not 200 <= response.status < 300:
            raise refusal(self._name, response)

    def _cancel(self, request_id: int) -> None:
        """Tell the upstream that nobody waits; not before the revision is agreed (initialize cannot be cancelled)."""
        if self._is_agreed:
            params = b'{"requestId":%d,"reason":"nobody waits for the answer any more"}' % request_id
            self._run_errand(envelope.notification("notifications/cancelled", params), "a cancellation")

    def _run_errand(self, body: bytes, what: str) -> None:
        if not self.closed.done():
            self._errands.run(self._post(body, POST_TIMEOUT), what)

    async def _read(self, stream: Stream) -> None:
        """Read the stream to its end, which is the channel's."""
        parser = EventParser(self._endpoint.max_bytes)
        why = "ended its event stream"
        try:
            async for chunk in stream:
                for event in parser.feed(chunk):
                    self._take(event)
        except HttpError as error:
            why = error.what
        finally:
            self.strays += parser.oversized
            stream.close()
        self._end(why, Reason.STREAM_LOST)

    def _take(self, event: Event) -> None:
        if event.event == "endpoint":
            self._locate(event.data.decode(errors="replace").strip())
            return
        if not is_message(event):
            return
        try:
            messages = open_messages(event.data)
        except RpcError:
            self.strays += 1
            return
        for message in messages:
            if message.method:
                self._inbound(message)
            elif not self._pending.resolve(message):
                self.strays += 1

    def _locate(self, reference: str) -> None:
        """The upstream has said where messages go; anywhere else than on its own origin they do not."""
        if self._located.done():
            return
        try:
            origin, target = split_url(urljoin(self._endpoint.url, reference))
            if origin != self._endpoint.origin:
                raise ValueError(f"{origin} is not {self._endpoint.origin}")  # noqa: TRY301 - one way out
        except ValueError as error:
            what = f"sends its messages where they must not go: {error}"
            self._located.set_exception(UpstreamError(self._name, Reason.PROTOCOL, what, ran=False))
        else:
            self._located.set_result(target)

    def _check(self) -> None:
        if self.closed.done():
            raise UpstreamError(self._name, self._end_reason, self.closed.result(), ran=False)

    def _end(self, why: str, reason: Reason) -> None:
        if self.closed.done():
            return
        self._end_reason = reason
        self.closed.set_result(why)
        self._pending.fail(lambda: UpstreamError(self._name, reason, why))
        self._pending.close()
        if not self._located.done():
            self._located.set_exception(UpstreamError(self._name, reason, why, ran=False))
        _forget(self._located)


def _forget(future: Future[Reply] | Future[str]) -> None:
    """Nobody will ask how it ended."""
    if future.done() and not future.cancelled():
        future.exception()
