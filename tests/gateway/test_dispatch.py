"""Requests by method, and the introduction."""

import asyncio
import json
from typing import Any

import pytest
from msgspec import Raw
from tests.gateway.conftest import Running
from tests.support.channels import IDENTITY, Upstreams, handshake, resources, spec, stateless, until

from onemcp.core.access import View
from onemcp.core.features import Features
from onemcp.core.tags import simple
from onemcp.errors import RpcError
from onemcp.gateway.context import CallContext
from onemcp.gateway.dispatch import Dispatcher
from onemcp.gateway.sessions import Session, Ticket
from onemcp.wire.envelope import Envelope, encode
from onemcp.wire.revisions import Era

pytestmark = pytest.mark.anyio

HANDSHAKE = CallContext(Era.HANDSHAKE, "2025-11-25", View())
STATELESS = CallContext(Era.STATELESS, "2026-07-28", View())


async def ask(dispatcher: Dispatcher, method: str, ctx: CallContext = HANDSHAKE, **params: object) -> Any:
    reply = await dispatcher.dispatch(ctx, Envelope("2.0", method=method, params=Raw(encode(params))))
    return json.loads(bytes(reply.result))


async def hello(dispatcher: Dispatcher, ctx: CallContext = HANDSHAKE) -> Any:
    return json.loads(bytes(await dispatcher.hello(ctx)))


async def test_the_introduction_declares_everything_whatever_is_ready(running: Running) -> None:
    async with running(Upstreams(a=handshake("x")), settle=False) as runtime:
        result = await hello(Dispatcher(runtime))
    assert result["protocolVersion"] == "2025-11-25"
    assert result["capabilities"].keys() == {"tools", "prompts", "resources", "completions", "logging"}
    assert result["capabilities"]["tools"] == {"listChanged": True}
    assert result["serverInfo"]["name"] == "onemcp"
    assert result["_meta"] == {"onemcp/instance": IDENTITY.instance}


async def test_instructions_are_those_of_the_visible_upstreams_under_their_names(running: Running) -> None:
    a, b = handshake("x"), handshake("y")
    a["initialize"] = {**a["initialize"], "instructions": "Use x.\n"}
    b["initialize"] = {**b["initialize"], "instructions": "Use y."}
    specs = [spec("a", tags=frozenset({"web"})), spec("b")]
    async with running(Upstreams(a=a, b=b), specs=specs) as runtime:
        dispatcher = Dispatcher(runtime)
        assert (await hello(dispatcher))["instructions"] == "# a\n\nUse x.\n\n# b\n\nUse y."
        web = CallContext(Era.HANDSHAKE, "2025-11-25", View(simple("web")))
        assert (await hello(dispatcher, web))["instructions"] == "# a\n\nUse x."


async def test_without_async_loading_nobody_is_let_in_before_the_upstreams_had_their_time(
    running: Running,
) -> None:
    gate = asyncio.Event()

    async def slow(_: object) -> object:
        await gate.wait()
        return handshake("x")["tools/list"]

    upstreams = Upstreams(a=handshake(**{"tools/list": slow}))
    async with running(upstreams, settle=False, async_loading=False) as runtime:
        dispatcher = Dispatcher(runtime)
        held = asyncio.ensure_future(hello(dispatcher))
        await asyncio.sleep(0)
        assert not held.done()
        gate.set()
        await held
        assert len((await ask(dispatcher, "tools/list"))["tools"]) == 1


async def test_the_hold_ends_at_the_start_deadline_of_a_hanging_upstream(running: Running) -> None:
    async def never(_: object) -> object:
        return await asyncio.Event().wait()

    specs = [spec("a"), spec("b", connection_timeout=0.05)]
    upstreams = Upstreams(a=handshake("x"), b=handshake(initialize=never))
    async with running(upstreams, specs=specs, settle=False, async_loading=False) as runtime:
        dispatcher = Dispatcher(runtime)
        await hello(dispatcher)
        assert len((await ask(dispatcher, "tools/list"))["tools"]) == 1


async def test_discover_is_the_introduction_of_the_stateless_era(running: Running) -> None:
    async with running(Upstreams(a=stateless("x"))) as runtime:
        result = await ask(Dispatcher(runtime), "server/discover", STATELESS)
    assert result["resultType"] == "complete"
    assert result["supportedVersions"] == ["2026-07-28"]
    assert result["_meta"]["io.modelcontextprotocol/serverInfo"]["name"] == "onemcp"
    assert result["cacheScope"] == "public"


async def test_one_upstream_alone_is_introduced_as_itself(running: Running) -> None:
    script = handshake("x")
    script["initialize"] = {**script["initialize"], "instructions": "Only me."}
    alone = CallContext(Era.HANDSHAKE, "2025-11-25", View(), endpoint="a")
    async with running(Upstreams(a=script)) as runtime:
        result = await hello(Dispatcher(runtime), alone)
    assert result["serverInfo"] == {"name": "scripted", "version": "1"}
    assert result["capabilities"] == {"tools": {"listChanged": True}}
    assert result["instructions"] == "Only me."


@pytest.mark.parametrize(
    "method", ["ping", "logging/setLevel", "resources/subscribe", "initialize", "nonsense"]
)
async def test_methods_that_the_stateless_era_does_not_have_are_not_found(
    running: Running, method: str
) -> None:
    async with running(Upstreams(a=handshake("x"))) as runtime:
        with pytest.raises(RpcError) as caught:
            await ask(Dispatcher(runtime), method, STATELESS, level="debug")
    assert (caught.value.code, caught.value.status) == (-32601, 404)


@pytest.mark.parametrize("ctx", [HANDSHAKE, STATELESS])
async def test_completions_that_are_switched_off_are_neither_declared_nor_found(
    running: Running, ctx: CallContext
) -> None:
    script = handshake("x")
    script["initialize"] = {**script["initialize"], "capabilities": {"tools": {}, "completions": {}}}
    async with running(Upstreams(a=script), features=Features(completions=False)) as runtime:
        dispatcher = Dispatcher(runtime)
        with pytest.raises(RpcError, match="Method not found") as caught:
            await ask(dispatcher, "completion/complete", ctx, ref={"type": "ref/prompt", "name": "p"})
        discovered = await ask(dispatcher, "server/discover", STATELESS)
        alone = CallContext(Era.HANDSHAKE, "2025-11-25", View(), endpoint="a")
        introduced = [discovered, await hello(dispatcher), await hello(dispatcher, alone)]
    assert (caught.value.code, caught.value.status) == (-32601, 404)
    assert all("completions" not in one["capabilities"] for one in introduced)
    assert all("tools" in one["capabilities"] for one in introduced)


async def test_ping_is_answered_without_asking_anybody(running: Running) -> None:
    upstreams = Upstreams(a=handshake("x"))
    async with running(upstreams) as runtime:
        assert await ask(Dispatcher(runtime), "ping") == {}
        assert all(request.method != "ping" for request in upstreams.last("a").asked)


async def test_a_log_level_is_checked(running: Running) -> None:
    async with running(Upstreams(a=handshake("x"))) as runtime:
        dispatcher = Dispatcher(runtime)
        assert await ask(dispatcher, "logging/setLevel", level="warning") == {}
        with pytest.raises(RpcError, match="Unknown log level: loud"):
            await ask(dispatcher, "logging/setLevel", level="loud")


# Subscriptions to resources


def of(session: Session, endpoint: str = "") -> CallContext:
    return CallContext(Era.HANDSHAKE, "2025-11-25", View(), session, endpoint)


async def test_a_session_subscribes_and_unsubscribes(running: Running) -> None:
    session = Session("", Ticket("s", "2025-11-25", 1e12, "", Raw(b"{}")))
    upstreams = Upstreams(a=resources("a:1"))
    async with running(upstreams) as runtime:
        dispatcher = Dispatcher(runtime)
        for method in ("resources/subscribe", "resources/unsubscribe", "resources/unsubscribe"):
            assert await ask(dispatcher, method, of(session), uri="a:1") == {}
            assert session.watched == ({"a:1"} if method == "resources/subscribe" else set())
        await until(lambda: upstreams.last("a").said("resources/unsubscribe") == ["a:1"])


@pytest.mark.parametrize("method", ["resources/subscribe", "resources/unsubscribe"])
async def test_subscriptions_are_for_sessions_and_name_a_uri(running: Running, method: str) -> None:
    session = Session("", Ticket("s", "2025-11-25", 1e12, "", Raw(b"{}")))
    async with running(Upstreams(a=resources("a:1"))) as runtime:
        dispatcher = Dispatcher(runtime)
        with pytest.raises(RpcError) as unnamed:
            await ask(dispatcher, method, of(session))
        assert unnamed.value.code == -32602
        with pytest.raises(RpcError) as removed:
            await ask(dispatcher, method, STATELESS, uri="a:1")
        assert (removed.value.code, removed.value.status) == (-32601, 404)


@pytest.mark.parametrize("offers", [True, False])
async def test_a_single_upstreams_endpoint_declares_subscriptions_as_its_upstream_does(
    running: Running, offers: bool
) -> None:
    async with running(Upstreams(a=resources("a:1", subscribe=offers))) as runtime:
        alone = CallContext(Era.HANDSHAKE, "2025-11-25", View(), endpoint="a")
        declared = (await hello(Dispatcher(runtime), alone))["capabilities"]
        everything = (await hello(Dispatcher(runtime)))["capabilities"]
    assert declared == {"resources": {"listChanged": True, **({"subscribe": True} if offers else {})}}
    assert everything["resources"] == {"listChanged": True, "subscribe": True}
