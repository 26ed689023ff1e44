"""Progress reaches the call that it belongs to."""

import asyncio
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Raw
from tests.gateway.conftest import Running
from tests.support.channels import Upstreams, handshake, spec, until

from onemcp.core.access import View
from onemcp.errors import RpcError
from onemcp.gateway.asks import MAX_ASKS
from onemcp.gateway.backchannel import MAX_ELICITATIONS, Backchannel
from onemcp.gateway.call import LONGEST
from onemcp.gateway.context import CallContext
from onemcp.gateway.dispatch import Dispatcher
from onemcp.gateway.sessions import Session, Sessions
from onemcp.gateway.streams import Stream
from onemcp.seal.keyring import Keyring
from onemcp.upstream.channel import Request
from onemcp.wire.envelope import Envelope, encode
from onemcp.wire.revisions import Era

pytestmark = pytest.mark.anyio


def progress(token: object, **more: object) -> Envelope:
    params = {"progressToken": token, "progress": 1, **more}
    return Envelope("2.0", method="notifications/progress", params=Raw(encode(params)))


def refused(_: bytes) -> None:
    raise AssertionError("nothing was asked")


def ctx(heard: list[bytes], level: str = "", session: Session | None = None) -> CallContext:
    def emit(message: bytes) -> bool:
        heard.append(message)
        return True

    task = asyncio.current_task()
    return CallContext(Era.HANDSHAKE, "2025-11-25", View(), session, emit=emit, log_level=level, task=task)


def session(capabilities: bytes = b'{"sampling":{},"elicitation":{}}') -> Session:
    return Sessions(Keyring.ephemeral()).open("2025-11-25", "", Raw(capabilities), 0.0)


def message(level: str, **more: object) -> Envelope:
    params = {"level": level, "data": "x", **more}
    return Envelope("2.0", method="notifications/message", params=Raw(encode(params)))


async def test_a_token_is_ours_on_the_one_side_and_the_client_s_on_the_other() -> None:
    backchannel, heard = Backchannel(), list[bytes]()
    call = backchannel.begin("a", ctx(heard, ""), refused, 60.0)
    own = int(bytes(call.watch(Raw(b'"mine"'))))
    backchannel.take("a", progress(own, message="half", vendor={"x": 1}), refused)
    call.hear(progress(own))
    assert json.loads(heard[0]) == {
        "jsonrpc": "2.0",
        "method": "notifications/progress",
        "params": {"progressToken": "mine", "progress": 1, "message": "half", "vendor": {"x": 1}},
    }
    assert len(heard) == 2


async def test_after_the_call_nothing_is_heard_and_nothing_is_kept() -> None:
    backchannel, heard = Backchannel(), list[bytes]()
    call = backchannel.begin("a", ctx(heard, "debug"), refused, 60.0)
    own = int(bytes(call.watch(Raw(b"1"))))
    backchannel.end(call)
    backchannel.take("a", progress(own), refused)
    backchannel.take("a", message("error"), refused)
    assert (heard, len(backchannel), backchannel.unclaimed) == ([], 0, 2)


async def test_another_upstream_cannot_speak_for_it() -> None:
    backchannel, heard = Backchannel(), list[bytes]()
    call = backchannel.begin("a", ctx(heard, "debug"), refused, 60.0)
    own = int(bytes(call.watch(Raw(b"1"))))
    backchannel.take("b", progress(own), refused)
    backchannel.take("b", message("error"), refused)
    assert heard == []


@given(
    st.none()
    | st.booleans()
    | st.integers()
    | st.text()
    | st.lists(st.integers())
    | st.floats(allow_nan=False)
)
async def test_made_up_tokens_are_nobody_s(token: object) -> None:
    backchannel, heard = Backchannel(), list[bytes]()
    call = backchannel.begin("a", ctx(heard, ""), refused, 60.0)
    own = int(bytes(call.watch(Raw(b"1"))))
    if token != own or isinstance(token, bool | float):
        backchannel.take("a", progress(token), refused)
        backchannel.take(
            "a", Envelope("2.0", method="notifications/progress", params=Raw(encode(token))), refused
        )
    assert heard == []


@pytest.mark.parametrize(
    ("asked", "severity", "is_heard"),
    [
        ("info", "info", True),
        ("info", "debug", False),
        ("error", "emergency", True),
        ("debug", "loud", True),
        ("", "error", False),
    ],
)
async def test_a_log_message_is_heard_from_the_level_that_was_asked_for(
    asked: str, severity: str, is_heard: bool
) -> None:
    backchannel, heard = Backchannel(), list[bytes]()
    backchannel.begin("a", ctx(heard, asked), refused, 60.0)
    backchannel.take("a", message(severity, vendor=1), refused)
    assert bool(heard) is is_heard
    if heard:
        assert json.loads(heard[0])["params"] == {"level": severity, "data": "x", "vendor": 1}


async def test_where_nothing_says_whose_a_log_message_is_it_goes_to_no_session(
    caplog: pytest.LogCaptureFixture,
) -> None:
    backchannel, one, other = Backchannel(), list[bytes](), list[bytes]()
    first = backchannel.begin("a", ctx(one, "debug"), refused, 60.0)
    backchannel.begin("a", ctx(other, "debug"), refused, 60.0)
    with caplog.at_level("INFO", "onemcp.upstream.message"):
        backchannel.take("a", message("error"), refused)
    assert (one, other) == ([], [])
    assert '"data":"x"' in caplog.text
    first.hear(message("error"))
    assert (len(one), other) == (1, [])


def telling(steps: int) -> Any:
    """A tool that tells its progress under the token that it was given, if it was given one."""

    def call(request: Request) -> object:
        meta = json.loads(request.params).get("_meta", {})
        if "progressToken" in meta:
            for _ in range(steps):
                upstreams[0].last("a").inbound(progress(meta["progressToken"]))
        return {"content": [], "meta": meta}

    upstreams: list[Upstreams] = []
    call.upstreams = upstreams  # type: ignore[attr-defined] # filled by the test that runs it
    return call


async def test_a_call_hears_its_own_progress_before_its_answer(running: Running) -> None:
    call = telling(3)
    upstreams = Upstreams(a=handshake("t", **{"tools/call": call}))
    call.upstreams.append(upstreams)
    heard: list[bytes] = []
    params = {"name": "a_1mcp_t", "_meta": {"progressToken": "p", "vendor/x": 1}}
    async with running(upstreams) as runtime:
        reply = await Dispatcher(runtime).dispatch(
            ctx(heard), Envelope("2.0", method="tools/call", params=Raw(encode(params)))
        )
        assert len(runtime.backchannel) == 0
    meta = json.loads(bytes(reply.result))["meta"]
    assert meta["vendor/x"] == 1
    assert meta["progressToken"] != "p"
    assert [json.loads(message)["params"]["progressToken"] for message in heard] == ["p"] * 3


async def test_a_token_in_another_spelling_is_not_taken_for_another_client_s(running: Running) -> None:
    call = telling(1)
    upstreams = Upstreams(a=handshake("t", **{"tools/call": call}))
    call.upstreams.append(upstreams)
    heard: list[bytes] = []
    others: list[bytes] = []
    async with running(upstreams) as runtime:
        supervisor = runtime.pool.get("a")
        assert supervisor is not None
        other = runtime.backchannel.begin(supervisor, ctx(others, session=session()), refused, 60.0)
        other.watch(Raw(b'"p"'))
        params = Raw(b'{"name":"a_1mcp_t","_meta":{"progress\\u0054oken":%d}}' % other.own)
        await Dispatcher(runtime).dispatch(ctx(heard), Envelope("2.0", method="tools/call", params=params))
        assert json.loads(heard[0])["params"]["progressToken"] == other.own
        runtime.backchannel.end(other)
    assert others == []


async def test_a_client_that_takes_no_messages_has_no_token_upstream(running: Running) -> None:
    call = telling(1)
    upstreams = Upstreams(a=handshake("t", **{"tools/call": call}))
    call.upstreams.append(upstreams)
    deaf = CallContext(Era.HANDSHAKE, "2025-11-25", View())
    params = {"name": "a_1mcp_t", "_meta": {"progressToken": 1, "vendor/x": 1}}
    async with running(upstreams) as runtime:
        reply = await Dispatcher(runtime).dispatch(
            deaf, Envelope("2.0", method="tools/call", params=Raw(encode(params)))
        )
    assert json.loads(bytes(reply.result))["meta"] == {"vendor/x": 1}


def request(method: str = "sampling/createMessage", request_id: object = 7) -> Envelope:
    return Envelope("2.0", Raw(encode(request_id)), method, Raw(b'{"vendor":[1]}'))


def answer(key: object, result: object) -> Envelope:
    return Envelope("2.0", Raw(encode(key)), result=Raw(encode(result)))


async def test_a_question_goes_to_the_client_of_the_call_and_its_answer_back() -> None:
    backchannel, heard, answered = Backchannel(), list[bytes](), list[bytes]()
    client = session()
    backchannel.begin("a", ctx(heard, session=client), answered.append, 60.0)
    backchannel.take("a", request(), answered.append)
    asked = json.loads(heard[0])
    assert (asked["method"], asked["params"]) == ("sampling/createMessage", {"vendor": [1]})
    client.asks.answer(answer(asked["id"], result={"role": "assistant"}))
    assert answered == [b'{"jsonrpc":"2.0","id":7,"result":{"role":"assistant"}}']
    client.asks.answer(answer(asked["id"], result={}))
    assert len(answered) == 1, "a question is answered once"


async def test_another_session_cannot_answer_it() -> None:
    backchannel, heard, answered = Backchannel(), list[bytes](), list[bytes]()
    backchannel.begin("a", ctx(heard, session=session()), answered.append, 60.0)
    backchannel.take("a", request(), answered.append)
    session().asks.answer(answer(json.loads(heard[0])["id"], result={}))
    assert answered == []


async def test_a_client_that_lacks_the_capability_is_never_asked() -> None:
    backchannel, heard, answered = Backchannel(), list[bytes](), list[bytes]()
    call = backchannel.begin("a", ctx(heard, session=session(b'{"roots":{}}')), answered.append, 60.0)
    backchannel.take("a", request(), answered.append)
    call.hear(request("elicitation/create", "x"))
    assert heard == []
    assert [json.loads(message)["error"]["code"] for message in answered] == [-32601, -32601]
    assert "does not support sampling" in answered[0].decode()


async def test_with_several_calls_in_flight_nobody_is_asked_what_nobody_can_place() -> None:
    backchannel, one, other, answered = Backchannel(), list[bytes](), list[bytes](), list[bytes]()
    first = backchannel.begin("a", ctx(one, session=session()), answered.append, 60.0)
    backchannel.begin("a", ctx(other, session=session()), answered.append, 60.0)
    backchannel.take("a", request(), answered.append)
    assert (one, other) == ([], [])
    assert "calls of several clients under way" in answered[0].decode()
    assert "isolation" in answered[0].decode()
    first.hear(request())
    assert (len(one), other) == (1, []), "where the transport says whose it is, it is that one's"


async def test_whoever_cannot_be_asked_may_be_the_cause_as_well() -> None:
    backchannel, heard, answered = Backchannel(), list[bytes](), list[bytes]()
    backchannel.begin("a", ctx(heard, session=session()), answered.append, 60.0)
    deaf = ctx(heard, session=session(b"{}"))
    deaf.emit = None
    backchannel.begin("a", deaf, answered.append, 60.0)
    backchannel.take("a", request(), answered.append)
    backchannel.take("a", message("error"), answered.append)
    assert heard == []
    assert "calls of several clients under way" in answered[0].decode()


async def test_several_calls_of_one_session_are_that_session_s_all_the_same() -> None:
    backchannel, heard, answered = Backchannel(), list[bytes](), list[bytes]()
    client = session()
    calls = [backchannel.begin("a", ctx(heard, session=client), answered.append, 60.0) for _ in range(3)]
    backchannel.take("a", request(), answered.append)
    backchannel.take("a", request(request_id=8), answered.append)
    first, second = (json.loads(message)["id"] for message in heard)
    backchannel.end(calls[0])
    backchannel.end(calls[1])
    assert answered == [], "any of them may have asked"
    client.asks.answer(answer(first, {"role": "assistant"}))
    assert answered == [b'{"jsonrpc":"2.0","id":7,"result":{"role":"assistant"}}']
    backchannel.end(calls[2])
    client.asks.answer(answer(second, {}))
    assert json.loads(answered[1])["id"] == 8
    assert "is over" in answered[1].decode()


@pytest.mark.parametrize(
    ("declared", "method", "params", "is_asked"),
    [
        (b'{"elicitation":{}}', "elicitation/create", {"mode": "form"}, True),
        (b'{"elicitation":{}}', "elicitation/create", {"mode": "url"}, False),
        (b'{"elicitation":{"url":{}}}', "elicitation/create", {"mode": "url"}, True),
        (b'{"sampling":{}}', "sampling/createMessage", {"tools": []}, False),
        (b'{"sampling":{"tools":{}}}', "sampling/createMessage", {"tools": []}, True),
    ],
)
async def test_a_mode_has_to_be_declared(
    declared: bytes, method: str, params: object, is_asked: bool
) -> None:
    backchannel, heard, answered = Backchannel(), list[bytes](), list[bytes]()
    backchannel.begin("a", ctx(heard, session=session(declared)), answered.append, 60.0)
    backchannel.take("a", Envelope("2.0", Raw(b"1"), method, Raw(encode(params))), answered.append)
    assert (bool(heard), bool(answered)) == (is_asked, not is_asked)


def elicited(elicitation: object) -> Envelope:
    params = Raw(encode({"elicitationId": elicitation}))
    return Envelope("2.0", method="notifications/elicitation/complete", params=params)


async def test_a_visit_that_is_done_is_told_in_its_call_while_there_is_one() -> None:
    backchannel, heard = Backchannel(), list[bytes]()
    client = session(b'{"elicitation":{"url":{}}}')
    client.listener = Stream(View())
    call = backchannel.begin("a", ctx(heard, session=client), lambda _: None, 60.0)
    for elicitation in ("e1", "e2"):
        question = {"mode": "url", "elicitationId": elicitation}
        call.hear(Envelope("2.0", Raw(b"1"), "elicitation/create", Raw(encode(question))))
    backchannel.take("b", elicited("e1"), lambda _: None)
    assert len(heard) == 2, "another upstream cannot say so"
    call.hear(elicited("e1"))
    assert json.loads(heard[2])["params"] == {"elicitationId": "e1"}
    backchannel.end(call)
    backchannel.take("a", elicited("e2"), lambda _: None)
    backchannel.take("a", elicited("e2"), lambda _: None)
    assert len(heard) == 3
    client.listener.end()
    assert b'"e2"' in (await client.listener.next() or b"")
    assert await client.listener.next() is None


async def test_visits_that_are_never_done_are_forgotten() -> None:
    backchannel, client = Backchannel(), session()
    client.listener = Stream(View())
    for number in range(MAX_ELICITATIONS + 1):
        backchannel.expect("a", Raw(encode({"elicitationId": number})), client)
    backchannel.take("a", elicited(0), lambda _: None)
    backchannel.take("a", elicited(1), lambda _: None)
    client.listener.end()
    assert b'"elicitationId":1' in (await client.listener.next() or b"")
    assert await client.listener.next() is None


async def test_the_end_of_the_call_ends_its_questions() -> None:
    backchannel, heard, answered = Backchannel(), list[bytes](), list[bytes]()
    client = session()
    call = backchannel.begin("a", ctx(heard, session=client), answered.append, 60.0)
    backchannel.take("a", request(), answered.append)
    backchannel.end(call)
    assert json.loads(answered[0])["error"]["message"] == "The call that this was asked for is over"
    client.asks.answer(answer(json.loads(heard[0])["id"], result={}))
    assert len(answered) == 1


async def test_an_upstream_may_take_its_question_back() -> None:
    backchannel, heard, answered = Backchannel(), list[bytes](), list[bytes]()
    backchannel.begin("a", ctx(heard, session=session()), answered.append, 60.0)
    backchannel.take("a", request(request_id=7), answered.append)
    params = Raw(encode({"requestId": 7}))
    backchannel.take("a", Envelope("2.0", method="notifications/cancelled", params=params), answered.append)
    told = json.loads(heard[1])
    assert (told["method"], told["params"]["requestId"]) == (
        "notifications/cancelled",
        json.loads(heard[0])["id"],
    )


async def test_a_question_that_is_none_is_refused() -> None:
    backchannel, answered = Backchannel(), list[bytes]()
    backchannel.take("a", request("tools/list"), answered.append)
    backchannel.take("a", request(), answered.append)
    assert "tools/list is not offered" in answered[0].decode()
    assert "no call is being answered" in answered[1].decode()


async def test_the_questions_of_one_client_are_bounded() -> None:
    backchannel, heard, answered = Backchannel(), list[bytes](), list[bytes]()
    backchannel.begin("a", ctx(heard, session=session()), answered.append, 60.0)
    for number in range(MAX_ASKS + 1):
        backchannel.take("a", request(request_id=number), answered.append)
    assert (len(heard), len(answered)) == (MAX_ASKS, 1)


async def test_a_call_whose_time_is_over_is_ended_and_says_so(running: Running) -> None:
    async def hang(_: object) -> object:
        return await asyncio.Event().wait()

    upstreams = Upstreams(a=handshake("t", **{"tools/call": hang}))
    async with running(upstreams, specs=[spec("a", request_timeout=0.01)]) as runtime:
        with pytest.raises(RpcError, match=r"a: did not answer within 0\.01 s") as caught:
            await Dispatcher(runtime).dispatch(
                ctx([]), Envelope("2.0", method="tools/call", params=Raw(encode({"name": "a_1mcp_t"})))
            )
        assert caught.value.code == -32001
        await until(lambda: len(runtime.backchannel) == 0)


async def test_several_calls_of_one_session_share_its_log_messages() -> None:
    backchannel, heard = Backchannel(), list[bytes]()
    client = session()
    for _ in range(2):
        backchannel.begin("a", ctx(heard, "info", client), refused, 60.0)
    backchannel.take("a", message("error"), refused)
    assert len(heard) == 1


async def test_progress_and_open_questions_move_the_deadline() -> None:
    backchannel, heard = Backchannel(), list[bytes]()
    client = session()
    call = backchannel.begin("a", ctx(heard, session=client), lambda _: None, 60.0)
    first = call.deadline
    call.prolong(first - 1)
    assert call.deadline == pytest.approx(first + 59)
    backchannel.take("a", request(), lambda _: None)
    call.check_deadline(call.deadline + 1)
    assert not call.is_overdue, "its client is being asked"
    client.asks.answer(answer(json.loads(heard[0])["id"], {}))
    assert call.deadline == pytest.approx(first + 59 + 1 + 60)
    for _ in range(100):
        call.prolong(call.deadline)
    assert call.deadline == pytest.approx(first - 60 + LONGEST)
    backchannel.end(call)
    backchannel.close()
