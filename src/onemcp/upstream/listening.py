"""The stream on which an HTTP upstream speaks on its own: list changes, logs, requests to the client.

In the handshake era it is a GET on the session; in the stateless era the answer to `subscriptions/listen`. It is
kept open as long as the upstream offers it; that it breaks or is missing never fails a call.
"""

import asyncio
import logging
import random
from asyncio import Future
from collections.abc import Callable
from typing import Final

from msgspec import Raw

from onemcp.errors import RpcError, UpstreamError
from onemcp.net.fault import HttpError
from onemcp.net.response import Response, Stream
from onemcp.upstream.answer import RETRY, is_message, open_messages
from onemcp.upstream.channel import Inbound, Request
from onemcp.upstream.connection import upstream_says
from onemcp.upstream.endpoint import Endpoint
from onemcp.upstream.handover import ACKNOWLEDGED, refused
from onemcp.upstream.refusal import error_in, is_session_loss
from onemcp.upstream.session import Session
from onemcp.upstream.subscription import LISTEN, WANTED
from onemcp.wire import envelope
from onemcp.wire.envelope import ABSENT, Envelope
from onemcp.wire.sse import Event, EventParser

IDLE_LIMIT: Final = 300.0
"""Seconds without a byte, be it a comment, after which a stream is opened anew: it may be dead, and only costs that."""
STEADY: Final = 5.0
"""Seconds that a stream has to last for the next one to be opened without a longer delay."""
MAX_DELAY: Final = 60.0
MIN_DELAY: Final = 0.05

_WORTH_A_RETRY: Final = frozenset({408, 409, 425, 429})

_log = logging.getLogger("onemcp.upstream")


class Listening:
    """Keeps the stream open: `run` returns when the upstream offers none (any more)."""

    def __init__(
        self, endpoint: Endpoint, session: Session, inbound: Inbound, wanted: bytes = WANTED
    ) -> None:
        """`wanted` is the filter of `subscriptions/listen`, encoded."""
        self._endpoint = endpoint
        self._session = session
        self._inbound = inbound
        self._wanted = wanted
        self._loop = asyncio.get_running_loop()
        self.on_gap: Callable[[], None] = lambda: None
        """Called when the stream is open again after a time in which something may have been missed."""
        self.on_session_lost: Callable[[str], None] = lambda _: None
        """Called with the session's id when the upstream says that it is gone."""
        self.on_acknowledged: Callable[[Envelope], None] = lambda _: None
        """Called with the acknowledgement of each `subscriptions/listen`."""
        self.refusal: RpcError | None = None
        """What the upstream said when it ended the stream for good."""
        self._last_event_id = ""
        self._retry = RETRY
        self._delay = 0.0
        self._opened = 0
        self._gap = False
        self._ended = False

    async def run(self, next_id: Callable[[], int], meta: bytes) -> None:
        """Listen until cancelled, or until there is nothing to listen to.

        Ids and `_meta` are for the requests of the stateless era.
        """
        self._ended = False
        while True:
            started = self._loop.time()
            await self._listen(next_id, meta)
            if self._ended:
                return
            lasted = self._loop.time() - started
            if lasted >= STEADY:
                self._gap = True
                self._delay = 0.0
            self._delay = min(max(self._retry, self._delay * 2), MAX_DELAY)
            await asyncio.sleep(max(self._delay, MIN_DELAY) * random.uniform(1.0, 1.2))  # noqa: S311 - spreads load

    async def _listen(self, next_id: Callable[[], int], meta: bytes) -> None:
        """One stream, from its request to its end."""
        session_id = self._session.id
        try:
            head, body = self._ask(next_id, meta)
            response = await self._endpoint.send(head, body, timeout=IDLE_LIMIT, idle=IDLE_LIMIT)
        except UpstreamError:
            self._gap = True
            return
        if response.stream is None:
            self._refused(response, session_id)
            return
        self._opened += 1
        if self._gap and not self._last_event_id:
            self.on_gap()
        self._gap = False
        await self._follow(response.stream)

    def _ask(self, next_id: Callable[[], int], meta: bytes) -> tuple[bytes, bytes]:
        if not self._session.is_stateless:
            return self._session.get_head(self._last_event_id), b""
        params = b'{"notifications":%b,"_meta":%b}' % (self._wanted, meta)
        return self._session.head(Request(LISTEN)), envelope.request(next_id(), LISTEN, params)

    def _refused(self, response: Response, session_id: str) -> None:
        """No stream: for good, unless the status says that it is not meant so."""
        status = response.status
        if status >= 500 or status in _WORTH_A_RETRY:
            self._gap = True
            return
        self._ended = True
        found = error_in(response)
        if found is not None:
            self.refusal = upstream_says(found.error)
        if self._opened and session_id and is_session_loss(response):
            self.on_session_lost(session_id)

    async def _follow(self, stream: Stream) -> None:
        parser = EventParser(self._endpoint.max_bytes)
        try:
            async for chunk in stream:
                for event in parser.feed(chunk):
                    self._take(event)
                if self._ended:
                    return
        except HttpError:
            return  # Whatever it was: the next stream is opened after the delay.
        finally:
            stream.close()

    def _take(self, event: Event) -> None:
        if event.id is not None:
            self._set_last_event_id(event.id)
        if event.retry is not None:
            self._retry = min(event.retry / 1000, MAX_DELAY)
        self._delay = 0.0  # It speaks, so what ends the stream is its own way of pacing us (SEP-1699).
        if not is_message(event):
            return
        try:
            messages = open_messages(event.data)
        except RpcError as error:
            _log.debug("%s: an event is no message: %s", self._endpoint.server, error)
            return
        for message in messages:
            if message.method == ACKNOWLEDGED:
                self.on_acknowledged(message)
            elif message.method:
                self._inbound(message)
            elif self._session.is_stateless and message.error is not ABSENT:
                self._ended = True  # It does not offer subscriptions after all.
                self.refusal = upstream_says(message.error)

    def _set_last_event_id(self, event_id: str) -> None:
        """An id that cannot be sent back is as good as none."""
        self._last_event_id = event_id if event_id.isascii() and event_id.isprintable() else ""


class ResourceStream:
    """A stream for updates of some resources, from its request until it is withdrawn."""

    def __init__(self, listening: Listening, server: str, on_missed: Callable[[], None]) -> None:
        """`on_missed` hears that updates may have been missed."""
        self.acknowledged: Future[Raw] = asyncio.get_running_loop().create_future()
        self.task: asyncio.Task[None]
        """Ends after the stream."""
        self._listening = listening
        self._server = server
        self._on_missed = on_missed
        listening.on_acknowledged = self._take

    def begin(self, next_id: Callable[[], int], meta: bytes) -> None:
        """Listen; see `Listening.run`."""
        self.task = asyncio.create_task(self._run(next_id, meta))

    def withdraw(self) -> None:
        """Close it: that tells the upstream."""
        self.task.cancel()

    async def _run(self, next_id: Callable[[], int], meta: bytes) -> None:
        await self._listening.run(next_id, meta)
        if not self.acknowledged.done():
            self.acknowledged.set_exception(self._listening.refusal or refused(self._server))
            self.acknowledged.exception()  # Nobody may be waiting for it.
        while not self.acknowledged.exception():  # It agreed before, so it may again.
            _log.warning("%s: does not tell of updates of resources any more", self._server)
            await asyncio.sleep(MAX_DELAY)
            await self._listening.run(next_id, meta)

    def _take(self, message: Envelope) -> None:
        """An acknowledgement; a further one means that the stream was away in between."""
        if self.acknowledged.done():
            self._on_missed()
        else:
            self.acknowledged.set_result(message.params)
