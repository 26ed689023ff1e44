"""Calls of stateless clients that wait for answers: round by round, bounded, each state good once."""

import asyncio
import gc
import json
from contextlib import suppress
from typing import Any

import pytest
from msgspec import Raw
from tests.gateway.conftest import Running
from tests.support.asking import ALL, ELICIT, FORM, YES, Client, Talk, asking
from tests.support.channels import Failure, until

from onemcp.core.access import Principal
from onemcp.errors import RpcError
from onemcp.gateway.parking import Conversation, Limits
from onemcp.gateway.trail import Trail, following, request_id
from onemcp.wire.envelope import Envelope, encode

pytestmark = pytest.mark.anyio
BRIEF: dict[str, Any] = {"quiet": 0.001, "gathering": 0.01}


async def once(talk: Talk) -> object:
    return {"content": [], "answer": (await talk.ask())["result"]}


async def twice(talk: Talk) -> object:
    return {"content": [], "answers": [(await talk.ask())["result"], (await talk.ask())["result"]]}


async def several(talk: Talk) -> object:
    answers = await asyncio.gather(
        talk.ask(), talk.ask("sampling/createMessage", {"messages": []}), talk.ask("roots/list", {})
    )
    return {"content": [], "answers": [answer["result"] for answer in answers]}


async def refused(retrying: Any) -> None:
    with pytest.raises(RpcError, match="call again without it") as caught:
        await retrying
    assert (caught.value.code, caught.value.status) == (-32602, 400)


async def test_a_question_is_an_answer_and_the_retry_goes_on(running: Running) -> None:
    async with running(asking(once)) as runtime:
        client = Client(runtime)
        asked = await client.call()
        assert asked["resultType"] == "input_required"
        assert asked["inputRequests"] == {"elicitation-1": {"method": ELICIT, "params": FORM}}
        result = await client.retry(asked)
        assert (result["resultType"], result["answer"]) == ("complete", YES)
        assert (len(runtime.parking), len(runtime.backchannel)) == (0, 0)


async def test_what_is_over_is_freed_without_the_collector(running: Running) -> None:
    async with running(asking(once)) as runtime:
        client = Client(runtime)
        gc.collect()
        gc.disable()
        try:
            await client.retry(await client.call())
            await until(lambda: not [each for each in gc.get_objects() if type(each) is Conversation])
        finally:
            gc.enable()


async def test_questions_that_come_together_are_asked_together(running: Running) -> None:
    async with running(asking(several)) as runtime:
        client = Client(runtime)
        asked = await client.call()
        assert list(asked["inputRequests"]) == ["elicitation-1", "sampling-2", "roots-3"]
        answers: dict[str, Any] = {
            "elicitation_1": YES,
            "sampling_2": {"role": "assistant"},
            "roots_3": {"roots": []},
        }
        result = await client.retry(asked, **answers)
    assert result["answers"] == list(answers.values())


async def test_what_is_missing_is_asked_again_and_what_is_unknown_is_ignored(running: Running) -> None:
    async with running(asking(several)) as runtime:
        client = Client(runtime)
        asked = await client.call()
        rest = await client.retry(asked, elicitation_1=YES, nobody={"x": 1})
        assert list(rest["inputRequests"]) == ["sampling-2", "roots-3"]
        again = await client.retry(rest, elicitation_1=YES)
        assert list(again["inputRequests"]) == ["sampling-2", "roots-3"]
        result = await client.retry(again, sampling_2={}, roots_3={"roots": []})
    assert result["answers"] == [YES, {}, {"roots": []}]


async def test_a_state_is_good_for_one_round(running: Running) -> None:
    async with running(asking(twice)) as runtime:
        client = Client(runtime)
        first = await client.call()
        second = await client.retry(first)
        assert list(second["inputRequests"]) == ["elicitation-2"]
        assert first["requestState"] != second["requestState"]
        await refused(client.retry(first))
        assert (await client.retry(second))["answers"] == [YES, YES]
        await refused(client.retry(second))


async def test_it_is_nobody_else_s(running: Running) -> None:
    async with running(asking(once)) as runtime:
        client = Client(runtime)
        asked = await client.call()
        await refused(Client(runtime, principal=Principal(subject="eve")).retry(asked))
        await refused(client.retry(asked, "a"))
        await refused(client.call(**{**asked, "arguments": {"other": 1}}))
        await refused(client.retry({**asked, "requestState": asked["requestState"] + "-TAMPERED"}))
        assert (await client.retry(asked))["answer"] == YES, "nobody has spoilt it"


async def test_an_answer_that_is_none_spoils_nothing(running: Running) -> None:
    async with running(asking(once)) as runtime:
        client = Client(runtime)
        asked = await client.call()
        for nonsense in (12345, {"action": "run"}):
            with pytest.raises(RpcError, match='"elicitation-1" must'):
                await client.retry(asked, elicitation_1=nonsense)
        with pytest.raises(RpcError, match="not a JSON object"):
            await client.call(requestState=asked["requestState"], inputResponses=5)
        assert (await client.retry(asked))["answer"] == YES


async def test_answers_without_a_state_begin_a_call_of_their_own(running: Running) -> None:
    async with running(asking(once)) as runtime:
        asked = await Client(runtime).call(inputResponses={"elicitation-1": YES})
        assert list(asked["inputRequests"]) == ["elicitation-1"]


async def test_progress_and_logs_come_in_the_round_that_is_under_way(running: Running) -> None:
    async def tell(talk: Talk) -> object:
        token = talk.params["_meta"]["progressToken"]
        for _ in range(2):
            progress = {"progressToken": token, "progress": 1}
            talk.send(Envelope("2.0", method="notifications/progress", params=Raw(encode(progress))))
            log = {"level": "info", "data": "x"}
            talk.send(Envelope("2.0", method="notifications/message", params=Raw(encode(log))))
            await talk.ask()
        return {"content": []}

    async with running(asking(tell)) as runtime:
        client = Client(runtime)
        first = await client.call(_level="info", _meta={"progressToken": "one"})
        assert [message["params"].get("progressToken") for message in client.heard] == ["one", None]
        client.heard.clear()
        second = await client.retry(first, _meta={"progressToken": "two"})
        assert [message["params"].get("progressToken") for message in client.heard] == ["two"]
        await client.retry(second)


async def test_what_the_client_has_not_declared_is_an_error_that_says_so(running: Running) -> None:
    told: list[Any] = []

    async def sample(talk: Talk) -> object:
        told.append((await talk.ask("sampling/createMessage", {"tools": []}))["error"])
        told.append((await talk.ask(ELICIT, {"mode": "url"}))["error"])
        return Failure(-32603, "it was refused")

    needed: dict[str, Any] = {"sampling": {"tools": {}}, "elicitation": {"url": {}}}
    declared: list[dict[str, Any]] = [{}, {"elicitation": {}, "sampling": {}}]
    for capabilities in declared:
        async with running(asking(sample)) as runtime:
            with pytest.raises(RpcError, match="has not declared") as caught:
                await Client(runtime, capabilities).call()
        assert (caught.value.code, caught.value.status) == (-32021, 400)
        assert caught.value.data == {"requiredCapabilities": needed}
    assert {error["code"] for error in told} == {-32021}


async def test_a_tool_that_can_do_without_is_answered(running: Running) -> None:
    async def shrug(talk: Talk) -> object:
        return {"content": [], "told": (await talk.ask())["error"]["code"]}

    async with running(asking(shrug)) as runtime:
        assert (await Client(runtime, {"roots": {}}).call())["told"] == -32021


async def test_a_client_that_goes_away_ends_its_call(running: Running) -> None:
    ended = asyncio.Event()

    async def hang(talk: Talk) -> object:
        try:
            await talk.ask()
            return await asyncio.Event().wait()
        finally:
            ended.set()

    async with running(asking(hang)) as runtime:
        client = Client(runtime)
        asked = await client.call()
        retrying = asyncio.create_task(client.retry(asked))
        await asyncio.sleep(0)
        retrying.cancel()
        async with asyncio.timeout(5):
            await ended.wait()
        with suppress(asyncio.CancelledError):
            await retrying
        await until(lambda: not len(runtime.backchannel))
        assert len(runtime.parking) == 0


async def test_a_call_that_nobody_comes_back_to_is_ended(running: Running) -> None:
    upstreams = asking(once)
    async with running(upstreams) as runtime:
        runtime.parking.limits = Limits(patience=0.01, **BRIEF)
        client = Client(runtime)
        asked = await client.call()
        await until(lambda: not len(runtime.parking) and not len(runtime.backchannel))
        assert b"is over" in upstreams.last("a").sent[-1]
        await refused(client.retry(asked))


async def test_calls_that_were_given_up_before_they_asked_hold_no_places(running: Running) -> None:
    go, asked = asyncio.Event(), list[int]()

    async def late(talk: Talk) -> object:
        try:
            return await asyncio.Event().wait()
        finally:
            await go.wait()
            with suppress(BaseException):
                asked.append(1)
                await talk.ask()

    upstreams = asking(late)
    async with running(upstreams) as runtime:
        for _ in range(3):
            call = asyncio.ensure_future(Client(runtime).call())
            await until(lambda: len(runtime.parking) == 1)
            call.cancel()
            await asyncio.sleep(0)
            go.set()
            await asyncio.gather(call, return_exceptions=True)
        await until(lambda: len(asked) == 3)
        assert len(runtime.parking) == 0
        assert runtime.parking.places == 0


async def test_what_ended_meanwhile_is_told_to_whoever_comes_back(running: Running) -> None:
    go = asyncio.Event()

    async def without(talk: Talk) -> object:
        asking = asyncio.ensure_future(talk.ask())
        await go.wait()
        asking.cancel()
        return {"content": [], "done": True}

    async with running(asking(without)) as runtime:
        client = Client(runtime)
        asked = await client.call()
        go.set()
        await until(lambda: not len(runtime.backchannel))
        assert (await client.retry(asked))["done"]


async def test_the_end_of_the_gateway_ends_what_is_parked(running: Running) -> None:
    upstreams = asking(once)
    async with running(upstreams) as runtime:
        await Client(runtime).call()
        assert len(runtime.parking) == 1
    assert (len(runtime.parking), len(runtime.backchannel)) == (0, 0)
    assert b"is over" in upstreams.last("a").sent[-1]


async def test_the_calls_that_wait_are_bounded_in_all_and_for_each(running: Running) -> None:
    async def ask(talk: Talk) -> object:
        return {"content": [], "told": await talk.ask()}

    async with running(asking(ask)) as runtime:
        runtime.parking.limits = Limits(calls=3, calls_of_one=2, **BRIEF)
        ada, eve, bob = (Client(runtime, principal=Principal(subject=name)) for name in ("ada", "eve", "bob"))
        asked = [await ada.call(), await ada.call()]
        assert "wait for their clients" in (await ada.call())["told"]["error"]["message"]
        assert (await eve.call())["resultType"] == "input_required"
        assert "wait for their clients" in (await bob.call())["told"]["error"]["message"]
        await ada.retry(asked[0])
        assert (await bob.call())["resultType"] == "input_required"


async def test_a_question_that_is_taken_back_is_not_asked(running: Running) -> None:
    async def doubt(talk: Talk) -> object:
        question = Envelope("2.0", Raw(b'"q"'), ELICIT, Raw(encode(FORM)))
        talk.send(question)
        taken_back = Raw(encode({"requestId": "q"}))
        talk.send(Envelope("2.0", method="notifications/cancelled", params=taken_back))
        return await once(talk)

    async with running(asking(doubt)) as runtime:
        client = Client(runtime)
        asked = await client.call()
        assert list(asked["inputRequests"]) == ["elicitation-2"]
        assert (await client.retry(asked))["answer"] == YES


async def test_a_question_that_is_no_object_is_the_upstream_s_own_fault(running: Running) -> None:
    async def odd(talk: Talk) -> object:
        talk.send(Envelope("2.0", Raw(b'"odd"'), ELICIT, Raw(b"[1]")))
        return {"content": []}

    upstreams = asking(odd)
    async with running(upstreams) as runtime:
        assert (await Client(runtime).call())["resultType"] == "complete"
    (told,) = [json.loads(message) for message in upstreams.last("a").sent if b'"odd"' in message]
    assert told["error"]["code"] == -32602


async def test_on_a_shared_child_several_calls_are_refused_and_never_guessed(running: Running) -> None:
    async def child(talk: Talk) -> object:
        return {"content": [], "told": await talk.ask(shared=True)}

    async with running(asking(child)) as runtime:
        client = Client(runtime)
        asked = await client.call()
        assert list(asked["inputRequests"]) == ["elicitation-1"]
        other = await Client(runtime).call()
        assert '"isolation": "session"' in other["told"]["error"]["message"]
        assert (await client.retry(asked))["told"]["result"] == YES


async def test_nothing_is_asked_of_who_completes(running: Running) -> None:
    upstreams = asking(once)
    told: list[Any] = []

    async def complete(request: Any) -> object:
        told.append((await Talk(upstreams.last("a"), request).ask())["error"]["message"])
        return {"completion": {"values": []}}

    script = upstreams.scripts["a"]
    assert isinstance(script, dict)
    script["initialize"] = {**script["initialize"], "capabilities": {"prompts": {}, "tools": {}}}
    script["prompts/list"] = {"prompts": [{"name": "p"}]}
    script["completion/complete"] = complete
    async with running(upstreams) as runtime:
        client = Client(runtime, ALL)
        ref = {"type": "ref/prompt", "name": "a_1mcp_p"}
        await client.request("completion/complete", ref=ref, argument={"name": "x", "value": ""})
    assert told == ["a client of this revision cannot be asked during completion/complete"]


async def test_what_happens_in_a_round_is_found_by_the_request_of_that_round(running: Running) -> None:
    said: list[tuple[str, ...]] = []

    async def thinking(talk: Talk) -> object:
        rounds = [request_id()]
        await talk.ask()
        rounds.append(request_id())
        await talk.ask()
        rounds.append(request_id())
        said.append(tuple(rounds))
        return {"content": []}

    async with running(asking(thinking)) as runtime:
        client = Client(runtime)
        with following(Trail(request_id="one")):
            asked = await client.call()
        with following(Trail(request_id="two")):
            asked = await client.retry(asked)
        with following(Trail(request_id="three")):
            await client.retry(asked)
    assert said == [("one", "two", "three")]
