"""Rounds: requests of stateless clients that are answered with questions, and sent again with the answers.

A handshake-era upstream asks in the course of its call, which is parked meanwhile; or it ends the call and wants a URL
visited first. A stateless one ends it with questions and a state of its own, which is wrapped so that it comes back to
the same upstream.

Source: multi round-trip requests (2026-07-28).
"""

from typing import Final

from msgspec import Raw

from onemcp.errors import RpcError, UpstreamError
from onemcp.gateway.asks import missing_capability
from onemcp.gateway.call import TOKEN
from onemcp.gateway.continuation import Again, Continuations, Parked, Subject
from onemcp.gateway.failures import as_rpc_error
from onemcp.gateway.parking import Conversation, Parking, Work
from onemcp.gateway.runtime import Runtime
from onemcp.upstream.channel import Reply
from onemcp.wire.capabilities import Required, declared_in, lacking
from onemcp.wire.envelope import ABSENT, INTERNAL_ERROR, encode, open_object
from onemcp.wire.inputs import (
    ELICIT,
    INPUT_REQUIRED,
    RESPONSES,
    STATE,
    input_request,
    input_required,
    is_accepted,
    url_elicitations,
)
from onemcp.wire.revisions import Era
from onemcp.wire.translate import CAPABILITIES_KEY

_NO_CAPABILITIES: Final = b'/clientCapabilities":{}'
"""How most clients say that they can be asked nothing; the quickest thing to look for."""

_ANSWERING: Final = (b'"elicitation"', b'"sampling"', b'"roots"')


class Rounds:
    """Begins, continues and words such requests."""

    def __init__(self, runtime: Runtime) -> None:
        self._parking: Parking = runtime.parking
        self._continuations = Continuations(runtime.keyring, runtime.identity.instance)

    async def begin(self, subject: Subject, params: dict[str, Raw], work: Work) -> Reply:
        """The first round of a call whose client can be asked what it has declared in the params.

        Raises:
            RpcError: how the call ended.
        """
        declared = declared_in(_meta(params).get(CAPABILITIES_KEY, ABSENT))
        conversation = self._parking.begin(subject.ctx, declared, work)
        return await self._listen(subject, conversation, None)

    async def resume(self, subject: Subject, params: dict[str, Raw]) -> Reply | None:
        """The next round, by the state in the params; None if the request is to be forwarded, with what is left there.

        Raises:
            RpcError: the state or an answer is refused, or how the call ended.
        """
        token = params.pop(STATE)
        state = self._continuations.open(subject, token)
        if isinstance(state, Parked):
            conversation = self._parking.resume(state, open_object(params.get(RESPONSES, ABSENT)))
            return await self._listen(subject, conversation, _meta(params).get(TOKEN))
        if isinstance(state, Again):
            if not all(
                is_accepted(response) for response in open_object(params.pop(RESPONSES, ABSENT)).values()
            ):
                what = f"{subject.route.upstream}: needs what it asked for first, and that was declined"
                raise RpcError(INTERNAL_ERROR, what)
        else:
            params[STATE] = Raw(encode(state.state))
        return None

    async def _listen(self, subject: Subject, conversation: Conversation, token: Raw | None) -> Reply:
        reply = await conversation.listen(subject.ctx, token)
        if reply is not None:
            return reply
        state = self._continuations.parked(subject, conversation.number, conversation.round)
        return Reply(input_required(conversation.questions(), state), ABSENT)

    def asking(self, subject: Subject, era: Era, reply: Reply) -> Reply | None:
        """What a client gets for an answer of an upstream of that era that asks; None for one that does not.

        Raises:
            RpcError: the client lacks the capability, or the answer cannot be carried.
        """
        if era is Era.HANDSHAKE:
            return self._visit(subject, url_elicitations(reply.error))
        if bytes(reply.result)[:1] != b"{":
            return None
        members = open_object(reply.result)
        if bytes(members.get("resultType", b"")) != INPUT_REQUIRED or STATE not in members:
            return None
        try:
            members[STATE] = self._continuations.relayed(subject, members[STATE])
        except UpstreamError as error:
            raise as_rpc_error(error) from error
        return Reply(Raw(encode(members)), ABSENT)

    def _visit(self, subject: Subject, elicitations: list[Raw]) -> Reply | None:
        """URLs that have to be visited before the call is made again."""
        if not elicitations:
            return None
        asks = subject.ctx.asks
        declared = asks.declared if isinstance(asks, Conversation) else {}
        missing: Required = {}
        for elicitation in elicitations:
            missing |= lacking(declared, ELICIT, elicitation)
        if missing:
            raise missing_capability(missing)
        requests = {
            f"elicitation-{number}": input_request(ELICIT, elicitation)
            for number, elicitation in enumerate(elicitations, 1)
        }
        return Reply(input_required(requests, self._continuations.again(subject)), ABSENT)


def can_answer(params: dict[str, Raw]) -> bool:
    """Whether it looks as if the client of a stateless request had declared that it can be asked something."""
    if "_meta" not in params:
        return False
    meta = bytes(params["_meta"])
    return meta.find(_NO_CAPABILITIES) < 0 and any(meta.find(each) >= 0 for each in _ANSWERING)


def _meta(params: dict[str, Raw]) -> dict[str, Raw]:
    return open_object(params.get("_meta", ABSENT))
