"""What upstreams may not ask is neither declared to them nor put to anybody, in both eras."""

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest
from msgspec import Raw
from tests.gateway.conftest import Running
from tests.support.asking import ELICIT, Client, Talk, asking
from tests.support.channels import Failure, Upstreams, handshake, spec, stateless, until

from onemcp.core.access import View
from onemcp.core.features import Features
from onemcp.core.spec import Isolation, Partitioning, Roots
from onemcp.errors import RpcError
from onemcp.gateway.context import CallContext
from onemcp.gateway.dispatch import Dispatcher
from onemcp.gateway.runtime import Runtime
from onemcp.gateway.sessions import Session, Sessions
from onemcp.seal.keyring import Keyring
from onemcp.upstream.channel import Request
from onemcp.wire.envelope import ABSENT, Envelope, encode
from onemcp.wire.revisions import Era

pytestmark = pytest.mark.anyio

QUESTIONS: Mapping[str, tuple[str, dict[str, Any]]] = {
    "sampling": ("sampling/createMessage", {"messages": [], "maxTokens": 1}),
    "elicitation": (ELICIT, {"message": "Name?", "requestedSchema": {"type": "object"}}),
    "roots": ("roots/list", {}),
}
NAMES = sorted(QUESTIONS)
MCP = "io.modelcontextprotocol"
DECLARED: dict[str, Any] = {"sampling": {}, "elicitation": {"form": {}, "url": {}}, "roots": {}}
VISIT = {"mode": "url", "message": "Log in", "url": "https://example.com", "elicitationId": "e1"}


def off(*names: str) -> Features:
    return Features(**dict.fromkeys(names, False))


def asks(name: str, *, shared: bool = False) -> Upstreams:
    """A tool that asks, and gives what it got."""

    async def tool(talk: Talk) -> object:
        method, params = QUESTIONS[name]
        return {"content": [], "answer": await talk.ask(method, params, shared=shared)}

    return asking(tool)


def session() -> Session:
    return Sessions(Keyring.ephemeral()).open("2025-11-25", "", Raw(encode(DECLARED)), 0)


async def in_session(runtime: Runtime, one: Session, heard: list[Any]) -> Any:
    """The result, or the error, of the tool that a client with a session calls."""

    def hear(message: bytes) -> bool:
        heard.append(json.loads(message))
        return True

    context = CallContext(Era.HANDSHAKE, "2025-11-25", View(), one, emit=hear)
    params = Raw(encode({"name": "a_1mcp_t", "arguments": {}}))
    reply = await Dispatcher(runtime).dispatch(context, Envelope("2.0", Raw(b"1"), "tools/call", params))
    return json.loads(bytes(reply.result if reply.error is ABSENT else reply.error))


def declared_to(upstreams: Upstreams, number: int = -1) -> Any:
    """The client capabilities that an upstream's connection was begun with."""
    hello = next(r for r in upstreams.channels["a"][number].asked if r.method == "initialize")
    return json.loads(hello.params)["capabilities"]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("shared", [False, True])
async def test_a_question_is_refused_and_put_to_nobody(running: Running, name: str, *, shared: bool) -> None:
    specs = [spec("a", roots=Roots())]
    async with running(asks(name, shared=shared), specs=specs, features=off(name)) as runtime:
        client, heard = Client(runtime), list[Any]()
        for result in (await client.call(), await in_session(runtime, session(), heard)):
            assert result["answer"]["error"]["code"] == -32601
            assert f"features.{name}" in result["answer"]["error"]["message"]
        assert (client.heard, heard) == ([], [])


async def test_what_is_on_is_asked_all_the_same(running: Running) -> None:
    async with running(asks("elicitation"), features=off("sampling", "roots")) as runtime:
        client = Client(runtime)
        asked = await client.call()
        assert (await client.retry(asked))["answer"]["result"]["action"] == "accept"


@pytest.mark.parametrize("name", NAMES)
async def test_it_is_not_declared_on_a_connection_that_many_share(running: Running, name: str) -> None:
    upstreams = asks(name)
    async with running(upstreams, specs=[spec("a", roots=Roots())], features=off(name)):
        assert declared_to(upstreams).keys() == DECLARED.keys() - {name}


@pytest.mark.parametrize("name", NAMES)
async def test_nor_on_one_of_a_session_s_own(running: Running, name: str) -> None:
    upstreams = asks(name)
    specs = [spec("a", partitioning=Partitioning(Isolation.SESSION))]
    async with running(upstreams, specs=specs, features=off(name)) as runtime:
        await in_session(runtime, session(), [])
        assert declared_to(upstreams).keys() == DECLARED.keys() - {name}


@pytest.mark.parametrize("name", NAMES)
async def test_nobody_hears_of_other_roots_who_may_not_ask_for_them(running: Running, name: str) -> None:
    upstreams = asks(name)
    specs = [spec("a", partitioning=Partitioning(Isolation.SESSION))]
    async with running(upstreams, specs=specs, features=off(name)) as runtime:
        one, shared = session(), runtime.pool.get("a")
        assert shared is not None
        await in_session(runtime, one, [])
        runtime.owned.roots_changed(one)
        with runtime.owned.lease(CallContext(Era.HANDSHAKE, "2025-11-25", View(), one), shared) as own:
            own.tell("notifications/last")
        sent = upstreams.last("a").sent
        await until(lambda: b"notifications/last" in sent)
        assert (b"notifications/roots/list_changed" in sent) == (name != "roots")


async def test_roots_that_the_configuration_gives_are_told(running: Running) -> None:
    specs = [spec("a", roots=Roots((("file:///srv", "srv"),)))]
    upstreams = asks("roots")
    async with running(upstreams, specs=specs, features=off("roots")) as runtime:
        answer = (await Client(runtime).call())["answer"]
        assert "roots" in declared_to(upstreams)
    assert answer["result"] == {"roots": [{"uri": "file:///srv", "name": "srv"}]}


@pytest.mark.parametrize("name", NAMES)
async def test_a_stateless_upstream_is_not_told_that_its_client_could_answer(
    running: Running, name: str
) -> None:
    def call(request: Request) -> object:
        return {"content": [], "resultType": "complete", "came": json.loads(request.params)["_meta"]}

    upstreams = Upstreams(a=stateless("t", **{"tools/call": call}))
    async with running(upstreams, features=off(name)) as runtime:
        meta = (await Client(runtime, DECLARED).call())["came"]
    assert meta[f"{MCP}/clientCapabilities"].keys() == DECLARED.keys() - {name}
    assert meta[f"{MCP}/protocolVersion"] == "2026-07-28"


@pytest.mark.parametrize("name", NAMES)
async def test_one_that_asks_all_the_same_gets_no_answer_and_its_client_an_error(
    running: Running, name: str
) -> None:
    method, params = QUESTIONS[name]
    result = {
        "resultType": "input_required",
        "inputRequests": {"q": {"method": method, "params": params}},
        "requestState": "s",
    }
    async with running(Upstreams(a=stateless("t", **{"tools/call": result})), features=off(name)) as runtime:
        with pytest.raises(RpcError, match=f"a: asks its client .* features.{name}") as caught:
            await Client(runtime).call()
    assert caught.value.code == -32603


async def test_a_question_that_may_be_asked_passes_beside(running: Running) -> None:
    result = {
        "resultType": "input_required",
        "inputRequests": {"q": {"method": "roots/list"}},
        "requestState": "s",
    }
    upstreams = Upstreams(a=stateless("t", **{"tools/call": result}))
    async with running(upstreams, features=off("elicitation", "sampling")) as runtime:
        assert (await Client(runtime).call())["inputRequests"] == result["inputRequests"]


@pytest.mark.parametrize("questions", [7, {"q": 7}, {"q": {"method": 7}}])
async def test_what_is_no_question_is_left_for_others_to_judge(running: Running, questions: object) -> None:
    result = {"resultType": "input_required", "inputRequests": questions, "requestState": "s"}
    upstreams = Upstreams(a=stateless("t", **{"tools/call": result}))
    async with running(upstreams, features=off("elicitation")) as runtime:
        assert (await Client(runtime).call())["inputRequests"] == questions


async def test_nobody_is_sent_to_a_url_by_an_error(running: Running) -> None:
    wanted = Failure(-32042, "log in first", {"elicitations": [VISIT]})
    upstreams = Upstreams(a=handshake("t", **{"tools/call": lambda _: wanted}))
    async with running(upstreams, features=off("elicitation")) as runtime:
        with pytest.raises(RpcError, match=r"features\.elicitation"):
            await Client(runtime).call()
        with pytest.raises(RpcError, match=r"features\.elicitation") as caught:
            await in_session(runtime, session(), [])
    assert "example.com" not in str(caught.value.message)


async def test_a_switch_begins_the_connection_anew_and_the_calls_under_way_end_as_they_began(
    running: Running,
) -> None:
    upstreams = asks("elicitation")
    async with running(upstreams) as runtime:
        client = Client(runtime)
        asked = await client.call()
        runtime.adopt(replace(runtime.options, features=off("elicitation")))
        await runtime.apply(runtime.specs)
        await runtime.settled()
        assert (await client.call())["answer"]["error"]["code"] == -32601
        assert (await client.retry(asked))["answer"]["result"]["action"] == "accept"
        await until(upstreams.channels["a"][0].closed.done)
        runtime.adopt(replace(runtime.options, features=Features()))
        await runtime.apply(runtime.specs)
        await runtime.settled()
        assert "inputRequests" in await client.call()
    assert ["elicitation" in declared_to(upstreams, number) for number in range(3)] == [True, False, True]
