"""The resources of one upstream that somebody watches, and the work of having its connection tell of them.

The set outlives connections: each new one is brought to it, and whoever watches hears that something may have been
missed. In the handshake era every resource is subscribed to by itself, in the stateless one all by one request.
"""

import asyncio
import logging
from asyncio import Future
from collections.abc import Callable, Iterable
from typing import Final

from msgspec import Raw

from onemcp.errors import Reason, RpcError, UpstreamError
from onemcp.upstream.connection import Connection
from onemcp.wire.envelope import INVALID_PARAMS, METHOD_NOT_FOUND, encode, open_object
from onemcp.wire.revisions import Era

MAX_WATCHED: Final = 4096
"""Resources of one upstream that are watched at a time."""
TIMEOUT: Final = 10.0
"""Seconds that an upstream has to agree."""
RETRY: Final = 5.0
"""Seconds until what an upstream did not answer to is tried again."""
_AT_ONCE: Final = 16

_log = logging.getLogger("onemcp.upstream")


class Watched:
    """What is watched of one upstream. `on_missed` hears of a resource whose updates may have been missed."""

    def __init__(self, server: str, on_missed: Callable[[str], None], retry: float = RETRY) -> None:
        self._server = server
        self._on_missed = on_missed
        self._delay = retry
        self._wanted: set[str] = set()
        self._told: set[str] = set()
        """What this connection knows of, whatever it answered."""
        self._refused: set[str] = set()
        """What of that it answered with an error."""
        self._missed: set[str] = set()
        """What was watched before, and is to be told of once it is watched again."""
        self._asked: dict[str, Future[RpcError | UpstreamError | None]] = {}
        self._connection: Connection | None = None
        self._round = 0
        self._task: asyncio.Task[None] | None = None
        self._retry: asyncio.TimerHandle | None = None

    def __len__(self) -> int:
        """How many resources are watched."""
        return len(self._wanted)

    def __contains__(self, uri: object) -> bool:
        """Whether a resource is watched, or is to be."""
        return uri in self._wanted

    def restore(self, uris: Iterable[str]) -> None:
        """These were watched over an earlier supervisor of the upstream. Before the first connection only."""
        self._wanted.update(uris)
        self._missed.update(self._wanted)

    async def want(self, uri: str) -> None:
        """Watch a resource from now on; returns when the upstream has agreed, at once if it has before.

        Whoever gets an error lets go with `drop`, unless somebody else watches too.

        Raises:
            RpcError: the upstream's answer, or that it offers no subscriptions.
            UpstreamError: it did not answer; or OVERLOADED, with too much being watched.
        """
        known = uri in self._wanted
        if known and uri not in self._asked and uri not in self._refused:
            return
        if not known and len(self._wanted) >= MAX_WATCHED:
            what = f"has {MAX_WATCHED} resources watched already; unsubscribe from some"
            raise UpstreamError(self._server, Reason.OVERLOADED, what, ran=False)
        self._wanted.add(uri)
        self._reconsider({uri} & self._refused)
        if uri in self._told:
            return  # It was dropped a moment ago, and the upstream has not been told yet.
        answer = self._asked.setdefault(uri, asyncio.get_running_loop().create_future())
        self._work_on()
        await asyncio.wait((answer,), timeout=TIMEOUT)
        if not answer.done():
            what = f"did not answer to a subscription within {TIMEOUT:g} s"
            raise UpstreamError(self._server, Reason.TIMEOUT, what)
        failure = answer.result()
        if failure is not None:
            raise failure

    def drop(self, uri: str) -> None:
        """Nobody watches a resource any more; the upstream is told in the background."""
        self._wanted.discard(uri)
        self._missed.discard(uri)
        self._asked.pop(uri, None)
        self._work_on()

    def begin(self, connection: Connection) -> None:
        """There is a connection: bring it to what is wanted."""
        self._connection = connection
        self.renew()

    def renew(self) -> None:
        """The upstream may have forgotten what it was told: tell it again."""
        self._round += 1
        self._missed |= self._told & self._wanted
        self._told.clear()
        self._refused.clear()
        self._work_on()

    def reconsider(self) -> None:
        """The upstream has other resources than before: ask again for those that it refused."""
        self._missed |= self._refused & self._wanted
        self._reconsider(set(self._refused))

    def tell_missed(self) -> None:
        """Updates of anything that is watched may have been missed."""
        for uri in list(self._told - self._refused):
            self._on_missed(uri)

    async def end(self) -> None:
        """The connection is gone, or will be."""
        self._connection = None
        if self._retry is not None:
            self._retry.cancel()
            self._retry = None
        task = self._task
        if task is not None:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    def _reconsider(self, uris: set[str]) -> None:
        self._refused -= uris
        self._told -= uris
        self._work_on()

    def _work_on(self) -> None:
        if self._connection is not None and self._task is None and self._told != self._wanted:
            self._task = asyncio.create_task(self._work(self._connection))

    async def _work(self, connection: Connection) -> None:
        bring = self._listen if connection.era is Era.STATELESS else self._exchange
        try:
            while self._told != self._wanted and not connection.channel.closed.done():
                await bring(connection)
        except UpstreamError as error:
            _log.warning("%s: watching its resources failed: %s", self._server, error.what)
            if self._connection is connection and self._retry is None:
                self._retry = asyncio.get_running_loop().call_later(self._delay, self._try_again)
        finally:
            self._task = None

    def _try_again(self) -> None:
        self._retry = None
        self._work_on()

    async def _exchange(self, connection: Connection) -> None:
        """A few subscriptions of the handshake era, begun and ended."""
        stale = [uri for uri in self._told if uri not in self._wanted][:_AT_ONCE]
        fresh = [uri for uri in self._wanted if uri not in self._told][:_AT_ONCE]
        self._told.difference_update(stale)
        ended = [uri for uri in stale if uri not in self._refused]
        self._refused.difference_update(stale)
        outcomes = await asyncio.gather(
            *(self._unsubscribe(connection, uri) for uri in ended),
            *(self._subscribe(connection, uri) for uri in fresh),
            return_exceptions=True,
        )
        for outcome in outcomes:
            if outcome is not None:
                raise outcome

    async def _subscribe(self, connection: Connection, uri: str) -> None:
        present = self._round
        failure: RpcError | None = None
        if not offers_subscriptions(connection):
            what = f"{self._server}: does not offer subscriptions to resources"
            self._settle(uri, RpcError(METHOD_NOT_FOUND, what), present)
            return
        try:
            await connection.ask("resources/subscribe", {"uri": Raw(encode(uri))}, TIMEOUT)
        except RpcError as error:
            failure = error
        except UpstreamError as error:
            self._answer(uri, error)
            raise
        self._settle(uri, failure, present)

    async def _unsubscribe(self, connection: Connection, uri: str) -> None:
        try:
            await connection.ask("resources/unsubscribe", {"uri": Raw(encode(uri))}, TIMEOUT)
        except (RpcError, UpstreamError) as error:
            _log.info("%s: the end of a subscription to %s was not taken: %s", self._server, uri, error)

    async def _listen(self, connection: Connection) -> None:
        """One request of the stateless era for all that is wanted now."""
        wanted, present = frozenset(self._wanted), self._round
        fresh = wanted - self._told
        failure: RpcError | None = None
        honoured = frozenset[str]()
        try:
            honoured = await connection.channel.watch(wanted)
        except RpcError as error:
            failure = error
        except UpstreamError as error:
            for uri in fresh:
                self._answer(uri, error)
            raise
        self._told &= wanted
        self._refused &= wanted
        silence = RpcError(INVALID_PARAMS, f"{self._server}: does not tell of updates of this resource")
        for uri in fresh:
            self._settle(uri, None if uri in honoured else failure or silence, present)

    def _settle(self, uri: str, failure: RpcError | None, present: int) -> None:
        """The upstream has answered about a resource, in that round."""
        if present != self._round:
            return
        self._told.add(uri)
        if failure is not None:
            self._refused.add(uri)
        if not self._answer(uri, failure) and failure is not None:
            _log.warning("%s: %s cannot be watched any more: %s", self._server, uri, failure.message)
        if uri in self._missed:
            self._missed.discard(uri)
            self._on_missed(uri)

    def _answer(self, uri: str, failure: RpcError | UpstreamError | None) -> bool:
        """Tell those who wait for a resource; False if nobody does."""
        answer = self._asked.pop(uri, None)
        if answer is None:
            return False
        answer.set_result(failure)
        return True


def offers_subscriptions(connection: Connection) -> bool:
    """Whether an upstream declared that resources can be subscribed to."""
    try:
        declared = open_object(connection.capabilities.get("resources", b""))
    except RpcError:
        return False
    return bytes(declared.get("subscribe", b"")) == b"true"
