"""A session's own connection: whose it is, how many there are, when it ends."""

import asyncio
import json
from dataclasses import replace
from typing import Any

import pytest
from msgspec import Raw, structs
from tests.gateway.conftest import Running
from tests.support.channels import ScriptedChannel, Upstreams, handshake, spec, until

from onemcp.core.access import Principal, View
from onemcp.core.offering import Listing
from onemcp.core.spec import Isolation, Partitioning, RestartPolicy, Roots, UpstreamSpec
from onemcp.errors import Reason, RpcError
from onemcp.gateway.context import CallContext
from onemcp.gateway.dispatch import Dispatcher
from onemcp.gateway.lists import Lists
from onemcp.gateway.runtime import Runtime
from onemcp.gateway.sessions import Session, Sessions
from onemcp.gateway.streams import Stream
from onemcp.seal.keyring import Keyring
from onemcp.upstream.channel import Request
from onemcp.wire.envelope import ABSENT, Envelope, encode
from onemcp.wire.revisions import Era

pytestmark = pytest.mark.anyio

SESSIONS = Sessions(Keyring.ephemeral())


def isolated(most: int = 100, idle: float = 300.0, **more: Any) -> list[UpstreamSpec]:
    fast = RestartPolicy(first_delay=0.001, max_delay=0.002)
    return [spec("a", restart=fast, partitioning=Partitioning(Isolation.SESSION, most, idle), **more)]


def session(capabilities: str = "{}") -> Session:
    return SESSIONS.open("2025-11-25", "", Raw(capabilities.encode()), 0.0)


def of(session: Session) -> CallContext:
    return CallContext(Era.HANDSHAKE, session.revision, View(), session)


async def call(runtime: Runtime, ctx: CallContext) -> Any:
    params = encode({"name": "a_1mcp_t", "arguments": {}})
    reply = await Dispatcher(runtime).dispatch(ctx, Envelope("2.0", method="tools/call", params=Raw(params)))
    return json.loads(bytes(reply.result if reply.error is ABSENT else reply.error))


def calls(channel: ScriptedChannel) -> int:
    return sum(request.method == "tools/call" for request in channel.asked)


def declared(channel: ScriptedChannel) -> Any:
    asked = next(request for request in channel.asked if request.method == "initialize")
    return json.loads(asked.params)["capabilities"]


async def test_each_session_calls_on_a_connection_of_its_own(running: Running) -> None:
    upstreams = Upstreams(a=handshake("t"))
    one, other = session(), session()
    async with running(upstreams, specs=isolated()) as runtime:
        for each in (one, other, one):
            await call(runtime, of(each))
        assert [calls(channel) for channel in upstreams.channels["a"]] == [0, 2, 1]
        assert runtime.owned.count("a") == 2
    assert all(channel.closed.done() for channel in upstreams.channels["a"])


async def test_stateless_clients_have_one_for_each_principal(running: Running) -> None:
    upstreams = Upstreams(a=handshake("t"))
    ada, bob = (
        CallContext(Era.STATELESS, "2026-07-28", View(), principal=Principal("i", name))
        for name in ("ada", "bob")
    )
    async with running(upstreams, specs=isolated()) as runtime:
        for ctx in (ada, bob, ada):
            await call(runtime, ctx)
    assert [calls(channel) for channel in upstreams.channels["a"]] == [0, 2, 1]


async def test_what_is_shared_is_shared(running: Running) -> None:
    upstreams = Upstreams(a=handshake("t"))
    async with running(upstreams) as runtime:
        for each in (session(), session()):
            await call(runtime, of(each))
    assert [calls(channel) for channel in upstreams.channels["a"]] == [2]


@pytest.mark.parametrize(
    ("client", "roots", "expected"),
    [
        ('{"sampling":{"tools":{}},"vendor":{}}', None, {"sampling": {"tools": {}}}),
        ('{"roots":{"listChanged":true}}', None, {"roots": {"listChanged": True}}),
        ("{}", Roots((("file:///a", ""),)), {"roots": {}}),
        ("{}", None, {}),
    ],
)
async def test_its_connection_declares_what_its_client_can_do(
    running: Running, client: str, roots: Roots | None, expected: object
) -> None:
    upstreams = Upstreams(a=handshake("t"))
    async with running(upstreams, specs=isolated(roots=roots)) as runtime:
        await call(runtime, of(session(client)))
        assert declared(upstreams.last("a")) == expected


async def test_a_shared_connection_declares_roots_only_where_the_entry_has_them(running: Running) -> None:
    upstreams = Upstreams(a=handshake("t"), b=handshake("t"))
    async with running(upstreams, specs=[spec("a"), spec("b", roots=Roots())]):
        assert "roots" not in declared(upstreams.last("a"))
        assert "roots" in declared(upstreams.last("b"))


async def test_roots_of_the_entry_are_told_by_the_gateway(running: Running) -> None:
    upstreams = Upstreams(a=handshake("t"))
    given = Roots((("file:///a", "A"), ("file:///b", "")))
    async with running(upstreams, specs=[spec("a", roots=given)]):
        channel = upstreams.last("a")
        channel.inbound(Envelope("2.0", id=Raw(b"7"), method="roots/list"))
        assert json.loads(channel.sent[-1]) == {
            "jsonrpc": "2.0",
            "id": 7,
            "result": {"roots": [{"uri": "file:///a", "name": "A"}, {"uri": "file:///b"}]},
        }


async def test_with_its_session_it_ends(running: Running) -> None:
    upstreams = Upstreams(a=handshake("t"))
    mine = session()
    async with running(upstreams, specs=isolated()) as runtime:
        await call(runtime, of(mine))
        runtime.forget(mine)
        assert runtime.owned.count("a") == 0
        await until(upstreams.last("a").closed.done)


async def test_the_one_that_is_idle_longest_makes_room(running: Running) -> None:
    upstreams = Upstreams(a=handshake("t"))
    first, second, third = session(), session(), session()
    async with running(upstreams, specs=isolated(most=2)) as runtime:
        for each in (first, second, first, third):
            await call(runtime, of(each))
        assert runtime.owned.count("a") == 2
        _, of_first, of_second, _ = upstreams.channels["a"]
        await until(of_second.closed.done)
        assert not of_first.closed.done()


async def test_if_all_are_in_use_whoever_comes_is_told_so(running: Running) -> None:
    release = asyncio.Event()

    async def slow(_: Request) -> object:
        await release.wait()
        return {"content": []}

    upstreams = Upstreams(a=handshake("t", **{"tools/call": slow}))
    async with running(upstreams, specs=isolated(most=1)) as runtime:
        busy = asyncio.create_task(call(runtime, of(session())))
        await until(lambda: len(upstreams.channels["a"]) == 2 and calls(upstreams.last("a")) == 1)
        with pytest.raises(RpcError, match="has 1 connections of sessions, all in use") as caught:
            await call(runtime, of(session()))
        assert isinstance(caught.value.data, dict)
        assert caught.value.data["reason"] == Reason.OVERLOADED
        release.set()
        assert await busy == {"content": []}


async def test_one_that_nobody_uses_for_a_while_is_closed(running: Running) -> None:
    upstreams = Upstreams(a=handshake("t"))
    mine = session()
    async with running(upstreams, specs=isolated(idle=0.01)) as runtime:
        await call(runtime, of(mine))
        await until(lambda: runtime.owned.count("a") == 0)
        await until(upstreams.last("a").closed.done)
        await call(runtime, of(mine))
        assert [calls(channel) for channel in upstreams.channels["a"]] == [0, 1, 1]


async def test_a_reload_ends_them_where_the_connection_would_be_another_one(running: Running) -> None:
    upstreams = Upstreams(a=handshake("t"))
    (now,) = isolated()
    async with running(upstreams, specs=[now]) as runtime:
        await call(runtime, of(session()))
        await runtime.apply([replace(now, tags=frozenset({"x"}))])
        assert runtime.owned.count("a") == 1
        await runtime.apply([replace(now, protocol="2025-06-18")])
        assert runtime.owned.count("a") == 0


async def test_a_reload_to_shared_connections_ends_them(running: Running) -> None:
    upstreams = Upstreams(a=handshake("t"))
    (now,) = isolated()
    mine = session()
    async with running(upstreams, specs=[now]) as runtime:
        await call(runtime, of(mine))
        await runtime.apply([replace(now, partitioning=Partitioning())])
        assert runtime.owned.count("a") == 0
        await call(runtime, of(mine))
        assert [calls(channel) for channel in upstreams.channels["a"]] == [1, 1]


async def test_one_that_dies_is_started_again_for_its_owner(running: Running) -> None:
    upstreams = Upstreams(a=handshake("t"))
    mine = session()
    async with running(upstreams, specs=isolated()) as runtime:
        await call(runtime, of(mine))
        upstreams.last("a").die()
        await until(lambda: len(upstreams.channels["a"]) == 3)
        await call(runtime, of(mine))
        assert [calls(channel) for channel in upstreams.channels["a"]] == [0, 1, 1]


def names(runtime: Runtime, ctx: CallContext) -> list[str]:
    listed = Lists(runtime).answer(ctx, Listing.TOOLS, {})
    return [tool["name"] for tool in json.loads(bytes(listed))["tools"]]


async def test_what_a_session_s_own_connection_offers_is_listed_to_that_session_only(
    running: Running,
) -> None:
    script = handshake("t")
    upstreams = Upstreams(a=script)
    mine, other = session(), session()
    heard = mine.listener = Stream(View())
    others = other.listener = Stream(View())
    async with running(upstreams, specs=isolated()) as runtime:
        await call(runtime, of(other))
        script["tools/list"] = handshake("t", "secret")["tools/list"]
        await call(runtime, of(mine))
        assert names(runtime, of(mine)) == ["a_1mcp_t", "a_1mcp_secret"]
        assert names(runtime, of(other)) == ["a_1mcp_t"]
        assert names(runtime, structs.replace(of(mine), endpoint="a")) == ["t", "secret"]
        params = encode({"name": "a_1mcp_secret"})
        reply = await Dispatcher(runtime).dispatch(
            of(mine), Envelope(method="tools/call", params=Raw(params))
        )
        assert reply.error is ABSENT
        with pytest.raises(RpcError, match="Unknown tool"):
            await Dispatcher(runtime).dispatch(of(other), Envelope(method="tools/call", params=Raw(params)))
        assert await heard.next() == b'{"jsonrpc":"2.0","method":"notifications/tools/list_changed"}'
        others.end()
        assert await others.next() is None


async def test_what_changes_on_a_session_s_own_connection_changes_for_it_alone(running: Running) -> None:
    scripts = [handshake("t"), handshake("t")]
    upstreams = Upstreams(a=scripts[0])
    mine = session()
    async with running(upstreams, specs=isolated()) as runtime:
        upstreams.scripts["a"] = scripts[1]
        await call(runtime, of(mine))
        scripts[1]["tools/list"] = handshake("login", "t")["tools/list"]
        upstreams.last("a").announce("tools")
        await until(lambda: names(runtime, of(mine)) == ["a_1mcp_login", "a_1mcp_t"])
        assert names(runtime, of(session())) == ["a_1mcp_t"]
        scripts[0]["tools/list"] = scripts[1]["tools/list"]
        upstreams.channels["a"][0].announce("tools")
        await until(lambda: names(runtime, of(session())) == ["a_1mcp_login", "a_1mcp_t"])


async def test_with_its_connection_a_session_loses_what_only_that_offered(running: Running) -> None:
    scripts = [handshake("t"), handshake("t", "secret")]
    upstreams = Upstreams(a=scripts[0])
    mine = session()
    async with running(upstreams, specs=isolated(idle=0.01)) as runtime:
        upstreams.scripts["a"] = scripts[1]
        await call(runtime, of(mine))
        assert names(runtime, of(mine)) == ["a_1mcp_t", "a_1mcp_secret"]
        await until(lambda: runtime.owned.count("a") == 0)
        assert names(runtime, of(mine)) == ["a_1mcp_t"]


async def test_what_its_own_connection_asks_outside_any_call_is_asked_on_its_session_s_stream(
    running: Running,
) -> None:
    upstreams = Upstreams(a=handshake("t"))
    mine = session('{"roots":{},"sampling":{}}')
    async with running(upstreams, specs=isolated()) as runtime:
        await call(runtime, of(mine))
        channel = upstreams.last("a")
        question = Envelope("2.0", id=Raw(b"7"), method="roots/list")
        channel.inbound(question)
        assert b"error" in channel.sent[-1], "nobody listens"
        heard = mine.listener = Stream(View())
        channel.inbound(question)
        asked = json.loads(await heard.next() or b"")
        assert asked["method"] == "roots/list"
        mine.asks.answer(Envelope("2.0", id=Raw(encode(asked["id"])), result=Raw(b'{"roots":[]}')))
        assert json.loads(channel.sent[-1]) == {"jsonrpc": "2.0", "id": 7, "result": {"roots": []}}
        shared = upstreams.channels["a"][0]
        shared.inbound(question)
        assert b"error" in shared.sent[-1]


async def test_what_its_own_connection_logs_outside_any_call_is_heard_at_its_level(running: Running) -> None:
    upstreams = Upstreams(a=handshake("t"))
    mine = session()
    mine.listener = heard = Stream(View())
    async with running(upstreams, specs=isolated()) as runtime:
        await call(runtime, of(mine))
        for level in ("debug", "error"):
            params = Raw(encode({"level": level, "data": level}))
            upstreams.last("a").inbound(Envelope("2.0", method="notifications/message", params=params))
        assert json.loads(await heard.next() or b"")["params"]["data"] == "error"


async def test_that_a_client_has_other_roots_is_told_on_its_own_connections(running: Running) -> None:
    upstreams = Upstreams(a=handshake("t"))
    mine = session('{"roots":{"listChanged":true}}')
    async with running(upstreams, specs=isolated()) as runtime:
        await call(runtime, of(mine))
        shared, own = upstreams.channels["a"]
        runtime.owned.roots_changed(mine)
        await until(lambda: b"notifications/roots/list_changed" in own.sent)
        assert b"notifications/roots/list_changed" not in shared.sent


async def test_an_upstream_that_asks_in_a_call_gets_the_roots_of_its_entry(running: Running) -> None:
    def asking(request: Request) -> object:
        assert request.sink is not None
        request.sink(Envelope("2.0", id=Raw(b"1"), method="roots/list"))
        return {"content": []}

    upstreams = Upstreams(a=handshake("t", **{"tools/call": asking}))
    async with running(upstreams, specs=[spec("a", roots=Roots((("file:///a", ""),)))]) as runtime:
        await call(runtime, of(session()))
        assert b'"uri":"file:///a"' in upstreams.last("a").sent[-1]
