"""The runtime: what follows when the configuration or an upstream changes."""

import asyncio
import gc
import logging
import weakref
from dataclasses import replace
from typing import Any

import pytest
from msgspec import Raw
from tests.gateway.conftest import Running
from tests.support.channels import ScriptedChannel, Upstreams, handshake, spec, until

from onemcp.core.access import View
from onemcp.core.events import UpstreamChanged
from onemcp.core.lifecycle import State
from onemcp.core.offering import Listing
from onemcp.core.tags import simple
from onemcp.errors import Problem, Reason, UpstreamError
from onemcp.gateway.context import CallContext
from onemcp.gateway.dispatch import Dispatcher
from onemcp.gateway.runtime import Runtime
from onemcp.gateway.streams import Stream
from onemcp.upstream.channel import Reply
from onemcp.wire.envelope import ABSENT, Envelope, encode
from onemcp.wire.revisions import Era

pytestmark = pytest.mark.anyio


def listed(runtime: Runtime) -> list[str]:
    return [entry.listed for entry in runtime.catalog.select(Listing.TOOLS, None)]


async def test_a_reload_touches_only_what_changed(running: Running) -> None:
    upstreams = Upstreams(a=handshake("x"), b=handshake("x"), c=handshake("x"), d=handshake("x"))
    before = [spec("a"), spec("b"), spec("c")]
    async with running(upstreams, specs=before) as runtime:
        await runtime.apply([spec("a"), replace(spec("c"), connection_timeout=7.0), spec("d")])
        await runtime.settled()
        assert listed(runtime) == ["a_1mcp_x", "c_1mcp_x", "d_1mcp_x"]
        assert [len(upstreams.channels[name]) for name in "abcd"] == [1, 1, 2, 1]
        assert upstreams.last("b").closed.done()
        assert not upstreams.channels["a"][0].closed.done()


def hold(channel: ScriptedChannel) -> asyncio.Event:
    """From now on a call on this connection is answered when the event is set."""
    gate = asyncio.Event()

    async def answer() -> dict[str, object]:
        await gate.wait()
        return {"content": []}

    channel.script = {**channel.script, "tools/call": lambda _: answer()}
    return gate


def asking(runtime: Runtime, name: str) -> "asyncio.Task[Reply]":
    ctx = CallContext(Era.HANDSHAKE, "2025-11-25", View())
    params = Raw(encode({"name": name, "arguments": {}}))
    return asyncio.create_task(
        Dispatcher(runtime).dispatch(ctx, Envelope("2.0", method="tools/call", params=params))
    )


async def test_what_is_replaced_or_removed_finishes_what_it_was_asked(running: Running) -> None:
    upstreams = Upstreams(a=handshake("x"), b=handshake("x"))
    async with running(upstreams, specs=[spec("a"), spec("b")]) as runtime:
        old = [upstreams.last("a"), upstreams.last("b")]
        gates = [hold(channel) for channel in old]
        calls = [asking(runtime, "a_1mcp_x"), asking(runtime, "b_1mcp_x")]
        await until(lambda: len(runtime.backchannel) == 2)
        await runtime.apply([replace(spec("a"), connection_timeout=7.0)])
        await runtime.settled()
        assert listed(runtime) == ["a_1mcp_x"]
        assert upstreams.last("a") is not old[0]
        assert await asking(runtime, "a_1mcp_x")
        assert not any(channel.closed.done() or call.done() for channel, call in zip(old, calls, strict=True))
        for gate in gates:
            gate.set()
        assert all(reply.error is ABSENT for reply in await asyncio.gather(*calls))
        await until(lambda: all(channel.closed.done() for channel in old))
        (supervisor,) = runtime.pool
        assert supervisor.life.state is State.READY


async def test_what_does_not_finish_in_time_is_ended(running: Running) -> None:
    upstreams = Upstreams(a=handshake("x"))
    async with running(upstreams, specs=[spec("a")], drain_timeout=0.1) as runtime:
        old = upstreams.last("a")
        hold(old)
        call = asking(runtime, "a_1mcp_x")
        await until(lambda: len(runtime.backchannel) == 1)
        await runtime.apply([])
        await until(old.closed.done)
        call.cancel()
        await asyncio.gather(call, return_exceptions=True)


async def test_a_call_that_waits_for_one_that_is_replaced_goes_to_its_successor(running: Running) -> None:
    upstreams = Upstreams(a=handshake("x"))
    async with running(upstreams, specs=[spec("a")]) as runtime:
        (supervisor,) = runtime.pool
        upstreams.scripts["a"] = UpstreamError("a", Reason.UNREACHABLE, "is away", ran=False)
        upstreams.last("a").die()
        await until(lambda: supervisor.connection is None)
        call = asking(runtime, "a_1mcp_x")
        await until(lambda: supervisor.waiting > 0)
        upstreams.scripts["a"] = handshake("x")
        await runtime.apply([replace(spec("a"), connection_timeout=7.0)])
        assert (await call).error is ABSENT


async def test_what_needs_no_new_connection_is_taken_over_while_running(running: Running) -> None:
    upstreams = Upstreams(a=handshake("x", "y"))
    async with running(upstreams) as runtime:
        (supervisor,) = runtime.pool
        changed = replace(supervisor.spec, tags=frozenset({"web"}), disabled_tools=frozenset({"y"}))
        await runtime.apply([changed])
        assert listed(runtime) == ["a_1mcp_x"]
        assert runtime.tags("a") == {"web"}
        assert len(upstreams.channels["a"]) == 1


async def test_another_order_in_the_file_is_another_order_in_the_lists(running: Running) -> None:
    upstreams = Upstreams(a=handshake("x"), b=handshake("x"))
    specs = [spec("a"), spec("b")]
    async with running(upstreams, specs=specs) as runtime:
        await runtime.apply(specs[::-1])
        assert listed(runtime) == ["b_1mcp_x", "a_1mcp_x"]


async def test_a_faulty_or_disabled_entry_runs_nothing_and_holds_nobody_up(running: Running) -> None:
    fault = Problem("no command", "give it one")
    specs = [spec("a"), replace(spec("b"), transport=None, fault=fault), spec("c", disabled=True)]
    async with running(Upstreams(a=handshake("x")), specs=specs) as runtime:
        states = {s.spec.name: (s.life.state, s.life.reason) for s in runtime.pool}
        assert states["b"] == (State.FAILED, "no command; give it one")
        assert states["c"] == (State.DISABLED, "")
        assert listed(runtime) == ["a_1mcp_x"]


async def test_listeners_hear_of_every_move(running: Running) -> None:
    upstreams = Upstreams(a=handshake("x"))
    events: list[UpstreamChanged] = []
    async with running(upstreams) as runtime:
        runtime.events.listen(UpstreamChanged, events.append)
        upstreams.last("a").die("was ended by signal SIGKILL")
        await until(lambda: any(event.state is State.READY for event in events))
    moves = [(event.previous, event.state) for event in events]
    assert moves[:3] == [
        (State.READY, State.BACKOFF),
        (State.BACKOFF, State.CONNECTING),
        (State.CONNECTING, State.READY),
    ]
    assert events[0].reason == "was ended by signal SIGKILL"
    assert events[2].offering is not None


async def test_a_name_that_had_to_be_shortened_is_told_once_when_it_is_loaded(
    running: Running, caplog: pytest.LogCaptureFixture
) -> None:
    upstreams = Upstreams(a=handshake("n" * 80))
    with caplog.at_level(logging.WARNING, "onemcp.gateway"):
        async with running(upstreams) as runtime:
            await until(lambda: "too long for common clients" in caplog.text)
            upstreams.last("a").script = handshake("n" * 80, "other")
            upstreams.last("a").announce("tools")
            await until(lambda: len(listed(runtime)) == 2)
    assert caplog.text.count("too long for common clients") == 1


async def test_a_killed_upstream_keeps_its_place_in_the_lists_while_it_comes_back(running: Running) -> None:
    upstreams = Upstreams(a=handshake("x"))
    async with running(upstreams) as runtime:
        upstreams.last("a").die()
        await until(lambda: runtime.pool.get("a").life.state is not State.READY)  # type: ignore[union-attr] # configured above
        assert listed(runtime) == ["a_1mcp_x"]
        await until(lambda: len(upstreams.channels["a"]) == 2)


@pytest.mark.parametrize("change", [{"disabled": True}, {"tags": frozenset({"other"})}])
async def test_those_who_lose_sight_of_an_upstream_are_told(running: Running, change: dict[str, Any]) -> None:
    before = spec("a", tags=frozenset({"web"}))
    stream = Stream(View(simple("web")))
    async with running(Upstreams(a=handshake("x")), specs=[before]) as runtime:
        await until(lambda: runtime.notifier.sent > 0)
        with runtime.notifier.listening(stream):
            await runtime.apply([replace(before, **change)])
            assert await stream.next() is not None


async def test_names_that_nobody_has_are_not_kept(running: Running) -> None:
    async with running(Upstreams(a=handshake("x"))) as runtime:
        for number in range(100):
            assert not runtime.catalog_of(
                CallContext(Era.HANDSHAKE, "2025-11-25", View(), endpoint=f"nobody-{number}")
            ).entries
        assert not runtime._solo


async def test_nothing_of_what_was_replaced_is_kept(running: Running) -> None:
    off = replace(spec("a"), disabled=True)  # the connections of others are kept by this test's upstreams
    async with running(Upstreams(), specs=[off]) as runtime:
        replaced = []
        for seconds in (6.0, 7.0, 8.0):
            supervisor = runtime.pool.get("a")
            assert supervisor is not None
            replaced.append(weakref.ref(supervisor))
            del supervisor
            await runtime.apply([replace(off, connection_timeout=seconds)])
            await asyncio.sleep(0)  # the one that begins anew sees the end of the one before
        gc.collect()
        assert [ref() for ref in replaced] == [None] * len(replaced)


async def test_whoever_goes_through_the_upstreams_is_not_disturbed_by_a_reload(running: Running) -> None:
    upstreams = Upstreams(a=handshake("x"), b=handshake("x"), c=handshake("x"))
    async with running(upstreams, specs=[spec("a"), spec("b")]) as runtime:
        seen = []
        for supervisor in runtime.pool:
            seen.append(supervisor.spec.name)
            await runtime.apply([spec("c")])
        assert seen == ["a", "b"]


async def test_a_call_that_waits_for_a_start_is_answered_by_what_is_configured_meanwhile(
    running: Running,
) -> None:
    gate = asyncio.Event()

    async def late() -> object:
        await gate.wait()
        return handshake("x")["tools/list"]

    upstreams = Upstreams(a={**handshake("x"), "tools/list": lambda _: late()})
    async with running(upstreams, specs=[spec("a")], settle=False) as runtime:
        call = asking(runtime, "a_1mcp_x")
        for seconds in (6.0, 7.0):
            await until(lambda: any(supervisor.waiting for supervisor in runtime.pool))
            await runtime.apply([replace(spec("a"), connection_timeout=seconds)])
        gate.set()
        assert (await call).error is ABSENT
