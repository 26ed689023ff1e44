"""The stateless era over real HTTP."""

import asyncio
import json
from typing import Any

import httpx2
import pytest
from msgspec import Raw
from tests.support.channels import Failure, Upstreams, handshake, stateless
from tests.web.conftest import ACCEPT, META, Serve, rpc

from onemcp.wire.envelope import Envelope, encode

pytestmark = pytest.mark.anyio


async def test_a_request_stands_alone(edge: Serve) -> None:
    async with edge(Upstreams(a=handshake("echo"), b=stateless("echo"))) as it:
        for name in ("a_1mcp_echo", "b_1mcp_echo"):
            answer = await it.stateless("tools/call", name=name, arguments={"x": 1})
            assert answer.status_code == 200
            assert "mcp-session-id" not in answer.headers
            assert answer.json()["result"]["echo"]["arguments"] == {"x": 1}


async def test_discover_says_what_is_here(edge: Serve) -> None:
    async with edge(Upstreams(a=handshake("echo"))) as it:
        result = (await it.stateless("server/discover")).json()["result"]
    assert result["supportedVersions"] == ["2026-07-28"]


async def test_a_list_may_be_kept_for_as_long_as_it_says(edge: Serve) -> None:
    async with edge(Upstreams(a=handshake("echo"))) as it:
        result = (await it.stateless("tools/list")).json()["result"]
    assert {"resultType", "ttlMs", "cacheScope", "tools", "_meta"} <= result.keys()


@pytest.mark.parametrize("method", ["initialize", "ping", "logging/setLevel", "nonsense"])
async def test_a_method_that_is_not_there_is_404(edge: Serve, method: str) -> None:
    async with edge(Upstreams(a=handshake())) as it:
        answer = await it.stateless(method)
    assert (answer.status_code, answer.json()["error"]["code"], answer.json()["id"]) == (404, -32601, 1)


async def test_an_unknown_tool_is_a_bad_request(edge: Serve) -> None:
    async with edge(Upstreams(a=handshake())) as it:
        answer = await it.stateless("tools/call", name="nobody")
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, -32602)


async def test_the_ladder_is_climbed_before_anything_is_done(edge: Serve) -> None:
    upstreams = Upstreams(a=handshake("echo"))
    call = rpc("tools/call", name="a_1mcp_echo", arguments={}, _meta=META)
    good = {"mcp_protocol_version": "2026-07-28", "mcp_method": "tools/call", "mcp_name": "a_1mcp_echo"}
    async with edge(upstreams) as it:
        asked = len(upstreams.last("a").asked)
        wrong = [
            await it.post(rpc("tools/call", name="a_1mcp_echo"), **good),
            await it.post(call, **{**good, "mcp_method": "tools/list"}),
            await it.post(call, **{**good, "mcp_name": "b_1mcp_echo"}),
            await it.post(call, mcp_protocol_version="2026-07-28", mcp_method="tools/call"),
            await it.post(call, **{**good, "mcp_protocol_version": "2099-01-01"}),
            await it.post([call], **good),
        ]
        assert len(upstreams.last("a").asked) == asked
    assert [answer.status_code for answer in wrong] == [400] * 6
    assert [answer.json()["error"]["code"] for answer in wrong] == [
        -32602,
        -32020,
        -32020,
        -32020,
        -32020,
        -32600,
    ]


async def test_an_unspoken_revision_is_told_which_are_spoken(edge: Serve) -> None:
    meta = {**META, "io.modelcontextprotocol/protocolVersion": "2099-01-01"}
    async with edge(Upstreams(a=handshake())) as it:
        answer = await it.post(
            rpc("tools/list", _meta=meta), mcp_protocol_version="2099-01-01", mcp_method="tools/list"
        )
    assert answer.status_code == 400
    assert answer.json()["error"] == {
        "code": -32022,
        "message": "Unsupported protocol version: 2099-01-01",
        "data": {
            "supported": ["2026-07-28"],
            "requested": "2099-01-01",
            "requestId": answer.headers["x-request-id"],
        },
    }


async def test_a_request_that_forgot_its_version_header_is_told_so(edge: Serve) -> None:
    async with edge(Upstreams(a=handshake())) as it:
        answer = await it.post(rpc("tools/list", _meta=META))
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, -32020)


async def test_there_is_no_stream_to_get_and_no_session_to_end(edge: Serve) -> None:
    async with edge(Upstreams(a=handshake())) as it:
        headers = {**ACCEPT, "mcp-protocol-version": "2026-07-28"}
        assert (await it.client.get("/mcp", headers=headers)).status_code == 405
        assert (await it.client.delete("/mcp", headers=headers)).status_code == 405


async def test_a_subscription_is_acknowledged_and_hears_what_it_asked_for(edge: Serve) -> None:
    upstreams = Upstreams(a=handshake("x"))
    wanted = {"toolsListChanged": True, "promptsListChanged": False, "unknown": True}
    body = {**rpc("subscriptions/listen", notifications=wanted, _meta=META), "id": "L1"}
    headers = {**ACCEPT, "mcp-protocol-version": "2026-07-28", "mcp-method": "subscriptions/listen"}
    messages = []
    async with (
        edge(upstreams) as it,
        asyncio.timeout(10),
        it.client.stream("POST", "/mcp", json=body, headers=headers) as stream,
    ):
        async for line in stream.aiter_lines():
            if not line.startswith("data: "):
                continue
            messages.append(json.loads(line[6:]))
            if len(messages) == 1:
                upstreams.last("a").script = handshake("x", "y")
                upstreams.last("a").announce("tools")
            elif len(messages) == 2:
                it.runtime.notifier.close()
    acknowledged, changed, result = messages
    assert acknowledged["method"] == "notifications/subscriptions/acknowledged"
    assert acknowledged["params"]["notifications"] == {"toolsListChanged": True}
    assert changed["method"] == "notifications/tools/list_changed"
    for message in (acknowledged, changed):
        assert message["params"]["_meta"]["io.modelcontextprotocol/subscriptionId"] == "L1"
    assert result["id"] == "L1"
    assert result["result"]["resultType"] == "complete"


async def test_a_client_that_closes_its_request_has_cancelled_it(edge: Serve) -> None:
    began, ended = asyncio.Event(), asyncio.Event()

    async def hang(_: object) -> object:
        began.set()
        try:
            return await asyncio.Event().wait()
        finally:
            ended.set()

    async with edge(Upstreams(a=handshake("t", **{"tools/call": hang}))) as it:
        call = asyncio.ensure_future(it.stateless("tools/call", name="a_1mcp_t"))
        await began.wait()
        call.cancel()
        async with asyncio.timeout(5):
            await ended.wait()


async def test_log_messages_come_to_those_who_asked_with_the_request(edge: Serve) -> None:
    def call(_: object) -> object:
        params = Raw(encode({"level": "warning", "data": "careful"}))
        upstreams.last("a").inbound(Envelope("2.0", method="notifications/message", params=params))
        return {"content": []}

    upstreams = Upstreams(a=handshake("t", **{"tools/call": call}))
    async with edge(upstreams) as it:

        async def ask(**level: str) -> httpx2.Response:
            meta = {**META, **{f"io.modelcontextprotocol/{name}": value for name, value in level.items()}}
            headers = {
                "mcp_protocol_version": "2026-07-28",
                "mcp_method": "tools/call",
                "mcp_name": "a_1mcp_t",
            }
            return await it.post(rpc("tools/call", name="a_1mcp_t", arguments={}, _meta=meta), **headers)

        told = await ask(logLevel="info")
        assert '"data":"careful"' in told.text
        assert "careful" not in (await ask(logLevel="error")).text
        assert "careful" not in (await ask()).text
        assert (await ask(logLevel="loud")).json()["error"]["code"] == -32602


@pytest.mark.parametrize("error", [5, {"code": "x"}, {"code": 10**70}])
async def test_an_error_of_an_upstream_that_is_none_is_still_an_answer(edge: Serve, error: object) -> None:
    class Liar(Failure):
        body: Any = error

        def __init__(self) -> None:
            Exception.__init__(self)

    async with edge(Upstreams(a=handshake("echo", **{"tools/call": Liar()}))) as it:
        answer = await it.stateless("tools/call", name="a_1mcp_echo", arguments={})
        assert answer.status_code == 200
        assert b'"id":1,' in answer.content


async def test_a_subscription_leads_nowhere_on_an_endpoint_that_is_none(edge: Serve) -> None:
    async with edge(Upstreams(a=handshake("t"))) as it:
        answer = await it.stateless("subscriptions/listen", path="/servers/nope/mcp", notifications={})
        assert answer.status_code == 404
        assert answer.json()["error"]["code"] == -32601


async def test_a_subscription_needs_a_client_that_takes_streams(edge: Serve) -> None:
    async with edge(Upstreams(a=handshake("t"))) as it:
        body = rpc("subscriptions/listen", notifications={}, _meta=META)
        answer = await it.post(
            body,
            accept="application/json",
            mcp_protocol_version="2026-07-28",
            mcp_method="subscriptions/listen",
        )
        assert answer.status_code == 406
