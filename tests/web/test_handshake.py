"""The handshake era over real HTTP."""

import asyncio
import json

import pytest
from msgspec import Raw
from tests.support.channels import Upstreams, handshake, spec
from tests.web.conftest import ACCEPT, Serve, rpc

from onemcp.seal.keyring import Keyring
from onemcp.store.memory import MemoryStore
from onemcp.upstream.channel import Request
from onemcp.wire.envelope import Envelope, encode
from onemcp.wire.revisions import HANDSHAKE_REVISIONS

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize("revision", HANDSHAKE_REVISIONS)
async def test_every_released_revision_is_agreed_to(edge: Serve, revision: str) -> None:
    async with edge(Upstreams(a=handshake("echo"))) as it:
        session, result = await it.initialize(revision)
        assert result["protocolVersion"] == revision
        answer = await it.ask(session, "tools/call", name="a_1mcp_echo", arguments={"x": 1})
    assert answer["result"]["echo"] == {"name": "echo", "arguments": {"x": 1}}


async def test_an_unknown_revision_is_answered_with_ours(edge: Serve) -> None:
    async with edge(Upstreams(a=handshake())) as it:
        _, result = await it.initialize("1999-01-01")
    assert result["protocolVersion"] == HANDSHAKE_REVISIONS[0]


async def test_ids_come_back_with_their_type(edge: Serve) -> None:
    async with edge(Upstreams(a=handshake())) as it:
        session, _ = await it.initialize()
        for request_id in (1, "1", 0, -7, "x" * 100, 2**53):
            body = {"jsonrpc": "2.0", "id": request_id, "method": "ping"}
            assert (await it.post(body, mcp_session_id=session)).json()["id"] == request_id


async def test_without_a_session_nothing_is_served(edge: Serve) -> None:
    async with edge(Upstreams(a=handshake())) as it:
        missing = await it.post(rpc("tools/list"))
        unknown = await it.post(rpc("tools/list"), mcp_session_id="nope")
    assert (missing.status_code, unknown.status_code) == (400, 404)
    assert "initialize" in missing.json()["error"]["message"]


async def test_a_session_outlives_a_restart_of_the_gateway(edge: Serve) -> None:
    ring = Keyring.ephemeral()
    async with edge(Upstreams(a=handshake("echo")), keyring=ring) as it:
        session, _ = await it.initialize()
    async with edge(Upstreams(a=handshake("echo")), keyring=ring) as it:
        assert len((await it.ask(session, "tools/list"))["result"]["tools"]) == 1


async def test_what_a_session_asked_for_is_kept_before_it_is_answered(edge: Serve) -> None:
    ring, store = Keyring.ephemeral(), MemoryStore()
    async with edge(Upstreams(a=handshake("echo")), keyring=ring, store=store) as it:
        session, _ = await it.initialize()
        known = it.sessions.find(session, "", 0.0)
        assert known is not None
        known.dirty = True  # as a subscription does
        assert (await it.ask(session, "logging/setLevel", level="error"))["result"] == {}
        assert not known.dirty
    async with edge(Upstreams(a=handshake("echo")), keyring=ring, store=store) as it:
        await it.ask(session, "ping")
        known = it.sessions.find(session, "", 0.0)
        assert known is not None
        assert known.log_level == "error"


async def test_a_deleted_session_is_refused_by_a_later_process(edge: Serve) -> None:
    ring, store = Keyring.ephemeral(), MemoryStore()
    async with edge(Upstreams(a=handshake()), keyring=ring, store=store) as it:
        session, _ = await it.initialize()
        assert (await it.client.delete("/mcp", headers={"mcp-session-id": session})).status_code == 204
    async with edge(Upstreams(a=handshake()), keyring=ring, store=store) as it:
        assert (await it.post(rpc("ping"), mcp_session_id=session)).status_code == 404


async def test_an_ended_session_is_over(edge: Serve) -> None:
    async with edge(Upstreams(a=handshake())) as it:
        session, _ = await it.initialize()
        named = {"mcp-session-id": session}
        assert (await it.client.delete("/mcp", headers=named)).status_code == 204
        assert (await it.client.delete("/mcp", headers=named)).status_code == 404
        assert (await it.post(rpc("ping"), mcp_session_id=session)).status_code == 404


async def test_notifications_and_answers_are_accepted_without_a_body(edge: Serve) -> None:
    async with edge(Upstreams(a=handshake())) as it:
        session, _ = await it.initialize()
        note = await it.post(
            {"jsonrpc": "2.0", "method": "notifications/initialized"}, mcp_session_id=session
        )
        answer = await it.post({"jsonrpc": "2.0", "id": 9, "result": {}}, mcp_session_id=session)
    assert (note.status_code, answer.status_code) == (202, 202)
    assert note.content == b""


async def test_a_batch_is_answered_in_sessions_that_know_batches(edge: Serve) -> None:
    async with edge(Upstreams(a=handshake("echo"))) as it:
        session, _ = await it.initialize("2025-03-26")
        batch = [
            {"jsonrpc": "2.0", "id": 1, "method": "ping"},
            {"jsonrpc": "2.0", "method": "notifications/initialized"},
            {"jsonrpc": "2.0", "id": 2, "method": "tools/call", "params": {"name": "nobody"}},
            {"jsonrpc": "2.0", "id": 3, "method": "initialize", "params": {}},
            {"nonsense": True},
        ]
        answers = (await it.post(batch, mcp_session_id=session)).json()
        assert [answer["id"] for answer in answers] == [1, 2, 3, None]
        assert [answer["error"]["code"] for answer in answers[1:]] == [-32602, -32600, -32600]
        assert (await it.post([rpc("ping")] * 101, mcp_session_id=session)).status_code == 400
        assert (await it.post([], mcp_session_id=session)).status_code == 400
        newer, _ = await it.initialize("2025-06-18")
        refused = await it.post(batch, mcp_session_id=newer)
    assert (refused.status_code, refused.json()["error"]["code"]) == (400, -32600)


async def test_what_is_not_a_message_is_refused_and_the_next_one_works(edge: Serve) -> None:
    async with edge(Upstreams(a=handshake())) as it:
        session, _ = await it.initialize()
        for body, code in (
            (b"{", -32700),
            (b'{"jsonrpc":"2.0","id":1,"method":"x","params":"\xff"}', -32700),
            (b"7", -32600),
        ):
            answer = await it.post(body, mcp_session_id=session)
            assert (answer.status_code, answer.json()["error"]["code"]) == (400, code)
        assert (await it.ask(session, "ping"))["result"] == {}


async def test_headers_are_judged_before_the_body(edge: Serve) -> None:
    async with edge(Upstreams(a=handshake())) as it:
        assert (await it.post(rpc("ping"), accept="text/html")).status_code == 406
        assert (await it.post(rpc("ping"), content_type="text/plain")).status_code == 415
        assert (await it.client.put("/mcp")).status_code == 405
        assert (await it.client.get("/nowhere")).status_code == 404


async def test_a_message_over_the_limit_is_refused_in_bounded_memory(edge: Serve) -> None:
    async with edge(Upstreams(a=handshake()), max_bytes=10_000) as it:
        answer = await it.post(rpc("ping", x="y" * 20_000))
    assert answer.status_code == 413


async def test_a_client_that_takes_only_event_streams_gets_one(edge: Serve) -> None:
    async with edge(Upstreams(a=handshake())) as it:
        session, _ = await it.initialize()
        answer = await it.post(rpc("ping"), mcp_session_id=session, accept="text/event-stream")
    assert answer.headers["content-type"] == "text/event-stream"
    assert '"result":{}' in answer.text


async def test_the_stream_of_a_session_tells_of_changes(edge: Serve) -> None:
    upstreams = Upstreams(a=handshake("x"))
    async with edge(upstreams) as it:
        session, _ = await it.initialize()
        headers = {**ACCEPT, "mcp-session-id": session}
        async with it.client.stream("GET", "/mcp", headers=headers) as stream:
            assert stream.headers["x-accel-buffering"] == "no"
            upstreams.last("a").script = handshake("x", "y")
            upstreams.last("a").announce("tools")
            async for line in stream.aiter_lines():
                if line.startswith("data: {"):
                    assert json.loads(line[6:])["method"] == "notifications/tools/list_changed"
                    break


async def test_a_second_stream_takes_the_place_of_the_first(edge: Serve) -> None:
    async with edge(Upstreams(a=handshake())) as it:
        session, _ = await it.initialize()
        headers = {**ACCEPT, "mcp-session-id": session}
        async with (
            it.client.stream("GET", "/mcp", headers=headers) as first,
            it.client.stream("GET", "/mcp", headers=headers),
        ):
            async with asyncio.timeout(5):
                async for _ in first.aiter_bytes():
                    pass


async def test_a_stream_needs_a_session(edge: Serve) -> None:
    async with edge(Upstreams(a=handshake())) as it:
        assert (await it.client.get("/mcp", headers=ACCEPT)).status_code == 400
        assert (await it.client.get("/mcp", headers={**ACCEPT, "mcp-session-id": "x"})).status_code == 404
        assert (await it.client.get("/mcp", headers={"accept": "application/json"})).status_code == 406


async def test_one_server_alone_has_an_endpoint_and_its_own_sessions(edge: Serve) -> None:
    async with edge(Upstreams(a=handshake("echo"), b=handshake("echo"))) as it:
        session, result = await it.initialize(path="/servers/b/mcp")
        assert result["serverInfo"]["name"] == "scripted"
        call = rpc("tools/call", name="echo", arguments={})
        assert "result" in (await it.post(call, "/servers/b/mcp", mcp_session_id=session)).json()
        assert (await it.post(call, "/mcp", mcp_session_id=session)).status_code == 404
        missing = await it.post(rpc("initialize", protocolVersion="2025-11-25"), "/servers/nobody/mcp")
    assert missing.status_code == 404
    assert "nobody" in missing.json()["error"]["message"]


@pytest.mark.parametrize(
    ("query", "seen"),
    [
        ("tags=web", ["a"]),
        ("tags=web,db", ["a", "b"]),
        ("filter=db", ["b"]),
        ("tag-filter=web+db", []),
        ("tag-filter=%28web%20or%20db%29%20and%20not%20web", ["b"]),
        ("tag-filter=!web", ["b", "c"]),
        ("", ["a", "b", "c"]),
    ],
)
async def test_a_query_narrows_what_is_seen(edge: Serve, query: str, seen: list[str]) -> None:
    specs = [spec("a", tags=frozenset({"web"})), spec("b", tags=frozenset({"db"})), spec("c")]
    async with edge(Upstreams(a=handshake("x"), b=handshake("x"), c=handshake("x")), specs=specs) as it:
        session, _ = await it.initialize()
        answer = await it.post(rpc("tools/list"), f"/mcp?{query}", mcp_session_id=session)
    assert [tool["name"].partition("_")[0] for tool in answer.json()["result"]["tools"]] == seen


@pytest.mark.parametrize("query", ["tags=a&filter=b", "tag-filter=(a", "tags=a,,b", "filter="])
async def test_a_bad_or_second_filter_is_refused_with_the_place(edge: Serve, query: str) -> None:
    async with edge(Upstreams(a=handshake())) as it:
        answer = await it.post(rpc("initialize", protocolVersion="2025-11-25"), f"/mcp?{query}")
    assert answer.status_code == 400
    assert answer.json()["error"]["message"]


async def test_pages_are_served_to_those_who_ask_for_them(edge: Serve) -> None:
    async with edge(Upstreams(a=handshake("1", "2", "3")), page_size=2) as it:
        session, _ = await it.initialize()
        path = "/mcp?pagination=true"
        first = (await it.post(rpc("tools/list"), path, mcp_session_id=session)).json()["result"]
        cursor = first["nextCursor"]
        second = (await it.post(rpc("tools/list", cursor=cursor), path, mcp_session_id=session)).json()[
            "result"
        ]
        whole = (await it.ask(session, "tools/list"))["result"]
    assert [len(page["tools"]) for page in (first, second, whole)] == [2, 1, 3]


async def test_pages_from_elsewhere_are_refused(edge: Serve) -> None:
    async with edge(Upstreams(a=handshake())) as it:
        foreign = await it.client.post("/mcp", headers={"host": "evil.example"}, content=b"{}")
        page = await it.client.post("/mcp", headers={"origin": "https://evil.example"}, content=b"{}")
        live = await it.client.get("/health/live", headers={"host": "10.1.2.3:3050"})
        ours = await it.post(rpc("initialize", protocolVersion="2025-11-25"), origin="https://app.example")
        asked = await it.client.options("/mcp", headers={"origin": "https://app.example"})
    assert (foreign.status_code, page.status_code, live.status_code) == (403, 403, 200)
    assert "--allowed-hosts" in foreign.json()["error"]["message"]
    assert ours.headers["access-control-allow-origin"] == "https://app.example"
    assert "mcp-session-id" in asked.headers["access-control-expose-headers"]


async def test_one_hung_upstream_harms_neither_lists_nor_calls_nor_liveness(edge: Serve) -> None:
    async def never(_: object) -> object:
        return await asyncio.Event().wait()

    upstreams = Upstreams(
        a=handshake("echo"),
        b=handshake(initialize=never),
        c=handshake("hang", **{"tools/call": never}),
    )
    async with edge(upstreams, settle=False) as it:
        session, _ = await it.initialize()
        hanging = asyncio.ensure_future(it.ask(session, "tools/call", name="c_1mcp_hang"))
        for _ in range(20):
            assert (await it.ask(session, "tools/call", name="a_1mcp_echo"))["result"]["echo"]
        assert len((await it.ask(session, "tools/list"))["result"]["tools"]) == 2
        assert (await it.client.get("/health/live")).status_code == 200
        assert not hanging.done()
        hanging.cancel()


async def test_progress_comes_on_the_stream_of_its_request(edge: Serve) -> None:
    def call(request: Request) -> object:
        token = json.loads(request.params)["_meta"].get("progressToken")
        if token is not None:
            params = Raw(encode({"progressToken": token, "progress": 0.5}))
            upstreams.last("a").inbound(Envelope("2.0", method="notifications/progress", params=params))
        return {"content": []}

    upstreams = Upstreams(a=handshake("t", **{"tools/call": call}))
    async with edge(upstreams) as it:
        session, _ = await it.initialize()
        body = rpc("tools/call", name="a_1mcp_t", arguments={}, _meta={"progressToken": "p"})
        answer = await it.post(body, mcp_session_id=session)
        plain = await it.post(body, mcp_session_id=session, accept="application/json")
    assert answer.headers["content-type"] == "text/event-stream"
    told, result = (json.loads(line[6:]) for line in answer.text.splitlines() if line.startswith("data: {"))
    assert told["params"] == {"progressToken": "p", "progress": 0.5}
    assert result["result"] == {"content": []}
    assert plain.status_code == 200


async def test_a_cancelled_request_is_cancelled_upstream_and_has_no_answer(edge: Serve) -> None:
    began, ended = asyncio.Event(), asyncio.Event()

    async def hang(_: object) -> object:
        began.set()
        try:
            return await asyncio.Event().wait()
        finally:
            ended.set()

    async with edge(Upstreams(a=handshake("t", **{"tools/call": hang}))) as it:
        session, _ = await it.initialize()
        call = asyncio.ensure_future(it.post(rpc("tools/call", name="a_1mcp_t"), mcp_session_id=session))
        await began.wait()
        other, _ = await it.initialize()
        note = {"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": 1}}
        await it.post(note, mcp_session_id=other)
        assert not ended.is_set(), "another session's id is another request"
        await it.post(note, mcp_session_id=session)
        assert ((await call).status_code, (await call).content) == (202, b"")
        assert ended.is_set()
        assert (await it.ask(session, "ping"))["result"] == {}


async def test_a_faulty_introduction_is_answered_under_its_id(edge: Serve) -> None:
    async with edge(Upstreams(a=handshake())) as it:
        for params in ([1], {"protocolVersion": 7}, {}):
            answer = await it.post({"jsonrpc": "2.0", "id": "i", "method": "initialize", "params": params})
            assert (answer.status_code, answer.json()["id"], answer.json()["error"]["code"]) == (
                400,
                "i",
                -32602,
            )


async def test_a_server_that_there_is_not_has_no_tools_either(edge: Serve) -> None:
    async with edge(Upstreams(a=handshake())) as it:
        answer = await it.stateless("tools/call", name="echo", path="/servers/nobody/mcp")
    assert (answer.status_code, answer.json()["error"]["message"]) == (404, "No server is called nobody")


async def test_a_batch_may_answer_a_question_and_give_up_a_request(edge: Serve) -> None:
    began, ended = asyncio.Event(), asyncio.Event()

    async def hang(_: object) -> object:
        began.set()
        try:
            return await asyncio.Event().wait()
        finally:
            ended.set()

    async with edge(Upstreams(a=handshake("t", **{"tools/call": hang}))) as it:
        session, _ = await it.initialize("2025-03-26")
        call = rpc("tools/call", name="a_1mcp_t") | {"id": "x"}
        waiting = asyncio.ensure_future(it.post([call], mcp_session_id=session))
        async with asyncio.timeout(5):
            await began.wait()
            cancelled = {"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": "x"}}
            assert (await it.post([cancelled], mcp_session_id=session)).status_code == 202
            await ended.wait()
            assert (await waiting).status_code == 202


async def test_the_end_of_a_session_ends_what_it_has_asked_for(edge: Serve) -> None:
    began, ended = asyncio.Event(), asyncio.Event()

    async def hang(_: object) -> object:
        began.set()
        try:
            return await asyncio.Event().wait()
        finally:
            ended.set()

    async with edge(Upstreams(a=handshake("t", **{"tools/call": hang}))) as it:
        session, _ = await it.initialize()
        call = asyncio.ensure_future(it.post(rpc("tools/call", name="a_1mcp_t"), mcp_session_id=session))
        async with asyncio.timeout(5):
            await began.wait()
            await it.client.delete("/mcp", headers={"mcp-session-id": session})
            await ended.wait()
            await call
