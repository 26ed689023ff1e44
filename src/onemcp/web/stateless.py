"""The stateless era at the HTTP edge: every request says all of itself."""

from typing import Final

from msgspec import Raw

from onemcp.errors import RpcError
from onemcp.gateway.context import CallContext
from onemcp.gateway.dispatch import Dispatcher
from onemcp.gateway.runtime import Runtime
from onemcp.gateway.subscriptions import subscribe
from onemcp.ops.drain import Drain
from onemcp.upstream.connection import upstream_says
from onemcp.web.answers import failed, failed_upstream, refuse_new
from onemcp.web.post import Post
from onemcp.web.streaming import serve_stream
from onemcp.web.tracing import PARENT, take_trace
from onemcp.wire.envelope import (
    ABSENT,
    INVALID_REQUEST,
    Envelope,
    is_batch,
    open_object,
    parse,
    success,
)
from onemcp.wire.inbound import HEADER_MISMATCH, STATUS, check_request, log_level, repeated
from onemcp.wire.revisions import LATEST_STATELESS, Era

_STATELESS: Final = Era.STATELESS
_CONTINUES: Final = b'"requestState"'
"""Is in every request that goes on with one which was asked here before, and which nobody else can go on with."""


class Stateless:
    """Answers the requests of 2026-07-28 clients."""

    def __init__(self, runtime: Runtime, dispatcher: Dispatcher, drain: Drain) -> None:
        self._drain = drain
        self._runtime = runtime
        self._dispatcher = dispatcher

    async def answer(self, post: Post) -> None:
        """Answer one POST.

        Raises:
            RpcError: what came is no message of this era; nothing was done.
        """
        if is_batch(post.request.body):
            raise RpcError(INVALID_REQUEST, "there are no batches in this revision", status=400)
        envelope = parse(post.request.body)
        if not envelope.is_request:
            if not envelope.method:
                raise RpcError(INVALID_REQUEST, "nothing was asked that this could answer", status=400)
            post.response.send(202)
            return
        if self._drain.is_refusing and _CONTINUES not in post.request.body:
            refuse_new(post.response, envelope.id)
            return
        # In this era a client that closes the stream of its request has cancelled it.
        post.response.on_gone(post.response.task.cancel)
        trail = post.response.trail
        trail.envelope = envelope
        try:
            params = self._check(post, envelope)
            if envelope.method == "subscriptions/listen":
                await self._listen(post, envelope)
                return
            context = trail.context = self._posted(post, envelope)
            reply = await self._dispatcher.dispatch(context, envelope, params)
        except RpcError as error:
            status = STATUS.get(error.code, 200)
            post.exchange.finish(failed(post.response, envelope.id, error), status)
            return
        if reply.error is not ABSENT:
            message = failed_upstream(post.response, envelope.id, reply.error)
            post.exchange.finish(message, _status_of(reply.error))
        else:
            post.exchange.finish(success(envelope.id, reply.result))

    def _posted(self, post: Post, envelope: Envelope) -> CallContext:
        """The context of what is in a POST."""
        request, exchange, narrowing = post.request, post.exchange, post.narrowing
        emit, level = None, ""
        if exchange.takes_stream:
            emit, level = exchange.emit, log_level(request.body, envelope)
            self._runtime.want_logs(level)
        context = CallContext(
            _STATELESS,
            LATEST_STATELESS,
            narrowing.view,
            None,
            post.endpoint,
            narrowing.paged,
            post.response.task,
            emit,
            level,
            request.headers,
        )
        if PARENT in request.headers:
            take_trace(context, request)
        return context

    def _check(self, post: Post, envelope: Envelope) -> dict[str, Raw]:
        """The params of a request that says all that it must."""
        if len(post.request.headers) != len(post.request.header_lines):
            twice = repeated(post.request.header_lines)
            if twice:
                raise RpcError(HEADER_MISMATCH, f"the header {twice} is there twice", status=400)
        params = open_object(envelope.params)
        check_request(envelope.method, params, post.request.headers)
        return params

    async def _listen(self, post: Post, envelope: Envelope) -> None:
        view, endpoint = post.narrowing.view, post.endpoint
        context = CallContext(Era.STATELESS, LATEST_STATELESS, view, None, endpoint)
        if not post.exchange.takes_stream:
            refused = RpcError(INVALID_REQUEST, "Accept must allow text/event-stream")
            post.exchange.finish(failed(post.response, envelope.id, refused), 406)
            return
        self._dispatcher.check_endpoint(context)
        wanted = await subscribe(self._runtime, context, envelope)
        post.exchange.leave()
        first, last = wanted.acknowledgement, wanted.result
        self._drain.end(post.response.task)  # a stream finishes when it is told to, and is not waited for
        try:
            with self._runtime.notifier.listening(wanted.stream):
                await serve_stream(wanted.stream, post.response, first=first, last=last)
        finally:
            self._runtime.watches.forget(wanted.stream)


def _status_of(error: Raw) -> int:
    """The HTTP status of an upstream's error object, which may be anything."""
    return STATUS.get(upstream_says(error).code, 200)
