"""Who watches which resource, over a runtime with scripted upstreams."""

import json
from typing import Any

import pytest
from msgspec import Raw
from tests.gateway.conftest import Running
from tests.support.channels import (
    Failure,
    Upstreams,
    handshake,
    resources,
    spec,
    stateless_resources,
    until,
)

from onemcp.core.access import View
from onemcp.core.spec import Isolation, Partitioning, RestartPolicy
from onemcp.core.tags import simple
from onemcp.errors import RpcError
from onemcp.gateway.context import CallContext
from onemcp.gateway.runtime import Runtime
from onemcp.gateway.sessions import Session, Ticket
from onemcp.gateway.streams import Stream
from onemcp.gateway.watches import MAX_PER_CLIENT
from onemcp.wire.envelope import Envelope
from onemcp.wire.revisions import Era

pytestmark = pytest.mark.anyio

SUBSCRIBE, UNSUBSCRIBE = "resources/subscribe", "resources/unsubscribe"
UPDATED = "notifications/resources/updated"
FAST = RestartPolicy(first_delay=0.001, max_delay=0.002)


def session(name: str = "one", endpoint: str = "") -> Session:
    """A session that listens."""
    it = Session(name, Ticket(name, "2025-11-25", 1e12, endpoint, Raw(b"{}")))
    it.listener = Stream(View(), endpoint)
    return it


def ctx(of: Session, view: View | None = None, endpoint: str = "") -> CallContext:
    return CallContext(Era.HANDSHAKE, "2025-11-25", view or View(), of, endpoint)


def stateless_ctx() -> CallContext:
    return CallContext(Era.STATELESS, "2026-07-28", View())


async def subscribe(runtime: Runtime, of: Session, uri: str) -> None:
    await runtime.watches.subscribe(ctx(of), of, uri)


async def told(of: Session | Stream) -> list[Any]:
    """All that it was told until now; it hears nothing after that."""
    stream = of if isinstance(of, Stream) else of.listener
    assert stream is not None
    stream.end()
    messages = []
    while (message := await stream.next()) is not None:
        messages.append(json.loads(message))
    return messages


def uris(messages: list[Any]) -> list[str]:
    assert all(message["method"] == UPDATED for message in messages)
    return [message["params"]["uri"] for message in messages]


async def test_an_update_reaches_those_who_watch_and_nobody_else(running: Running) -> None:
    upstreams = Upstreams(a=resources("a:1", "a:2"))
    one, two, three = session("one"), session("two"), session("three")
    async with running(upstreams) as runtime:
        await subscribe(runtime, one, "a:1")
        await subscribe(runtime, two, "a:1")
        await subscribe(runtime, three, "a:2")
        upstreams.last("a").update("a:1")
        assert upstreams.last("a").said(SUBSCRIBE) == ["a:1", "a:2"]
    assert uris(await told(one)) == uris(await told(two)) == ["a:1"]
    assert await told(three) == []


async def test_the_upstream_is_unsubscribed_from_when_the_last_watcher_goes(running: Running) -> None:
    upstreams = Upstreams(a=resources("a:1"))
    one, two = session("one"), session("two")
    async with running(upstreams) as runtime:
        channel = upstreams.last("a")
        await subscribe(runtime, one, "a:1")
        await subscribe(runtime, two, "a:1")
        runtime.watches.unsubscribe(one, "a:1")
        runtime.watches.unsubscribe(one, "a:1")
        channel.update("a:1")
        assert channel.said(UNSUBSCRIBE) == []
        runtime.forget(two)
        await until(lambda: channel.said(UNSUBSCRIBE) == ["a:1"])
        channel.update("a:1")
        assert runtime.watches.unclaimed == 1
        assert len(runtime.watches) == 0
    assert await told(one) == []
    assert uris(await told(two)) == ["a:1"]


async def test_what_a_session_watches_is_noted_with_it_to_be_kept(running: Running) -> None:
    one = session()
    async with running(Upstreams(a=resources("a:1"))) as runtime:
        await subscribe(runtime, one, "a:1")
        assert (one.watched, one.dirty) == ({"a:1"}, True)
        one.dirty = False
        await subscribe(runtime, one, "a:1")
        assert not one.dirty, "nothing is new"
        runtime.watches.unsubscribe(one, "a:1")
        assert (one.watched, one.dirty) == (set(), True)
        await subscribe(runtime, one, "a:1")
        runtime.forget(one)
        assert one.watched == {"a:1"}, "it may come back"


async def test_a_resource_that_two_upstreams_have_is_named_as_the_client_names_it(running: Running) -> None:
    upstreams = Upstreams(a=resources("x://1"), b=resources("x://1"))
    one = session()
    async with running(upstreams) as runtime:
        await subscribe(runtime, one, "onemcp://b/x://1")
        upstreams.last("a").update("x://1")
        upstreams.last("b").update("x://1")
        upstreams.last("b").update("x://1/part")
        assert upstreams.last("b").said(SUBSCRIBE) == ["x://1"]
    assert uris(await told(one)) == ["onemcp://b/x://1", "onemcp://b/x://1/part"]


@pytest.mark.parametrize(
    ("updated", "heard"),
    [
        ("f:///d", True),
        ("f:///d/x", True),
        ("f:///d?x", True),
        ("f:///d#x", True),
        ("f:///d2", False),
        ("f:///", False),
        ("", False),
    ],
)
async def test_an_update_of_a_part_is_one_of_the_whole(running: Running, updated: str, heard: bool) -> None:
    upstreams, one = Upstreams(a=resources("f:///d")), session()
    async with running(upstreams) as runtime:
        await subscribe(runtime, one, "f:///d")
        upstreams.last("a").update(updated)
    assert uris(await told(one)) == ([updated] if heard else [])


async def test_a_client_that_watches_the_whole_and_the_part_hears_of_the_part_once(running: Running) -> None:
    upstreams, one = Upstreams(a=resources("f:///d/", "f:///d/x")), session()
    async with running(upstreams) as runtime:
        await subscribe(runtime, one, "f:///d/")
        await subscribe(runtime, one, "f:///d/x")
        upstreams.last("a").update("f:///d/x")
    assert uris(await told(one)) == ["f:///d/x"]


async def test_a_stream_is_told_under_the_id_of_its_request(running: Running) -> None:
    upstreams = Upstreams(a=stateless_resources("a:1"))
    stream = Stream(View(), "", frozenset(), b'"L1"')
    async with running(upstreams) as runtime:
        await runtime.watches.subscribe(stateless_ctx(), stream, "a:1")
        upstreams.last("a").update("a:1")
        runtime.watches.forget(stream)
        await until(lambda: upstreams.last("a").watching == [{"a:1"}, set()])
    (message,) = await told(stream)
    assert message["params"] == {
        "uri": "a:1",
        "_meta": {"io.modelcontextprotocol/subscriptionId": "L1"},
    }


async def test_what_leads_nowhere_or_is_not_shown_cannot_be_watched(running: Running) -> None:
    upstreams = Upstreams(a=resources("a:1"))
    specs = [spec("a", tags=frozenset({"web"}))]
    one = session()
    async with running(upstreams, specs=specs) as runtime:
        for uri, view in (("b:9", View()), ("a:1", View(simple("db")))):
            with pytest.raises(RpcError) as caught:
                await runtime.watches.subscribe(ctx(one, view), one, uri)
            assert caught.value.code == -32002
            assert caught.value.data == {"uri": uri}
        assert upstreams.last("a").said(SUBSCRIBE) == []
    assert one.watched == set()


async def test_an_update_is_hidden_from_a_view_that_no_longer_shows_its_upstream(running: Running) -> None:
    upstreams = Upstreams(a=resources("a:1"))
    one, two = session("one"), session("two")
    async with running(upstreams, specs=[spec("a", tags=frozenset({"web"}))]) as runtime:
        await runtime.watches.subscribe(ctx(one, View(simple("web"))), one, "a:1")
        await subscribe(runtime, two, "a:1")
        two.listener = Stream(View(simple("db")))
        upstreams.last("a").update("a:1")
        await runtime.apply([spec("a", tags=frozenset({"db"}))])
        upstreams.last("a").update("a:1")
    assert uris(await told(one)) == ["a:1"], "before the tags changed"
    assert uris(await told(two)) == ["a:1"], "after"


async def test_an_upstream_that_refuses_is_the_clients_answer_and_leaves_nothing_behind(
    running: Running,
) -> None:
    script = {**resources("a:1"), SUBSCRIBE: Failure(-32602, "cannot be watched")}
    one = session()
    async with running(Upstreams(a=script, b=resources("b:1", subscribe=False))) as runtime:
        with pytest.raises(RpcError, match="cannot be watched") as refused:
            await subscribe(runtime, one, "a:1")
        with pytest.raises(RpcError, match="b: does not offer subscriptions") as unable:
            await subscribe(runtime, one, "b:1")
        assert (refused.value.code, unable.value.code) == (-32602, -32601)
        assert len(runtime.watches) == 0
    assert (one.watched, one.dirty) == (set(), False)


async def test_an_upstream_that_is_away_is_said_so_to_the_first_and_no_matter_to_the_next(
    running: Running,
) -> None:
    upstreams = Upstreams(a=resources("a:1", "a:2"))
    one, two = session("one"), session("two")
    specs = [spec("a", restart=RestartPolicy(first_delay=600, max_delay=600))]
    async with running(upstreams, specs=specs, call_wait=0.01) as runtime:
        await subscribe(runtime, one, "a:1")
        upstreams.last("a").die()
        supervisor = runtime.pool.get("a")
        assert supervisor is not None
        await until(lambda: supervisor.connection is None)
        with pytest.raises(RpcError, match="a: is not ready"):
            await subscribe(runtime, two, "a:2")
        await subscribe(runtime, one, "a:1")
        await subscribe(runtime, two, "a:1")


async def test_one_client_watches_so_much_and_no_more(running: Running) -> None:
    names = [f"a:{number}" for number in range(MAX_PER_CLIENT + 1)]
    one = session()
    async with running(Upstreams(a=resources(*names))) as runtime:
        for name in names[:-1]:
            await subscribe(runtime, one, name)
        with pytest.raises(RpcError, match=f"{MAX_PER_CLIENT} resources are watched already"):
            await subscribe(runtime, one, names[-1])
        runtime.watches.unsubscribe(one, names[0])
        await subscribe(runtime, one, names[-1])


@pytest.mark.parametrize("script", [resources, stateless_resources])
async def test_after_a_restart_watchers_hear_that_something_may_have_happened(
    running: Running, script: Any
) -> None:
    upstreams = Upstreams(a=script("a:1"))
    one, two = session("one"), session("two")
    async with running(upstreams) as runtime:
        await subscribe(runtime, one, "a:1")
        upstreams.last("a").die()
        await until(lambda: _waits(one))
        upstreams.last("a").update("a:1")
    assert uris(await told(one)) == ["a:1", "a:1"]
    assert await told(two) == []


async def test_an_upstream_that_is_replaced_is_watched_as_before(running: Running) -> None:
    upstreams, one = Upstreams(a=resources("a:1")), session()
    async with running(upstreams) as runtime:
        await subscribe(runtime, one, "a:1")
        await runtime.apply([spec("a", connection_timeout=31.0)])
        await until(lambda: _waits(one))
        upstreams.last("a").update("a:1")
    assert len(upstreams.channels["a"]) == 2
    assert uris(await told(one)) == ["a:1", "a:1"]


async def test_a_session_of_an_earlier_process_is_adopted_as_its_upstreams_come(running: Running) -> None:
    upstreams, one = Upstreams(a=resources("a:1"), b=resources("b:1")), session()
    one.watched = {"a:1", "b:1", "c:1"}
    async with running(upstreams, specs=[spec("a")]) as runtime:
        await runtime.watches.adopt(ctx(one))
        await until(lambda: len(runtime.watches) == 1)
        await runtime.apply([spec("a"), spec("b")])
        await until(lambda: _waits(one, 2))
        assert one.watched == {"a:1", "b:1", "c:1"}
        upstreams.last("b").update("b:1")
        runtime.forget(one)
        assert len(runtime.watches) == 0
    assert uris(await told(one)) == ["a:1", "b:1", "b:1"]


async def test_a_single_upstreams_endpoint_knows_its_own_uris(running: Running) -> None:
    upstreams = Upstreams(a=resources("x://1"), b=resources("x://1"))
    one = session(endpoint="b")
    async with running(upstreams) as runtime:
        await runtime.watches.subscribe(ctx(one, endpoint="b"), one, "x://1")
        upstreams.last("a").update("x://1")
        upstreams.last("b").update("x://1/part")
    assert uris(await told(one)) == ["x://1/part"]


async def test_a_connection_of_its_own_tells_its_owner_alone(running: Running) -> None:
    upstreams = Upstreams(a=resources("a:1"))
    isolated = spec("a", partitioning=Partitioning(Isolation.SESSION), restart=FAST)
    one, two = session("one"), session("two")
    async with running(upstreams, specs=[isolated]) as runtime:
        await subscribe(runtime, one, "a:1")
        await subscribe(runtime, two, "a:1")
        shared, first, second = upstreams.channels["a"]
        assert [channel.said(SUBSCRIBE) for channel in (shared, first, second)] == [[], ["a:1"], ["a:1"]]
        for channel in (shared, second):
            channel.update("a:1")
        runtime.watches.unsubscribe(two, "a:1")
        await until(lambda: second.said(UNSUBSCRIBE) == ["a:1"])
        first.die()
        await until(lambda: _waits(one))
    assert uris(await told(one)) == ["a:1"], "for its restart"
    assert uris(await told(two)) == ["a:1"]


async def test_a_connection_of_its_own_comes_back_with_its_upstream(running: Running) -> None:
    upstreams, one = Upstreams(a=resources("a:1")), session()
    partitioning = Partitioning(Isolation.SESSION)
    async with running(upstreams, specs=[spec("a", partitioning=partitioning)]) as runtime:
        await subscribe(runtime, one, "a:1")
        await runtime.apply([spec("a", partitioning=partitioning, connection_timeout=31.0)])
        await until(lambda: _waits(one))
        assert len(upstreams.channels["a"]) == 4, "a shared one and its own, twice"


async def test_an_update_that_names_no_resource_is_left_alone(running: Running) -> None:
    upstreams = Upstreams(a=resources("a:1"), b=handshake("t"))
    async with running(upstreams) as runtime:
        for params in (b"[]", b"{}", b'{"uri":7}'):
            upstreams.last("a").inbound(Envelope("2.0", method=UPDATED, params=Raw(params)))
        assert runtime.watches.unclaimed == 0


def _waits(of: Session, messages: int = 1) -> bool:
    """Whether so much waits for the client to read it."""
    return of.listener is not None and len(of.listener._queue) == messages
