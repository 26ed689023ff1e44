"""The channel to a child process that speaks MCP on its standard streams, one message a line.

Everything happens in the loop's callbacks: a chunk of output is cut into lines, a line becomes an answer, a message
for `inbound`, or noise. There is no task and no timeout per request.
"""

import asyncio
import logging
import time
from asyncio import Future
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Self

import msgspec
from msgspec import Raw

from onemcp.errors import Reason, RpcError, UpstreamError
from onemcp.upstream.channel import Inbound, Reply, Request
from onemcp.upstream.child import Child, Launch, ending
from onemcp.upstream.handover import ACKNOWLEDGED, Handover
from onemcp.upstream.oversized import Oversized
from onemcp.upstream.pending import Pending
from onemcp.upstream.stderr import StderrTail
from onemcp.upstream.subscription import Subscription, Subscriptions
from onemcp.upstream.watchdog import Watchdog
from onemcp.wire.envelope import (
    ABSENT,
    Envelope,
    is_batch,
    one_line,
    open_object,
    parse,
    parse_batch,
)
from onemcp.wire.envelope import notification as notification_line
from onemcp.wire.envelope import request as request_line
from onemcp.wire.framing import LineSplitter
from onemcp.wire.revisions import BATCH_REVISIONS, STATELESS_REVISIONS

_FEW: Final = 4
"""Requests under way up to which each is written by itself."""
_MAX_BATCH: Final = 1000
_NOISE_TOLD: Final = 5
_NOISE_SHOWN: Final = 200
_BEFORE_A_MESSAGE: Final = b" \t\r[\xef"
_BOM: Final = b"\xef\xbb\xbf"
_CANCELLED: Final = "notifications/cancelled"
_SUBSCRIPTION: Final = "io.modelcontextprotocol/subscriptionId"
_NEVER_ENDING: Final = 16
"""A line of this many times the limit is taken for one that never ends."""
_LAST_ANSWERS: Final = 0.2
"""Seconds after the exit in which what is in the pipes is still read; somebody else may hold them open."""
_LAST_WORDS: Final = 1.0
"""Seconds in which a child that has closed its input is expected to end."""

_log = logging.getLogger("onemcp.upstream.stdio")


@dataclass(frozen=True, slots=True)
class Limits:
    """How much of a child is put up with."""

    line: int = 16 << 20
    """Bytes of one message from it."""
    backlog: int = 4 << 20
    """Bytes that it has not read, beyond which requests are refused."""
    in_flight: int = 4096
    """Requests that it has not answered."""
    patience: float = 1.5
    """Seconds between closing its stdin, SIGTERM and SIGKILL."""


class StdioChannel:
    """A `Channel` over the standard streams of a child process.

    A line that is longer than the limit is dropped; the request that it answers fails with TOO_LARGE where its id
    can be read at either end of the line, or where only one request is in flight, and at its deadline otherwise.
    """

    def __init__(
        self,
        launch: Launch,
        inbound: Inbound,
        watchdog: Watchdog,
        on_stderr: Callable[[str], None] | None,
        limits: Limits,
    ) -> None:
        """Use `open`."""
        loop = asyncio.get_running_loop()
        self.server = launch.server
        self.closed: Future[str] = loop.create_future()
        self.on_reinitialized: Callable[[], None] = lambda: None
        self.on_missed: Callable[[], None] = lambda: None
        self.meta = b"{}"
        """The `_meta` of requests that the channel makes itself in the stateless era."""
        self.noise = 0
        """Lines on its stdout that were no message."""
        self.unclaimed = 0
        """Answers that nobody waited for (any more)."""
        self._inbound = inbound
        self._watchdog = watchdog
        self._limits = limits
        self._loop = loop
        self._pending = Pending(launch.server, limits.in_flight, self._cancel)
        self._splitter = LineSplitter(limits.line)
        self._oversized = Oversized(limits.line)
        self._stderr = StderrTail(on_stderr, time.monotonic)
        self._subscriptions = Subscriptions(self._say)
        self._handover = Handover(launch.server, self._begin_watch)
        self._revision = ""
        self._takes_batches = False
        self._is_stateless = False
        self._tag = ""
        self._child: Child
        self._farewell: asyncio.TimerHandle | None = None

    @classmethod
    async def open(
        cls,
        launch: Launch,
        inbound: Inbound,
        watchdog: Watchdog,
        on_stderr: Callable[[str], None] | None = None,
        limits: Limits | None = None,
    ) -> Self:
        """Start the child; `on_stderr` gets its stderr line by line, at a bounded rate.

        Raises:
            UpstreamError: UNFIT (somebody has to change something first) or UNREACHABLE.
        """
        self = cls(launch, inbound, watchdog, on_stderr, limits or Limits())
        self._tag = watchdog.register()
        try:
            environment = watchdog.environment(self._tag)
            self._child = await Child.spawn(launch, environment, self._take, self._stderr.feed)
        except BaseException:
            await watchdog.release(self._tag)
            raise
        watchdog.started(self._tag, self._child.pid)
        for end in (self._child.exited, self._child.drained, self._child.silent):
            end.add_done_callback(self._on_end)
        return self

    def __repr__(self) -> str:
        """Process, state and load in one line."""
        state = "closed" if self.closed.done() else "open"
        return f"<StdioChannel {self.server} pid {self._child.pid} {state}, {len(self._pending)} in flight>"

    @property
    def pid(self) -> int:
        """The process id of the child."""
        return self._child.pid

    @property
    def stderr_tail(self) -> list[str]:
        """The last lines of its stderr, oldest first."""
        return self._stderr.lines

    @property
    def oversized(self) -> int:
        """Lines that were dropped for their length."""
        return self._splitter.oversized

    # Out

    async def request(self, request: Request) -> Reply:
        """Send and wait for the answer; see `Channel.request`."""
        self._check()
        request_id, future = self._pending.open(request.timeout, request.sink)
        line = request_line(request_id, request.method, request.params) + b"\n"
        if not self._child.write(line, together=len(self._pending) > _FEW):
            self._pending.discard(request_id)
            raise await self._unheard()
        try:
            return await future
        except asyncio.CancelledError:
            self._pending.withdraw(request_id)
            raise

    async def notify(self, method: str, params: bytes = b"") -> None:
        """Send a notification; see `Channel.notify`. Never waits."""
        self._check()
        if not self._child.write(notification_line(method, params) + b"\n"):
            raise await self._unheard()

    def respond(self, message: bytes) -> None:
        """Queue an answer of ours; see `Channel.respond`."""
        self._say(one_line(message) + b"\n")

    def _say(self, line: bytes) -> None:
        """Write what nobody waits for; drops it if nothing can be sent now."""
        try:
            self._check()
        except UpstreamError as error:
            _log.debug("a message of ours is dropped: %s", error)
        else:
            self._child.write(line)

    def adopt(self, revision: str) -> None:
        """From now on arrays are messages, if the revision has them, and requests given up are cancelled.

        A stateless child is asked to tell of changes.
        """
        self._revision = revision
        self._takes_batches = revision in BATCH_REVISIONS
        self._is_stateless = revision in STATELESS_REVISIONS
        if self._is_stateless:
            self._subscriptions.begin(self.meta, self._tell_owner)

    async def watch(self, uris: frozenset[str]) -> frozenset[str]:
        """Listen for updates of these resources; see `Channel.watch`."""
        self._check()
        return await self._handover.to(uris)

    def _begin_watch(self, wanted: bytes) -> Subscription:
        return self._subscriptions.begin(self.meta, self._tell_missed, wanted)

    async def aclose(self) -> None:
        """End the child and all that it started; see `Child.stop` and `Watchdog.release` for the bounds."""
        self._end("was stopped", Reason.STOPPING)
        try:
            await self._child.stop(self._limits.patience)
        finally:
            count = await self._watchdog.release(self._tag)
        if count:
            _log.info("%s: %d processes that it had left behind were ended", self.server, count)

    def _check(self) -> None:
        """Raise if nothing can be sent now."""
        if self.closed.done():
            raise UpstreamError(self.server, Reason.EXITED, self.closed.result(), ran=False)
        if self._child.is_clogged and self._child.backlog > self._limits.backlog:
            what = f"has {self._child.backlog >> 20} MiB of messages unread; try again when it has caught up"
            raise UpstreamError(self.server, Reason.OVERLOADED, what, ran=False)

    async def _unheard(self) -> UpstreamError:
        """Why its input is closed: most likely it has just ended, and how says more than that it does not read."""
        await asyncio.wait((self.closed,), timeout=_LAST_WORDS)
        what = self.closed.result() if self.closed.done() else "does not read its input any more"
        return UpstreamError(self.server, Reason.EXITED, what, ran=False)

    def _cancel(self, request_id: int) -> None:
        """Tell the child that nobody waits; not before the revision is agreed (initialize cannot be cancelled)."""
        if self._revision and not self.closed.done():
            params = b'{"requestId":%d,"reason":"nobody waits for the answer any more"}' % request_id
            self.respond(notification_line(_CANCELLED, params))

    def _tell_owner(self) -> None:
        self.on_reinitialized()

    def _tell_missed(self) -> None:
        self.on_missed()

    # In

    def _take(self, data: bytes) -> None:
        for request_id in self._oversized.feed(data):
            self._fail_oversized(request_id)
        if self._oversized.length > self._limits.line * _NEVER_ENDING:
            self._end("wrote a line without an end", Reason.PROTOCOL)
        for line in self._splitter.feed(data):
            self._take_line(line)

    def _take_line(self, line: bytes) -> None:
        if line[:1] != b"{":
            self._take_odd_line(line)
            return
        try:
            self._dispatch(parse(line), line)
        except RpcError as error:
            self._take_noise(line, error)
        except Exception:  # noqa: BLE001 - a defect of ours must not cost the chunk's other messages
            _log.exception("%s: a message could not be handled", self.server)

    def _take_odd_line(self, line: bytes) -> None:
        """A line that does not begin as a message does: blank space before it, a batch, or noise."""
        if line[0] not in _BEFORE_A_MESSAGE:
            self._take_noise(line)
            return
        stripped = line.removeprefix(_BOM).strip()
        if stripped[:1] == b"{":
            self._take_line(stripped)
        elif self._takes_batches and is_batch(stripped):
            try:
                entries = parse_batch(stripped)
            except RpcError as error:
                self._take_noise(line, error)
                return
            for entry in entries[:_MAX_BATCH]:
                if entry[:1] == b"{":
                    self._take_line(entry)
                else:
                    self._take_noise(entry)
        elif stripped:
            self._take_noise(line)

    def _take_noise(self, line: bytes, error: RpcError | None = None) -> None:
        self.noise += 1
        if self.noise <= _NOISE_TOLD:
            _log.warning(
                "%s: a line on its stdout is no message (%s): %r%s",
                self.server,
                error or "not JSON",
                line[:_NOISE_SHOWN],
                "; further ones are only counted" if self.noise == _NOISE_TOLD else "",
            )

    def _dispatch(self, envelope: Envelope, line: bytes) -> None:
        if not envelope.method:
            if self._is_stateless and self._subscriptions.end(envelope.id, envelope.error):
                return
            if not self._pending.resolve(envelope):
                self.unclaimed += 1
                _log.debug("%s: nobody waits for this answer: %r", self.server, line[:_NOISE_SHOWN])
        elif self._is_stateless and (line.find(b"subscriptionId") >= 0 or envelope.method == _CANCELLED):
            self._dispatch_related(envelope)
        else:
            self._inbound(envelope)

    def _dispatch_related(self, envelope: Envelope) -> None:
        """A notification that may name one of our requests: a subscription's news, or its end.

        Only in the stateless era: in the other one what a child cancels is a request of its own.
        """
        params = open_object(envelope.params)
        if envelope.method == _CANCELLED:
            raw = params.get("requestId", ABSENT)
            if not self._subscriptions.end(raw):
                error = UpstreamError(self.server, Reason.STREAM_LOST, "ended the request without an answer")
                self._pending.fail(error, _integer(raw))
            return
        raw = open_object(params.get("_meta", ABSENT)).get(_SUBSCRIPTION, ABSENT)
        if envelope.method != ACKNOWLEDGED or not self._subscriptions.acknowledge(raw, envelope.params):
            (self._pending.sink(_integer(raw)) or self._inbound)(envelope)

    def _fail_oversized(self, request_id: int | None) -> None:
        size = f"{self._limits.line >> 20} MiB"
        _log.warning("%s: a message of more than %s is dropped", self.server, size)
        request_id = request_id or self._pending.only()
        if request_id is not None:
            error = UpstreamError(self.server, Reason.TOO_LARGE, f"answered with more than {size}")
            self._pending.fail(error, request_id)

    # The end

    def _on_end(self, _: Future[int] | Future[None]) -> None:
        """The process or one of its streams has ended: give the others a moment to follow."""
        if self._child.exited.done() and self._child.silent.done():
            self._finish()
        elif self._farewell is None and (self._child.exited.done() or self._child.drained.done()):
            self._farewell = self._loop.call_later(_LAST_ANSWERS, self._finish)

    def _finish(self) -> None:
        """No answer will come any more."""
        if self.closed.done():
            return
        rest = self._splitter.finish()
        if rest:
            self._take_line(rest)
        if not self._child.exited.done():
            self._end("closed its output", Reason.EXITED)
            return
        words = self._stderr.last_words
        why = ending(self._child.exited.result())
        self._end(f'{why}; last words: "{words}"' if words else why, Reason.EXITED)

    def _end(self, why: str, reason: Reason) -> None:
        if self._farewell is not None:
            self._farewell.cancel()
        if self.closed.done():
            return
        self.closed.set_result(why)
        self._subscriptions.close()
        self._stderr.close()
        self._pending.fail(lambda: UpstreamError(self.server, reason, why))
        self._pending.close()


def _integer(raw: Raw) -> int:
    """A JSON integer; 0, which is nobody's id, for anything else."""
    try:
        return msgspec.json.decode(raw, type=int)
    except msgspec.DecodeError:
        return 0
