"""The handshake era at the HTTP edge: `initialize` opens a session, every other request names it."""

import asyncio
import time
from typing import Any, Final

from msgspec import Raw

from onemcp.errors import RpcError
from onemcp.gateway.calls import CANCELLED
from onemcp.gateway.context import DEFAULT_LOG_LEVEL, CallContext, Emit
from onemcp.gateway.dispatch import Dispatcher
from onemcp.gateway.owned import ROOTS_CHANGED
from onemcp.gateway.runtime import Runtime
from onemcp.gateway.sessions import Session, Sessions
from onemcp.gateway.streams import Stream
from onemcp.gateway.trail import Trail, following
from onemcp.ops.drain import Drain, overdue
from onemcp.web.answers import answered, failed, refuse, refuse_new
from onemcp.web.http.request import Request
from onemcp.web.http.response import Response, header
from onemcp.web.listening import Listening
from onemcp.web.post import Post
from onemcp.web.tracing import PARENT, take_trace
from onemcp.web.views import Narrowing
from onemcp.wire.envelope import (
    ABSENT,
    INVALID_REQUEST,
    Envelope,
    is_batch,
    open_object,
    parse,
    parse_batch,
    success,
    text,
)
from onemcp.wire.revisions import BATCH_REVISIONS, LATEST_STATELESS, Era, negotiate
from onemcp.wire.translate import VERSION_KEY

MAX_BATCH: Final = 100
SESSION_HEADER: Final = b"mcp-session-id"

_HANDSHAKE: Final = Era.HANDSHAKE
_METADATA_HINT: Final = VERSION_KEY.encode()
_NO_SESSION: Final = "no Mcp-Session-Id header: send an initialize request first"
_UNKNOWN_SESSION: Final = "Session not found: it has ended or expired; send an initialize request"


class Handshake:
    """Answers the requests of handshake-era clients."""

    def __init__(self, runtime: Runtime, dispatcher: Dispatcher, sessions: Sessions, drain: Drain) -> None:
        self._drain = drain
        self._runtime = runtime
        self._dispatcher = dispatcher
        self._sessions = sessions
        self._listening = Listening(runtime, drain)

    async def answer(self, post: Post) -> None:
        """Answer one POST.

        Raises:
            RpcError: what came is no message, or not one of a session; nothing was done.
        """
        if is_batch(post.request.body):
            await self._batch(post)
            return
        envelope = parse(post.request.body)
        if envelope.method == "initialize" and envelope.id is not ABSENT:
            await self._initialize(post, envelope)
            return
        session = self._known(post) or await self._session(post)
        if not envelope.is_request:
            self._note(session, envelope)
            post.response.send(202)
            return
        response, exchange = post.response, post.exchange
        task = response.task
        context = self._posted(session, post, task, exchange.emit if exchange.takes_stream else None)
        trail = response.trail
        trail.context, trail.envelope = context, envelope
        if exchange.takes_stream:
            exchange.context, exchange.request_id = context, envelope.id
        key = session.calls.begin(envelope.id, task)
        try:
            reply = await self._dispatcher.dispatch(context, envelope)
            if session.dirty:
                await self._sessions.save(session)
        except RpcError as error:
            exchange.finish(failed(response, envelope.id, error))
        except asyncio.CancelledError:
            if not self._is_ended(post, session, key, envelope):
                raise
        else:
            exchange.finish(answered(response, envelope.id, reply))
        finally:
            session.calls.end(key)
            exchange.let_go()

    def _is_ended(self, post: Post, session: Session, key: bytes, envelope: Envelope) -> bool:
        """Whether it was cancelled by its client, or because the gateway stops; then what there is to say is said."""
        task = post.response.task
        if self._drain.absorbed(task):
            post.exchange.finish(failed(post.response, envelope.id, overdue()))
        elif session.calls.absorbed(key, task):
            post.exchange.abandon()
        else:
            return False
        return True

    def _note(self, session: Session, envelope: Envelope) -> None:
        """What the client tells without asking: an answer to a question, or that it gives up a request."""
        if envelope.is_response:
            session.asks.answer(envelope)
        elif envelope.method == CANCELLED:
            session.calls.cancel(envelope)
        elif envelope.method == ROOTS_CHANGED:
            self._runtime.owned.roots_changed(session)

    def _known(self, post: Post) -> Session | None:
        """The session of a request, if it is in memory."""
        token = post.request.headers.get(SESSION_HEADER)
        if token is None:
            if _METADATA_HINT in post.request.body:
                message = f"no MCP-Protocol-Version header: a {LATEST_STATELESS} request must have it"
                raise RpcError(-32020, message, status=400)
            raise RpcError(INVALID_REQUEST, _NO_SESSION, status=400)
        return self._sessions.find(token.decode("latin-1"), post.endpoint, time.time())

    async def _session(self, post: Post) -> Session:
        """The session of a request that is not in memory."""
        token = post.request.headers[SESSION_HEADER].decode("latin-1")
        session = await self._recall(token, post.narrowing, post.endpoint)
        if session is None:
            raise RpcError(INVALID_REQUEST, _UNKNOWN_SESSION, status=404)
        return session

    async def _recall(self, token: str, narrowing: Narrowing, endpoint: str) -> Session | None:
        """A session of an earlier process, with all that it had."""

        async def adopt(session: Session) -> None:
            self._runtime.want_logs(session.log_level, session)
            await self._runtime.watches.adopt(self._context(session, narrowing, endpoint))

        return await self._sessions.recall(token, endpoint, time.time(), adopt)

    def _context(self, session: Session, narrowing: Narrowing, endpoint: str) -> CallContext:
        return CallContext(
            Era.HANDSHAKE, session.revision, narrowing.view, session, endpoint, narrowing.paged
        )

    def _posted(
        self, session: Session, post: Post, task: asyncio.Task[Any], emit: Emit | None = None
    ) -> CallContext:
        """The context of what is in a POST."""
        narrowing = post.narrowing
        level = (session.log_level or DEFAULT_LOG_LEVEL) if emit is not None else ""
        # All at once: setting an attribute of a struct later takes longer than giving it here.
        context = CallContext(
            _HANDSHAKE,
            session.revision,
            narrowing.view,
            session,
            post.endpoint,
            narrowing.paged,
            task,
            emit,
            level,
        )
        if PARENT in post.request.headers:
            take_trace(context, post.request)
        return context

    async def _initialize(self, post: Post, envelope: Envelope) -> None:
        post.response.trail.envelope = envelope
        if self._drain.is_refusing:
            refuse_new(post.response, envelope.id)
            return
        try:
            params = open_object(envelope.params)
            offered = text(params.get("protocolVersion"), "protocolVersion")
        except RpcError as error:
            post.exchange.finish(failed(post.response, envelope.id, error), 400)
            return
        revision = negotiate(offered)
        context = CallContext(
            Era.HANDSHAKE, revision, post.narrowing.view, None, post.endpoint, post.narrowing.paged
        )
        try:
            result = await self._dispatcher.hello(context)
        except RpcError as error:
            post.exchange.finish(failed(post.response, envelope.id, error), error.status)
            return
        session = self._sessions.open(
            revision, post.endpoint, params.get("capabilities", Raw(b"{}")), time.time()
        )
        session.position = self._runtime.notifier.position
        post.exchange.headers = header(SESSION_HEADER, session.token.encode())
        post.exchange.finish(success(envelope.id, result))

    async def _batch(self, post: Post) -> None:
        session = self._known(post) or await self._session(post)
        if session.revision not in BATCH_REVISIONS:
            raise RpcError(INVALID_REQUEST, f"a session at {session.revision} takes no batches", status=400)
        entries = parse_batch(post.request.body)
        if not entries or len(entries) > MAX_BATCH:
            raise RpcError(INVALID_REQUEST, f"a batch has 1 to {MAX_BATCH} messages", status=400)
        replies = await asyncio.gather(*(self._entry(post, session, entry) for entry in entries))
        if session.dirty:
            await self._sessions.save(session)
        answers = [reply for reply in replies if reply]
        if answers:
            post.exchange.finish(b"[%b]" % b",".join(answers))
        else:
            post.response.send(202)

    async def _entry(self, post: Post, session: Session, entry: bytes) -> bytes:
        try:
            envelope = parse(entry)
        except RpcError as error:
            return failed(post.response, None, error)
        if not envelope.is_request:
            self._note(session, envelope)
            return b""
        if envelope.method == "initialize":
            misplaced = RpcError(INVALID_REQUEST, "initialize may not be in a batch")
            return failed(post.response, envelope.id, misplaced)
        with following(Trail(post.request.headers, post.response.trail.id)) as trail:
            task = _present_task()
            context = self._posted(session, post, task)
            trail.context, trail.envelope = context, envelope
            key = session.calls.begin(envelope.id, task)
            try:
                reply = await self._dispatcher.dispatch(context, envelope)
                return answered(post.response, envelope.id, reply)
            except RpcError as error:
                return failed(post.response, envelope.id, error)
            except asyncio.CancelledError:
                if not session.calls.absorbed(key, task):
                    raise
                return b""
            finally:
                session.calls.end(key)

    async def listen(self, request: Request, response: Response, narrowing: Narrowing, endpoint: str) -> None:
        """GET: the stream of a session, or with `Last-Event-ID` the rest of one that was cut."""
        accept = request.headers.get(b"accept", b"*/*")
        if b"text/event-stream" not in accept and b"*/*" not in accept:
            refuse(response, 406, "Accept must allow text/event-stream")
            return
        session = await self._named(request, response, narrowing, endpoint)
        if session is not None:
            last_event_id = request.headers.get(b"last-event-id", b"").decode("latin-1")
            await self._listening.serve(session, Stream(narrowing.view, endpoint), response, last_event_id)

    async def end(self, request: Request, response: Response, narrowing: Narrowing, endpoint: str) -> None:
        """DELETE: the client is done with its session."""
        session = await self._named(request, response, narrowing, endpoint)
        if session is None:
            return
        if session.listener is not None:
            session.listener.end()
        await self._sessions.end(session, time.time())
        response.send(204)

    async def _named(
        self, request: Request, response: Response, narrowing: Narrowing, endpoint: str
    ) -> Session | None:
        """The session of a request without a body; refuses the request if there is none."""
        token = request.headers.get(SESSION_HEADER)
        if token is None:
            refuse(response, 400, _NO_SESSION)
            return None
        name = token.decode("latin-1")
        session = self._sessions.find(name, endpoint, time.time())
        if session is None:
            session = await self._recall(name, narrowing, endpoint)
        if session is None:
            refuse(response, 404, _UNKNOWN_SESSION)
        return session


def _present_task() -> asyncio.Task[Any]:
    task = asyncio.current_task()
    assert task is not None  # entries of a batch are answered in tasks
    return task
