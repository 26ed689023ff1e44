"""Parking: calls of stateless clients in whose course a handshake-era upstream asks something.

Such a call runs in a task of its own, which outlives the request that began it. When its upstream asks, the questions
that come close together are gathered and given to the client as the answer of the round; the call is parked until the
client brings the answers with the next round, or its time is over.

Source: multi round-trip requests (2026-07-28).
"""

import asyncio
import logging
from collections import Counter
from collections.abc import Callable, Coroutine, Iterator, Mapping
from contextlib import contextmanager
from contextvars import Context, copy_context
from dataclasses import dataclass
from itertools import count
from typing import Any

from msgspec import Raw
from msgspec.structs import replace

from onemcp.core.access import Principal
from onemcp.core.spec import StdioTransport, UpstreamSpec
from onemcp.errors import RpcError
from onemcp.gateway.asks import GONE, OpenAsks, Respond, Tell, missing_capability
from onemcp.gateway.context import CallContext
from onemcp.gateway.continuation import Parked, refused
from onemcp.gateway.trail import TRAIL
from onemcp.upstream.channel import Reply
from onemcp.wire.capabilities import CAPABILITY, lacking
from onemcp.wire.envelope import ABSENT, INTERNAL_ERROR, INVALID_PARAMS, METHOD_NOT_FOUND, Envelope, success
from onemcp.wire.inputs import check_response, input_request

_log = logging.getLogger("onemcp.gateway")

Work = Callable[[CallContext], Coroutine[Any, Any, Reply]]
"""The call itself, given the context that it has through all of its rounds."""


@dataclass(slots=True)
class Limits:
    """How much is parked, and for how long; seconds."""

    calls: int = 1000
    """Calls that have asked their clients something and are not over."""
    calls_of_one: int = 250
    """The same of one principal."""
    patience: float = 600.0
    """How long a client may take for its answers."""
    quiet: float = 0.025
    """A round ends when the upstream has asked nothing more for this long,"""
    gathering: float = 0.25
    """and at the latest this long after its first question."""


class Conversation(OpenAsks):
    """One call and its client, round by round."""

    __slots__ = (
        "_asked_at",
        "_context",
        "_names",
        "_parking",
        "_patience",
        "_task",
        "_timer",
        "_turn",
        "ctx",
        "declared",
        "is_parked",
        "number",
        "round",
    )

    def __init__(
        self, parking: "Parking", number: int, ctx: CallContext, declared: Mapping[str, Raw], work: Work
    ) -> None:
        super().__init__()
        self._parking = parking
        self.number = number
        self.round = 0
        """Rounds that have ended with questions."""
        self.is_parked = False
        """Its client has been given questions, and has not come back."""
        self.declared = declared
        self.ctx = replace(ctx, asks=self, emit=None, headers=None)
        """The context of the call, in which each round puts what it brings."""
        self._names = count(1)
        self._asked_at = 0.0
        self._turn: asyncio.Future[None] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._patience: asyncio.TimerHandle | None = None
        self._context = copy_context()
        self._task = self.ctx.task = parking.run(work(self.ctx), self._context)
        self._task.add_done_callback(self._on_done)

    def refusal(self, envelope: Envelope) -> RpcError | None:
        """See `Asked.refusal`."""
        if not self._parking.knows(self):
            return GONE.refusal(envelope)
        if envelope.params is not ABSENT and bytes(envelope.params)[:1] != b"{":
            return RpcError(INVALID_PARAMS, "params must be an object")
        missing = lacking(self.declared, envelope.method, envelope.params)
        if missing:
            return missing_capability(missing)
        return self.full() or self._parking.full(self)

    def ask(self, envelope: Envelope, respond: Respond, _tell: Tell, /) -> bytes:
        """Keep the question for the end of the round."""
        key = f"{CAPABILITY[envelope.method]}-{next(self._names)}".encode()
        self.keep(key, envelope, respond)
        self._parking.admit(self)
        self._gather()
        return key

    async def listen(self, ctx: CallContext, token: Raw | None) -> Reply | None:
        """One round: the answer of the call, or None if its client is to be asked (`questions`).

        Cancelling it ends the call. `token` is the progress token of the round.

        Raises:
            RpcError: how the call has ended.
        """
        own = self.ctx
        own.emit, own.log_level, own.token = ctx.emit, ctx.log_level, token
        self._context.run(
            TRAIL.set, TRAIL.get()
        )  # what is logged from now on is found by the request of this round
        try:
            if not self._task.done():
                self._turn = asyncio.get_running_loop().create_future()
                self._gather()
                await self._turn
        except asyncio.CancelledError:
            self.end()
            raise
        finally:
            own.emit = self._turn = None
            self._stop_gathering()
        return self._outcome()

    def _outcome(self) -> Reply | None:
        if not self._task.done():
            self.round += 1
            self.is_parked = True
            loop = asyncio.get_running_loop()
            self._patience = loop.call_later(self._parking.limits.patience, self._give_up)
            return None
        self._parking.forget(self)
        if self._task.cancelled():
            raise RpcError(INTERNAL_ERROR, "the call was ended, because the gateway stops")
        return self._task.result()

    def questions(self) -> dict[str, dict[str, Raw]]:
        """What the client is asked, by the keys under which it answers."""
        asks = self.open or {}
        return {key.decode(): input_request(ask.method, ask.params) for key, ask in asks.items()}

    def answer(self, responses: Mapping[str, Raw]) -> None:
        """The client has come back with answers, which go to the upstream; those to nothing that is open are ignored.

        Raises:
            RpcError: one of them is none; nothing was done.
        """
        asks = self.open or {}
        given = [(key, response) for key, response in responses.items() if key.encode() in asks]
        for key, response in given:
            check_response(key, asks[key.encode()].method, response)
        self.is_parked = False
        if self._patience is not None:
            self._patience.cancel()
        for key, response in given:
            ask = asks.pop(key.encode())
            ask.respond(success(ask.upstream_id, response))

    def end(self) -> None:
        """Nobody waits for this call any more: it is cancelled, and its upstream told."""
        if self._patience is not None:
            self._patience.cancel()
        self._stop_gathering()
        self._task.cancel()
        self._parking.forget(self)

    def _give_up(self) -> None:
        _log.info(
            "%s: a parked call was ended, its client did not come back", self.ctx.upstream or "a server"
        )
        self.end()

    def _gather(self) -> None:
        """Questions are open: the round ends when no more of them come."""
        if self._turn is None or not self.open:
            return
        loop, limits = asyncio.get_running_loop(), self._parking.limits
        now = loop.time()
        if self._timer is None:
            self._asked_at = now
        self._stop_gathering()
        due = min(now + limits.quiet, self._asked_at + limits.gathering)
        self._timer = loop.call_at(due, self._end_round)

    def _stop_gathering(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _end_round(self) -> None:
        self._timer = None
        if self.open and self._turn is not None and not self._turn.done():
            self._turn.set_result(None)

    def _on_done(self, task: asyncio.Task[Reply]) -> None:
        if not task.cancelled():
            task.exception()  # It is seen by whoever comes for the outcome, if anybody does.
        self.ctx.asks = None  # each holds the other: only the collector would find them
        if self._turn is not None and not self._turn.done():
            self._turn.set_result(None)


class Parking:
    """All conversations; the owner of their tasks."""

    def __init__(self) -> None:
        self.limits = Limits()
        self._numbers = count(1)
        self._conversations: dict[int, Conversation] = {}
        self._admitted: dict[int, Principal] = {}
        self._of_each: Counter[Principal] = Counter()
        self._tasks: set[asyncio.Task[Reply]] = set()
        self._lanes: dict[tuple[Principal, str], set[int]] = {}

    def __len__(self) -> int:
        """Conversations, parked or under way."""
        return len(self._conversations)

    @property
    def parked(self) -> int:
        """Conversations whose clients have been asked and have not come back."""
        return sum(conversation.is_parked for conversation in self._conversations.values())

    @property
    def places(self) -> int:
        """Places that are taken by calls which have asked."""
        return len(self._admitted)

    def run(self, work: Coroutine[Any, Any, Reply], context: Context) -> asyncio.Task[Reply]:
        """A task for a call, which `aclose` ends if nothing else does."""
        task = asyncio.create_task(work, context=context)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    def begin(self, ctx: CallContext, declared: Mapping[str, Raw], work: Work) -> Conversation:
        """A call whose client can be asked, by the capabilities that it has declared."""
        number = next(self._numbers)
        conversation = self._conversations[number] = Conversation(self, number, ctx, declared, work)
        return conversation

    def resume(self, state: Parked, responses: Mapping[str, Raw]) -> Conversation:
        """The conversation that a client comes back to, with its answers.

        Raises:
            RpcError: it is over, or this round of it; or an answer is none, and the state stays good.
        """
        conversation = self._conversations.get(state.number)
        if conversation is None or conversation.round != state.round or not conversation.is_parked:
            raise refused()
        conversation.answer(responses)
        return conversation

    def knows(self, conversation: Conversation) -> bool:
        """Whether it goes on."""
        return conversation.number in self._conversations

    def full(self, conversation: Conversation) -> RpcError | None:
        """Why this one may not ask, if there is no room for it."""
        if conversation.number in self._admitted:
            return None
        of_one = self._of_each[conversation.ctx.principal]
        if len(self._admitted) < self.limits.calls and of_one < self.limits.calls_of_one:
            return None
        return RpcError(
            METHOD_NOT_FOUND, f"{len(self._admitted)} calls wait for their clients; try again later"
        )

    def admit(self, conversation: Conversation) -> None:
        """It asks, and has its place until it is over."""
        if conversation.number not in self._admitted:
            principal = self._admitted[conversation.number] = conversation.ctx.principal
            self._of_each[principal] += 1

    def forget(self, conversation: Conversation) -> None:
        """It is over, or about to be."""
        if self._conversations.pop(conversation.number, None) is None:
            return
        principal = self._admitted.pop(conversation.number, None)
        if principal is not None:
            self._of_each[principal] -= 1
            if not self._of_each[principal]:
                del self._of_each[principal]

    @contextmanager
    def lane(self, ctx: CallContext, spec: UpstreamSpec) -> Iterator[None]:
        """Give a conversation, by `ctx.lane`, a connection of its owner's that nobody else uses meanwhile.

        A child process does not say in which call it asks. So where connections are their owners' own, each of the
        conversations under way at a time has another one, which those that follow find open. Calls in which nobody
        can be asked share the first.
        """
        if not isinstance(ctx.asks, Conversation) or not isinstance(spec.transport, StdioTransport):
            yield
            return
        key = ctx.principal, spec.name
        taken = self._lanes.setdefault(key, set())
        ctx.lane = next(lane for lane in count(1) if lane not in taken)
        taken.add(ctx.lane)
        try:
            yield
        finally:
            taken.discard(ctx.lane)
            if not taken:
                del self._lanes[key]

    async def aclose(self) -> None:
        """End all of them; their upstreams are told."""
        for conversation in list(self._conversations.values()):
            conversation.end()
        await asyncio.gather(*self._tasks, return_exceptions=True)
