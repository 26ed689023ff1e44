"""A call that was given up stays in the way until its upstream is known to have read that."""

import asyncio
from typing import Any

import pytest
from msgspec import Raw
from tests.gateway.conftest import Running
from tests.gateway.test_backchannel import message, request, session
from tests.support.channels import Upstreams, handshake, spec, stateless, until

from onemcp.core.access import View
from onemcp.core.spec import UpstreamSpec
from onemcp.gateway.context import CallContext
from onemcp.gateway.dispatch import Dispatcher
from onemcp.gateway.runtime import Runtime
from onemcp.gateway.sessions import Session
from onemcp.wire.envelope import Envelope, encode
from onemcp.wire.revisions import Era

pytestmark = pytest.mark.anyio


class Scene:
    """An upstream whose calls hang, and that reads nothing of what follows a call until it is told to."""

    def __init__(self, make: Any, sign: str) -> None:
        self.reading = asyncio.Event()
        self.signs = 0
        script = make("t")
        settled = script.get(sign)

        async def hang(_: object) -> object:
            return await asyncio.Event().wait()

        async def answer(_: object) -> object:
            self.signs += 1
            if self.signs > (
                1 if sign == "server/discover" else 0
            ):  # the first of these opens the connection
                await self.reading.wait()
            return settled

        script["tools/call"] = hang
        script[sign] = answer
        self.upstreams = Upstreams(a=script)


async def begin(runtime: Runtime, client: Session, heard: list[bytes]) -> asyncio.Task[Any]:
    """A call under way."""

    def emit(message: bytes) -> bool:
        heard.append(message)
        return True

    before = len(runtime.backchannel)
    ctx = CallContext(Era.HANDSHAKE, "2025-11-25", View(), client, emit=emit, log_level="debug")
    envelope = Envelope("2.0", method="tools/call", params=Raw(encode({"name": "a_1mcp_t"})))
    task = ctx.task = asyncio.create_task(Dispatcher(runtime).dispatch(ctx, envelope))
    await until(lambda: len(runtime.backchannel) == before + 1)
    return task


async def give_up(call: asyncio.Task[Any]) -> None:
    """Its client cancels it."""
    call.cancel()
    await asyncio.gather(call, return_exceptions=True)


def specs(timeout: float) -> list[UpstreamSpec]:
    return [spec("a", request_timeout=timeout)]


@pytest.mark.parametrize(("make", "sign"), [(handshake, "ping"), (stateless, "server/discover")])
async def test_what_a_dead_call_says_reaches_nobody_else(running: Running, make: Any, sign: str) -> None:
    scene = Scene(make, sign)
    dead, alive = list[bytes](), list[bytes]()
    async with running(scene.upstreams, specs=specs(0.5)) as runtime:
        first = await begin(runtime, session(), dead)
        channel = scene.upstreams.last("a")
        await give_up(first)
        second = await begin(runtime, session(), alive)
        channel.inbound(message("error"))
        channel.inbound(request())
        assert (dead, alive) == ([], [])
        assert b'"error"' in channel.sent[-1]
        await give_up(second)
        scene.reading.set()
        await until(lambda: not runtime.backchannel.is_busy(runtime.pool.get("a")))
        third = await begin(runtime, session(), alive)
        channel.inbound(message("error"))
        assert (len(dead), len(alive)) == (0, 1)
        await give_up(third)


async def test_an_upstream_that_has_read_the_cancellation_may_go_on_all_the_same(running: Running) -> None:
    scene = Scene(handshake, "ping")
    scene.reading.set()
    alive = list[bytes]()
    async with running(scene.upstreams, specs=specs(60.0)) as runtime:
        await give_up(await begin(runtime, session(), []))
        await until(lambda: scene.signs > 0)
        second = await begin(runtime, session(), alive)
        scene.upstreams.last("a").inbound(request())
        assert not alive
        await give_up(second)


async def test_many_dead_calls_cost_few_signs(running: Running) -> None:
    scene = Scene(handshake, "ping")
    async with running(scene.upstreams, specs=specs(0.5)) as runtime:
        calls = [await begin(runtime, session(), []) for _ in range(20)]
        for each in calls:
            each.cancel()
        await asyncio.gather(*calls, return_exceptions=True)
        assert len(runtime.backchannel) == 0
        scene.reading.set()
        await until(lambda: not runtime.backchannel.is_busy(runtime.pool.get("a")))
        assert scene.signs <= 2


async def test_with_its_connection_they_are_gone(running: Running) -> None:
    scene = Scene(handshake, "ping")
    async with running(scene.upstreams) as runtime:
        call = await begin(runtime, session(), [])
        call.cancel()
        await asyncio.gather(call, return_exceptions=True)
    assert len(runtime.backchannel) == 0
