"""The stdio edge: one client on the gateway's own standard streams, in either era.

Source: transports, stdio (2025-11-25); basic/transports/stdio (2026-07-28).
"""

import asyncio
import contextlib
import math
import sys
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from typing import Final

import msgspec
from msgspec import Raw

from onemcp.core.access import View
from onemcp.errors import RpcError
from onemcp.gateway.calls import CANCELLED, Calls
from onemcp.gateway.context import DEFAULT_LOG_LEVEL, CallContext
from onemcp.gateway.dispatch import Dispatcher
from onemcp.gateway.owned import ROOTS_CHANGED
from onemcp.gateway.runtime import Runtime
from onemcp.gateway.sessions import Session, Ticket
from onemcp.gateway.streams import Stream
from onemcp.gateway.subscriptions import subscribe
from onemcp.gateway.told import passed_on, told
from onemcp.gateway.trail import TRAIL, Trail, following
from onemcp.ops.drain import GRACE, Drain, overdue
from onemcp.wire.envelope import (
    ABSENT,
    INVALID_PARAMS,
    INVALID_REQUEST,
    Envelope,
    failure,
    is_batch,
    one_line,
    open_object,
    parse,
    parse_batch,
    success,
)
from onemcp.wire.framing import LineSplitter
from onemcp.wire.inbound import check_meta, log_level, unsupported
from onemcp.wire.revisions import (
    BATCH_REVISIONS,
    LATEST_HANDSHAKE,
    LATEST_STATELESS,
    STATELESS_REVISIONS,
    Era,
    negotiate,
)
from onemcp.wire.translate import VERSION_KEY

MAX_IN_FLIGHT: Final = 256
"""Requests of the one client that are worked on at a time; reading waits for one to end."""
MAX_UNREAD: Final = 1 << 20
"""Bytes that the client may leave unread before progress messages are dropped."""
_CHUNK: Final = 256 * 1024
_OWN: Final = b"session"
"""The key of the session's own stream, which is no id as JSON."""


class StdioEdge:
    """Serves the gateway's standard streams until the client closes them."""

    def __init__(self, runtime: Runtime, dispatcher: Dispatcher, max_bytes: int, drain: Drain) -> None:
        self._drain = drain
        self._runtime = runtime
        self._dispatcher = dispatcher
        self._splitter = LineSplitter(max_bytes)
        self._session: Session | None = None
        self._slots = asyncio.Semaphore(MAX_IN_FLIGHT)
        self._subscriptions: dict[bytes, Stream] = {}
        self._calls = Calls()
        self._tasks: asyncio.TaskGroup
        self._running: set[asyncio.Task[None]] = set()
        self._ended = asyncio.Event()
        self._writing = asyncio.Lock()

    async def until_end(self) -> None:
        """Return when the client has closed its end; what it asked before is still answered."""
        await self._ended.wait()

    @asynccontextmanager
    async def serving(self) -> AsyncIterator[None]:
        """Read and answer while the block runs; what is not answered by its end never will be."""
        loop = asyncio.get_running_loop()
        reader = asyncio.StreamReader(limit=_CHUNK)
        read_end, _ = await loop.connect_read_pipe(
            lambda: asyncio.StreamReaderProtocol(reader), sys.stdin.buffer
        )
        write_end, protocol = await loop.connect_write_pipe(
            asyncio.streams.FlowControlMixin, sys.stdout.buffer
        )
        self._writer = asyncio.StreamWriter(write_end, protocol, None, loop)
        try:
            async with asyncio.TaskGroup() as self._tasks:
                reading = self._tasks.create_task(self._read(reader))
                yield
                reading.cancel()
                await self._finish()
        finally:
            read_end.close()
            write_end.close()

    async def _read(self, reader: asyncio.StreamReader) -> None:
        while data := await reader.read(_CHUNK):
            for line in self._splitter.feed(data):
                if self._noted(line):
                    continue
                await self._slots.acquire()
                task = self._spawn(self._take(line))
                self._drain.begin(task)
                task.add_done_callback(self._taken)
        self._ended.set()

    def _noted(self, line: bytes) -> bool:
        """Take what needs no answer at once, since what holds the slots may be waiting for just that."""
        try:
            envelope = parse(line)
        except RpcError:
            return False
        if not envelope.is_request:
            self._note(envelope)
        return not envelope.is_request

    def _taken(self, task: asyncio.Task[None]) -> None:
        self._drain.end(task)
        self._slots.release()

    def _spawn(self, work: Coroutine[None, None, None]) -> asyncio.Task[None]:
        task = self._tasks.create_task(work)
        self._running.add(task)
        task.add_done_callback(self._running.discard)
        return task

    async def _finish(self) -> None:
        """End the streams politely, and whatever does not end."""
        for stream in list(self._subscriptions.values()):
            stream.end()
        if self._running:
            _, late = await asyncio.wait(self._running, timeout=GRACE)
            for task in late:
                task.cancel()

    async def _take(self, line: bytes) -> None:
        try:
            if is_batch(line):
                answer = await self._batch(line)
            else:
                answer = await self._answer(parse(line))
        except RpcError as error:
            with following(Trail()):
                answer = failure(None, told(error))
        except asyncio.CancelledError:  # of a batch
            if not self._drain.absorbed(_present_task()):
                raise
            with following(Trail()):
                answer = failure(None, told(overdue()))
        if answer:
            await self._write(answer)

    async def _batch(self, line: bytes) -> bytes:
        if self._session is None or self._session.revision not in BATCH_REVISIONS:
            raise RpcError(INVALID_REQUEST, "there are no batches in this revision")
        answers = await asyncio.gather(*(self._answer(parse(entry)) for entry in parse_batch(line)[:100]))
        present = [answer for answer in answers if answer]
        return b"[%b]" % b",".join(present) if present else b""

    async def _answer(self, envelope: Envelope) -> bytes:
        """The answer to one message; empty for what has none."""
        if not envelope.is_request:
            self._note(envelope)
            return b""
        task = _present_task()
        trail = Trail()
        trail.envelope = envelope
        TRAIL.set(trail)
        key = self._calls.begin(envelope.id, task)
        try:
            return await self._dispatch(envelope, task, trail)
        except RpcError as error:
            return failure(envelope.id, told(error))
        except asyncio.CancelledError:
            if self._drain.absorbed(task):
                return failure(envelope.id, told(overdue()))
            if not self._calls.absorbed(key, task):
                raise
            return b""
        finally:
            self._calls.end(key)
            trail.end()

    def _note(self, envelope: Envelope) -> None:
        if envelope.is_response and self._session is not None:
            self._session.asks.answer(envelope)
        elif envelope.method == CANCELLED:
            self._calls.cancel(envelope)
            with contextlib.suppress(RpcError):
                requested = open_object(envelope.params).get("requestId", b"")
                stream = self._subscriptions.pop(bytes(requested), None)
                if stream is not None:
                    stream.end()
        elif envelope.method == ROOTS_CHANGED and self._session is not None:
            self._runtime.owned.roots_changed(self._session)

    async def _dispatch(self, envelope: Envelope, task: asyncio.Task[None], trail: Trail) -> bytes:
        params = open_object(envelope.params)
        if envelope.method == "initialize":
            return await self._initialize(envelope)
        stateless = envelope.method == "server/discover" or VERSION_KEY in open_object(
            params.get("_meta", ABSENT)
        )
        if stateless:
            version = check_meta(params)
            if version not in STATELESS_REVISIONS:
                raise unsupported(version)
            if envelope.method == "subscriptions/listen":
                await self._listen(envelope)
                return b""
            level = log_level(bytes(envelope.params), envelope)
            self._runtime.want_logs(level)
            context = CallContext(Era.STATELESS, LATEST_STATELESS, View(), emit=self._emit, log_level=level)
        elif self._session is None and envelope.method != "ping":
            raise RpcError(INVALID_REQUEST, "send initialize first")
        else:
            context = self._context()
        context.task = task
        trail.context = context
        reply = await self._dispatcher.dispatch(context, envelope)
        if reply.error is not ABSENT:
            return failure(envelope.id, passed_on(reply.error))
        return success(envelope.id, reply.result)

    async def _initialize(self, envelope: Envelope) -> bytes:
        params = open_object(envelope.params)
        try:
            offered = msgspec.json.decode(params.get("protocolVersion", b""), type=str)
        except msgspec.DecodeError:
            raise RpcError(INVALID_PARAMS, '"protocolVersion" must be a string') from None
        revision = negotiate(offered)
        result = await self._dispatcher.hello(CallContext(Era.HANDSHAKE, revision, View()))
        capabilities = params.get("capabilities", Raw(b"{}"))
        session = Session("", Ticket("stdio", revision, math.inf, "", capabilities))
        if self._session is None:
            session.listener = Stream(View())
            self._listen_on(_OWN, session.listener)
        else:
            session.listener = self._session.listener
            self._runtime.forget(self._session)
        self._session = session
        return success(envelope.id, result)

    def _context(self) -> CallContext:
        """The context of a request of the one session, or of a ping before there is one."""
        session = self._session
        revision = session.revision if session is not None else LATEST_HANDSHAKE
        level = (session.log_level if session is not None else "") or DEFAULT_LOG_LEVEL
        return CallContext(Era.HANDSHAKE, revision, View(), session, emit=self._emit, log_level=level)

    async def _listen(self, envelope: Envelope) -> None:
        """Begin a subscription, whose acknowledgement is the first message on its stream."""
        context = CallContext(Era.STATELESS, LATEST_STATELESS, View())
        wanted = await subscribe(self._runtime, context, envelope)
        self._listen_on(bytes(envelope.id), wanted.stream, wanted.acknowledgement, wanted.result)

    def _listen_on(self, key: bytes, stream: Stream, first: bytes = b"", last: bytes = b"") -> None:
        self._subscriptions[key] = stream
        self._spawn(self._pump(key, stream, first, last))

    async def _pump(self, key: bytes, stream: Stream, first: bytes, last: bytes) -> None:
        try:
            with self._runtime.notifier.listening(stream):
                if first:
                    await self._write(first)
                while (message := await stream.next()) is not None:
                    await self._write(message)
        finally:
            self._runtime.watches.forget(stream)
        if self._subscriptions.pop(key, None) is not None and last:
            await self._write(last)

    def _emit(self, message: bytes) -> bool:
        """A message that comes before an answer; False if the client is too slow to read it."""
        if self._writer.transport.get_write_buffer_size() > MAX_UNREAD:
            return False
        self._writer.write(one_line(message) + b"\n")
        return True

    async def _write(self, message: bytes) -> None:
        async with self._writing:
            self._writer.write(one_line(message) + b"\n")
            await self._writer.drain()


def _present_task() -> asyncio.Task[None]:
    task = asyncio.current_task()
    assert task is not None  # messages are taken in tasks
    return task
