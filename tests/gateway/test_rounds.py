"""Stateless clients on upstreams that end a call with questions: a URL to visit, or a state of their own."""

import json
from typing import Any

import pytest
from msgspec import Raw
from tests.gateway.conftest import Running
from tests.support.asking import Client, Talk, asking
from tests.support.channels import Failure, Upstreams, handshake, spec, stateless

from onemcp.core.access import Principal, View
from onemcp.core.tags import simple
from onemcp.errors import RpcError
from onemcp.gateway.context import CallContext
from onemcp.gateway.dispatch import Dispatcher
from onemcp.gateway.sessions import Session, Sessions
from onemcp.gateway.streams import Stream
from onemcp.seal.keyring import Keyring
from onemcp.upstream.channel import Request
from onemcp.wire.envelope import Envelope, encode
from onemcp.wire.revisions import Era

pytestmark = pytest.mark.anyio

VISIT: dict[str, Any] = {
    "mode": "url",
    "message": "Log in",
    "url": "https://example.com",
    "elicitationId": "e1",
}
LOG_IN = Failure(-32042, "log in first", {"elicitations": [VISIT]})
QUESTIONS: dict[str, Any] = {"q": {"method": "roots/list", "params": {}}}


def after_login() -> Upstreams:
    """A tool that works from the second call on."""
    answers: list[object] = [LOG_IN, {"content": [], "done": True}]
    return Upstreams(a=handshake("t", **{"tools/call": lambda _: answers.pop(0)}))


async def test_a_url_that_must_be_visited_is_asked_for_and_the_call_made_again(running: Running) -> None:
    upstreams = after_login()
    async with running(upstreams) as runtime:
        client = Client(runtime)
        asked = await client.call(arguments={"x": 1})
        assert asked["resultType"] == "input_required"
        (request,) = asked["inputRequests"].values()
        assert request["params"] == {name: VISIT[name] for name in ("mode", "message", "url")}
        result = await client.call(
            arguments={"x": 1},
            requestState=asked["requestState"],
            inputResponses={"elicitation-1": {"action": "accept"}},
        )
    assert result["done"]
    made = upstreams.last("a").asked[-1].params
    assert b"requestState" not in made
    assert b"inputResponses" not in made


async def test_who_declines_is_not_asked_in_circles(running: Running) -> None:
    async with running(after_login()) as runtime:
        client = Client(runtime)
        asked = await client.call()
        with pytest.raises(RpcError, match="declined"):
            await client.retry(asked, elicitation_1={"action": "decline"})


async def test_without_the_capability_it_is_said_which_one(running: Running) -> None:
    declared: list[dict[str, Any]] = [{}, {"elicitation": {}}]
    for capabilities in declared:
        async with running(after_login()) as runtime:
            with pytest.raises(RpcError) as caught:
                await Client(runtime, capabilities).call()
        assert (caught.value.code, caught.value.status) == (-32021, 400)
        assert caught.value.data == {"requiredCapabilities": {"elicitation": {"url": {}}}}


@pytest.mark.parametrize("data", [None, {}, {"elicitations": 5}, {"elicitations": []}])
async def test_one_that_names_no_url_is_a_plain_error(running: Running, data: object) -> None:
    script = handshake("t", **{"tools/call": Failure(-32042, "log in", data)})
    async with running(Upstreams(a=script)) as runtime:
        error = await Client(runtime).call()
    assert (error["code"], error["message"]) == (-32603, "log in")


def session() -> Session:
    opened = Sessions(Keyring.ephemeral()).open("2025-11-25", "", Raw(b'{"elicitation":{"url":{}}}'), 0.0)
    opened.listener = Stream(View())
    return opened


async def test_a_session_gets_it_as_it_is_and_hears_of_its_completion(running: Running) -> None:
    upstreams = after_login()
    client, stranger = session(), session()
    context = CallContext(Era.HANDSHAKE, "2025-11-25", View(), client)
    call = Envelope("2.0", method="tools/call", params=Raw(encode({"name": "a_1mcp_t"})))
    async with running(upstreams) as runtime:
        reply = await Dispatcher(runtime).dispatch(context, call)
        assert json.loads(bytes(reply.error)) == LOG_IN.body
        await Dispatcher(runtime).dispatch(CallContext(Era.HANDSHAKE, "2025-11-25", View(), stranger), call)
        for elicitation in ("unknown", "e1", "e1"):
            params = Raw(encode({"elicitationId": elicitation}))
            upstreams.last("a").inbound(
                Envelope("2.0", method="notifications/elicitation/complete", params=params)
            )
    for each in (client, stranger):
        assert each.listener is not None
        each.listener.end()
    assert client.listener is not None
    assert stranger.listener is not None
    assert b'"elicitationId":"e1"' in (await client.listener.next() or b"")
    assert await client.listener.next() is None, "once"
    assert await stranger.listener.next() is None


async def test_a_completion_is_dropped_for_a_stateless_client(running: Running) -> None:
    async def visit(talk: Talk) -> object:
        answer = await talk.ask("elicitation/create", VISIT)
        params = Raw(encode({"elicitationId": "e1"}))
        talk.send(Envelope("2.0", method="notifications/elicitation/complete", params=params))
        return {"content": [], "answer": answer["result"]}

    async with running(asking(visit)) as runtime:
        client = Client(runtime)
        asked = await client.call()
        assert "elicitationId" not in json.dumps(asked)
        assert (await client.retry(asked, elicitation_1={"action": "accept"}))["answer"] == {
            "action": "accept"
        }
        assert (client.heard, runtime.backchannel.unclaimed) == ([], 1)


def in_rounds(state: object = "theirs") -> Upstreams:
    """A stateless tool with a question; its answer says with what it was called."""

    def call(request: Request) -> object:
        params = json.loads(request.params)
        if "inputResponses" in params:
            return {"resultType": "complete", "content": [], "came": params}
        more = {} if state is None else {"requestState": state}
        return {"resultType": "input_required", "inputRequests": QUESTIONS, **more}

    return Upstreams(a=stateless("t", **{"tools/call": call}), b=stateless("t", **{"tools/call": call}))


async def test_the_state_of_an_upstream_comes_back_to_it_as_it_was(running: Running) -> None:
    async with running(in_rounds()) as runtime:
        client = Client(runtime)
        asked = await client.call()
        assert asked["inputRequests"] == QUESTIONS
        assert "theirs" not in asked["requestState"]
        came = (await client.retry(asked, q={"roots": []}))["came"]
    assert (came["requestState"], came["inputResponses"]) == ("theirs", {"q": {"roots": []}})


async def test_one_of_64_kib_passes(running: Running) -> None:
    state = "s" * (64 << 10)
    async with running(in_rounds(state)) as runtime:
        client = Client(runtime)
        assert (await client.retry(await client.call()))["came"]["requestState"] == state


async def test_one_that_gives_none_gets_none(running: Running) -> None:
    async with running(in_rounds(None)) as runtime:
        client = Client(runtime)
        asked = await client.call()
        assert "requestState" not in asked
        came = (await client.call(inputResponses={"q": {}}))["came"]
    assert "requestState" not in came


async def test_it_goes_to_no_other_upstream_and_comes_from_no_other_client(running: Running) -> None:
    specs = [spec("a", tags=frozenset({"x"})), spec("b", tags=frozenset({"x", "y"}))]
    upstreams = in_rounds()
    async with running(upstreams, specs=specs) as runtime:
        client = Client(runtime)
        asked = await client.call()
        seen = len(upstreams.last("a").asked), len(upstreams.last("b").asked)
        foreign = [
            client.call(name="b_1mcp_t", **asked),
            client.call("a", **asked),
            Client(runtime, principal=Principal(subject="eve")).call(**asked),
            Client(runtime, view=View(simple("y"))).call(**asked),
            client.call(**{**asked, "requestState": "theirs"}),
            client.call(**{**asked, "requestState": asked["requestState"] + "x"}),
        ]
        for each in foreign:
            with pytest.raises(RpcError) as caught:
                await each
            assert caught.value.code == -32602
        assert (len(upstreams.last("a").asked), len(upstreams.last("b").asked)) == seen


async def test_a_result_that_only_speaks_of_it_is_left_as_it_is(running: Running) -> None:
    script = stateless("t", **{"tools/call": {"content": [], "note": "input_required", "requestState": "x"}})
    async with running(Upstreams(a=script)) as runtime:
        assert (await Client(runtime).call())["requestState"] == "x"


async def test_a_result_that_is_no_object_passes_as_any_other(running: Running) -> None:
    script = stateless("t", **{"tools/call": ["input_required"]})
    async with running(Upstreams(a=script)) as runtime:
        assert (await Client(runtime).call()) == ["input_required"], (
            "between stateless sides nothing is judged"
        )
