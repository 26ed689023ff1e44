"""The channel to an upstream on streamable HTTP: a POST a request, whose response is the answer or streams it.

Source: basic/transports, streamable HTTP (2025-03-26 to 2025-11-25; 2026-07-28 without sessions).
"""

import asyncio
import logging
from asyncio import Future
from collections.abc import Callable
from contextlib import suppress
from itertools import count
from typing import Final

from onemcp.core.changes import NEWS
from onemcp.core.spec import HttpTransport
from onemcp.errors import Reason, RpcError, UpstreamError
from onemcp.net.fault import HttpError
from onemcp.net.response import Response
from onemcp.upstream.answer import Answer
from onemcp.upstream.channel import Inbound, Reply, Request
from onemcp.upstream.endpoint import MAX_BYTES, Endpoint
from onemcp.upstream.errands import Errands
from onemcp.upstream.handover import Handover
from onemcp.upstream.listening import Listening, ResourceStream
from onemcp.upstream.refusal import BUSY, error_in, is_session_loss, refusal
from onemcp.upstream.renewal import Renewal
from onemcp.upstream.session import INITIALIZE, Session
from onemcp.wire import envelope
from onemcp.wire.envelope import ABSENT, one_line, parse

NOTIFY_TIMEOUT: Final = 10.0
"""Seconds for the acknowledgement of a notification, or of an answer of ours."""
CANCEL_AGAIN: Final = 1.0
"""Seconds after which a cancellation is told again that may have been there before what it cancels."""
FAREWELL_TIMEOUT: Final = 1.0
INITIALIZED: Final = "notifications/initialized"

_RESUMES: Final = 3
"""Attempts in a row to resume a stream that bring nothing new."""
_MIN_RETRY: Final = 0.01

_log = logging.getLogger("onemcp.upstream")


class HttpChannel:
    """A `Channel` over streamable HTTP, in either era. Nothing is sent before the first request.

    A session that the upstream has forgotten is begun anew, once for all that noticed, and what noticed is sent
    again, once: it cannot have run. In the stateless era, giving a request up closes its connection, which cancels
    it; in the handshake era it is cancelled by a notification.
    """

    def __init__(
        self,
        name: str,
        transport: HttpTransport,
        inbound: Inbound,
        *,
        meta: bytes = b"{}",
        max_bytes: int = MAX_BYTES,
    ) -> None:
        """`meta` is the encoded `_meta` of a stateless request of the gateway's own.

        Raises:
            UpstreamError: UNFIT, for a URL or a configured header that cannot be used.
        """
        self._loop = asyncio.get_running_loop()
        self.closed: Future[str] = self._loop.create_future()
        self.on_reinitialized: Callable[[], None] = lambda: None
        """Called when the upstream may have changed unnoticed (a new session, a gap in what it announces): list
        again. Must not raise."""
        self.on_missed: Callable[[], None] = lambda: None
        self.strays = 0
        """Messages that were none, and answers that nobody waited for."""
        self._name = name
        self._inbound = inbound
        self._meta = meta
        self._endpoint = Endpoint(name, transport, max_bytes)
        self._session = Session(self._endpoint)
        self._renewal = Renewal(name, self._begin_anew, self._lose)
        self._errands = Errands(name)
        self._listening: asyncio.Task[None] | None = None
        self._handover = Handover(name, self._begin_watch)
        self._watching: set[asyncio.Task[None]] = set()
        self._ids = count(1)
        self._end_reason = Reason.STOPPING

    def __repr__(self) -> str:
        """Place and agreement in one line."""
        revision = self._session.revision or "not agreed"
        return f"<HttpChannel {self._name} {self._endpoint.origin} {revision}>"

    async def request(self, request: Request) -> Reply:
        """Send and wait for the answer; see `Channel.request`.

        Raises:
            UpstreamError: the upstream did not answer; HttpStatusError where a status said so.
        """
        self._check()
        deadline = self._loop.time() + request.timeout
        if self._renewal.is_running:
            await self._renewal.wait(deadline)
        session_id = self._session.id
        try:
            return await self._ask(request, request.timeout)
        except UpstreamError as error:
            if error.reason is not Reason.SESSION_LOST or not request.renews:
                raise
        await self._renew(session_id, deadline)
        return await self._ask(request, self._left(deadline, ran=False))

    async def _ask(self, request: Request, timeout: float) -> Reply:
        request_id = next(self._ids)
        body = envelope.request(request_id, request.method, request.params)
        deadline = self._loop.time() + timeout
        session_id = self._session.id
        response = None
        try:
            response = await self._endpoint.send(self._session.head(request), body, timeout=timeout)
            if request.method == INITIALIZE and 200 <= response.status < 300:
                self._session.begin(request.params, response.header(b"mcp-session-id"))
            if not 200 <= response.status < 300:
                return self._judge(response, session_id, request_id)
            if response.stream is None:
                return self._read(response, request, request_id)
            return await self._read_stream(response, request, request_id, deadline)
        except asyncio.CancelledError:
            self._cancel(request, request_id, was_heard=response is not None)
            raise
        except UpstreamError as error:
            if error.reason is Reason.TIMEOUT and error.ran:
                self._cancel(request, request_id, was_heard=response is not None)
                what = f"did not answer within {request.timeout:g} s"
                raise UpstreamError(self._name, Reason.TIMEOUT, what) from None
            raise

    def _read(self, response: Response, request: Request, request_id: int) -> Reply:
        """The answer in a complete body."""
        try:
            message = parse(response.body)
        except RpcError:
            pass
        else:
            if bytes(message.id) == b"%d" % request_id and not message.method:
                return Reply(message.result, message.error)
        answer = Answer(request_id, self._taker(request), self._endpoint.max_bytes)
        reply = answer.take(response.body) if response.body else None
        self.strays += answer.strays
        if reply is None:
            raise refusal(self._name, response)
        return reply

    def _taker(self, request: Request) -> Inbound:
        """Takes what comes along with an answer: news of the upstream itself are not that request's alone."""
        inbound, sink = self._inbound, request.sink
        if sink is None:
            return inbound
        return lambda envelope: (inbound if envelope.method in NEWS else sink)(envelope)

    def _judge(self, response: Response, session_id: str, request_id: int | None = None) -> Reply:
        """The answer that a status other than success carries, if it is one, to what was sent in that session.

        Raises:
            UpstreamError: SESSION_LOST, or what the status means.
        """
        if session_id and is_session_loss(response):
            what = "has forgotten the session"
            raise UpstreamError(self._name, Reason.SESSION_LOST, what, ran=False)
        error = refusal(self._name, response)
        if error.reason is Reason.UNAUTHORIZED or response.status in BUSY or not self._session.revision:
            raise error
        found = error_in(response)
        if found is None or request_id is None:
            raise error
        owner = bytes(found.id)
        if owner == b"%d" % request_id or (self._session.is_stateless and owner in (b"", b"null")):
            return Reply(ABSENT, found.error)
        raise error

    async def _read_stream(
        self, response: Response, request: Request, request_id: int, deadline: float
    ) -> Reply:
        """The answer on an event stream, resumed where that is possible."""
        answer = Answer(request_id, self._taker(request), self._endpoint.max_bytes)
        tries = 0
        try:
            while True:
                seen = answer.last_event_id
                reply = await answer.follow(response.stream) if response.stream is not None else None
                if reply is not None:
                    return reply
                tries = 0 if answer.last_event_id != seen else tries + 1
                response = await self._resume(answer, tries, deadline)
        except HttpError as error:
            raise self._endpoint.translate(error) from None
        finally:
            self.strays += answer.strays

    async def _resume(self, answer: Answer, tries: int, deadline: float) -> Response:
        """The stream from after its last event on, in the manner of SEP-1699."""
        lost = UpstreamError(self._name, Reason.STREAM_LOST, "ended the stream before the answer was on it")
        if not answer.last_event_id or self._session.is_stateless or tries >= _RESUMES:
            raise lost
        try:
            head = self._session.get_head(answer.last_event_id)
        except ValueError:
            raise lost from None
        await asyncio.sleep(min(max(answer.retry, _MIN_RETRY), self._left(deadline)))
        response = await self._endpoint.send(head, timeout=self._left(deadline))
        if response.stream is None:
            raise lost
        return response

    def _left(self, deadline: float, *, ran: bool = True) -> float:
        """Seconds to the deadline.

        Raises:
            UpstreamError: TIMEOUT, if there are none.
        """
        left = deadline - self._loop.time()
        if left <= 0:
            raise UpstreamError(self._name, Reason.TIMEOUT, "did not answer in time", ran=ran)
        return left

    def _cancel(self, request: Request, request_id: int, *, was_heard: bool) -> None:
        """Tell an upstream of the handshake era that nobody waits any more (utilities, cancellation).

        The cancellation travels on another connection. Where nothing shows that the request was there before it, it
        is told once more.
        """
        session = self._session
        if session.revision and not session.is_stateless and request.method != INITIALIZE:
            params = b'{"requestId":%d,"reason":"nobody waits for the answer any more"}' % request_id
            body = envelope.notification("notifications/cancelled", params)
            self._run_errand(body, "a cancellation")
            if not was_heard:
                self._errands.run(self._post_late(body), "a second cancellation")

    async def _post_late(self, body: bytes) -> None:
        await asyncio.sleep(CANCEL_AGAIN)
        await self._post(body)

    async def notify(self, method: str, params: bytes = b"") -> None:
        """Send a notification and wait for its acknowledgement; see `Channel.notify`.

        Raises:
            UpstreamError: it could not be sent, or was not accepted.
        """
        self._check()
        deadline = self._loop.time() + NOTIFY_TIMEOUT
        if self._renewal.is_running:
            await self._renewal.wait(deadline)
        body = envelope.notification(method, params)
        session_id = self._session.id
        try:
            await self._post(body)
        except UpstreamError as error:
            if error.reason is not Reason.SESSION_LOST:
                raise
            await self._renew(session_id, deadline)
            await self._post(body)
        if method == INITIALIZED:
            self._listen()

    async def _post(self, body: bytes) -> None:
        session_id = self._session.id
        response = await self._endpoint.send(self._session.post_head(), body, timeout=NOTIFY_TIMEOUT)
        if response.stream is not None:
            response.stream.leave()
        if not 200 <= response.status < 300:
            self._judge(response, session_id)

    def respond(self, message: bytes) -> None:
        """Queue an answer of ours; see `Channel.respond`."""
        self._run_errand(one_line(message), "an answer of ours")

    def _run_errand(self, body: bytes, what: str) -> None:
        if not self.closed.done():
            self._errands.run(self._post(body), what)

    def adopt(self, revision: str) -> None:
        """From now on requests say the revision.

        A stateless upstream is listened to at once, another one when it was told that the session is initialized.
        """
        self._session.adopt(revision)
        if self._session.is_stateless:
            self._listen()

    def _listen(self) -> None:
        """Open the stream on which the upstream speaks on its own; in place of an earlier one."""
        if self._listening is not None:
            self._listening.cancel()
        listening = Listening(self._endpoint, self._session, self._inbound)
        listening.on_gap = self._tell_owner
        listening.on_session_lost = self._renewal.start
        self._listening = asyncio.create_task(listening.run(lambda: next(self._ids), self._meta))

    async def watch(self, uris: frozenset[str]) -> frozenset[str]:
        """Listen for updates of these resources, beside what else is listened for; see `Channel.watch`."""
        self._check()
        return await self._handover.to(uris)

    def _begin_watch(self, wanted: bytes) -> ResourceStream:
        listening = Listening(self._endpoint, self._session, self._inbound, wanted)
        stream = ResourceStream(listening, self._name, self._tell_missed)
        stream.begin(lambda: next(self._ids), self._meta)
        self._watching.add(stream.task)
        stream.task.add_done_callback(self._watching.discard)
        return stream

    def _tell_owner(self) -> None:
        self.on_reinitialized()

    def _tell_missed(self) -> None:
        self.on_missed()

    async def _renew(self, session_id: str, deadline: float) -> None:
        """Have a session in the place of one that is lost.

        Raises:
            UpstreamError: there is none to be had.
        """
        self._check()
        if self._session.id == session_id:
            self._renewal.start(session_id)
        if self._renewal.is_running:
            await self._renewal.wait(deadline)

    async def _begin_anew(self, session_id: str) -> None:
        """Replay the handshake that `negotiate` once did (session management: a new InitializeRequest)."""
        session = self._session
        if session.id != session_id:
            return
        _log.info("%s: has forgotten the session; a new one is begun", self._name)
        session.end()
        reply = await self._ask(Request(INITIALIZE, session.params, NOTIFY_TIMEOUT), NOTIFY_TIMEOUT)
        if b'"%b"' % session.revision.encode() not in bytes(reply.result):
            raise UpstreamError(self._name, Reason.SESSION_LOST, "does not agree on the revision any more")
        await self._post(envelope.notification(INITIALIZED))
        self._listen()
        self.on_reinitialized()

    def _lose(self, error: UpstreamError) -> None:
        """The session is lost for good, and the channel with it."""
        self._end(f"its session was lost, and no new one could be begun: {error.what}", Reason.SESSION_LOST)

    def _check(self) -> None:
        if self.closed.done():
            raise UpstreamError(self._name, self._end_reason, self.closed.result(), ran=False)

    def _end(self, why: str, reason: Reason) -> None:
        if not self.closed.done():
            self._end_reason = reason
            self.closed.set_result(why)

    async def aclose(self) -> None:
        """End the session, within a second, and close every connection; see `Channel.aclose`."""
        self._end("was disconnected", Reason.STOPPING)
        try:
            listening = [*self._watching, *([self._listening] if self._listening is not None else [])]
            for task in listening:
                task.cancel()
            await asyncio.gather(*listening, return_exceptions=True)
            await self._renewal.aclose()
            await self._errands.aclose()
            await self._say_farewell()
        finally:
            await self._endpoint.aclose()

    async def _say_farewell(self) -> None:
        if not self._session.id:
            return
        head = self._session.delete_head()
        self._session.end()
        with suppress(UpstreamError, TimeoutError):  # It may refuse (405), and need not be there any more.
            async with asyncio.timeout(FAREWELL_TIMEOUT):
                (await self._endpoint.send(head, timeout=FAREWELL_TIMEOUT)).close()
