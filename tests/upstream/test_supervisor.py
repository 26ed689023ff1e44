"""The task that owns an upstream's connection."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from tests.support.channels import IDENTITY, Failure, Upstreams, handshake, spec, stateless, until

from onemcp.core.changes import Kind
from onemcp.core.lifecycle import State
from onemcp.core.offering import Listing
from onemcp.core.spec import RestartPolicy
from onemcp.errors import Reason, UpstreamError
from onemcp.upstream.supervisor import Hearer, Supervisor
from onemcp.wire.envelope import Envelope, parse

pytestmark = pytest.mark.anyio

FAST = RestartPolicy(first_delay=0.001, max_delay=0.002)


class Watch:
    """What a supervisor told."""

    def __init__(self) -> None:
        self.moves: list[State] = []
        self.changes: list[frozenset[Kind]] = []

    def __call__(self, supervisor: Supervisor, previous: State, changed: frozenset[Kind]) -> None:
        if supervisor.life.state is not previous:
            self.moves.append(supervisor.life.state)
        if changed:
            self.changes.append(changed)


@asynccontextmanager
async def supervised(
    upstreams: Upstreams, watch: Watch | None = None, hear: Hearer | None = None, **more: Any
) -> AsyncIterator[Supervisor]:
    more.setdefault("restart", FAST)
    supervisor = Supervisor(
        spec("s", **more), upstreams.open, IDENTITY, watch or Watch(), hear or (lambda *_: None)
    )
    task = asyncio.create_task(supervisor.run())
    try:
        yield supervisor
    finally:
        task.cancel()
        await asyncio.wait((task,))


async def test_it_connects_and_offers() -> None:
    watch = Watch()
    async with supervised(Upstreams(s=handshake("a", "b")), watch) as supervisor:
        connection = await supervisor.ready(5)
        assert connection.revision == "2025-11-25"
        assert supervisor.offering is not None
        assert [item.key for item in supervisor.offering.items(Listing.TOOLS)] == ["a", "b"]
        assert watch.changes == [frozenset({Kind.TOOLS})]
    assert watch.moves == [State.READY, State.STOPPING]


async def test_a_lost_connection_is_opened_again_without_flapping_the_lists() -> None:
    upstreams, watch = Upstreams(s=handshake("a")), Watch()
    async with supervised(upstreams, watch) as supervisor:
        await supervisor.ready(5)
        upstreams.last("s").die()
        await until(lambda: len(upstreams.channels["s"]) == 2)
        await supervisor.ready(5)
    assert watch.moves[:4] == [State.READY, State.BACKOFF, State.CONNECTING, State.READY]
    assert len(watch.changes) == 2, "only the coming and the going of the whole"


async def test_a_changed_offering_after_a_restart_is_told() -> None:
    upstreams, watch = Upstreams(s=handshake("a")), Watch()
    async with supervised(upstreams, watch) as supervisor:
        await supervisor.ready(5)
        upstreams.scripts["s"] = handshake("a", "b")
        upstreams.last("s").die()
        await until(lambda: len(watch.changes) == 2)


async def test_waiting_callers_are_told_the_state_and_the_reason() -> None:
    refusal = UpstreamError("s", Reason.UNREACHABLE, "connection refused", ran=False)
    policy = RestartPolicy(first_delay=60)
    async with supervised(Upstreams(s=refusal), restart=policy) as supervisor:
        await until(lambda: supervisor.life.state is State.BACKOFF)
        with pytest.raises(UpstreamError, match=r"s: is not ready \(backoff: connection refused\)") as caught:
            await supervisor.ready(0.01)
        assert caught.value.reason is Reason.NOT_READY
        assert not caught.value.ran


async def test_a_caller_that_waits_gets_the_connection_as_soon_as_it_is_there() -> None:
    gate = asyncio.Event()

    async def slow(_: object) -> object:
        await gate.wait()
        return {"tools": []}

    async with supervised(Upstreams(s=handshake(**{"tools/list": slow}))) as supervisor:
        waiting = asyncio.ensure_future(supervisor.ready(5))
        gate.set()
        assert (await waiting) is supervisor.connection


async def test_what_cannot_start_fails_for_good_and_nobody_waits_for_it() -> None:
    unfit = UpstreamError("s", Reason.UNFIT, 'command "x" was not found', ran=False)
    async with supervised(Upstreams(s=unfit)) as supervisor:
        await until(lambda: supervisor.life.state is State.FAILED)
        assert supervisor.is_settled
        with pytest.raises(UpstreamError, match="was not found"):
            await supervisor.ready(60)


async def test_an_upstream_that_wants_credentials_waits_for_them() -> None:
    denied = UpstreamError("s", Reason.UNAUTHORIZED, "401")
    upstreams = Upstreams(s=denied)
    async with supervised(upstreams) as supervisor:
        await until(lambda: supervisor.life.state is State.AWAITING_AUTH)
        upstreams.scripts["s"] = handshake("a")
        supervisor.retry()
        await supervisor.ready(5)


async def test_a_hanging_start_is_given_up() -> None:
    async def never(_: object) -> object:
        await asyncio.Event().wait()
        return {}

    upstreams = Upstreams(s=handshake(initialize=never))
    async with supervised(
        upstreams, connection_timeout=0.02, restart=RestartPolicy(first_delay=60)
    ) as supervisor:
        await until(lambda: supervisor.life.state is State.BACKOFF)
        assert "did not answer within 0.02 s" in supervisor.life.reason
        assert upstreams.last("s").closed.done()


async def test_one_that_dies_of_the_probe_is_not_probed_again() -> None:
    upstreams = Upstreams(
        s=handshake("a", **{"server/discover": UpstreamError("s", Reason.EXITED, "exited")})
    )
    async with supervised(upstreams) as supervisor:
        await supervisor.ready(5)
        assert upstreams.last("s").asked[0].method == "initialize"


async def test_a_storm_of_announcements_costs_few_fetches() -> None:
    upstreams = Upstreams(s=stateless("a"))
    async with supervised(upstreams) as supervisor:
        await supervisor.ready(5)
        channel = upstreams.last("s")
        channel.script = stateless("a", "b")
        for _ in range(10_000):
            channel.announce("tools")
        await until(
            lambda: supervisor.offering is not None and len(supervisor.offering.items(Listing.TOOLS)) == 2
        )
        assert sum(request.method == "tools/list" for request in channel.asked) <= 4


async def test_a_fetch_that_fails_keeps_the_last_offering() -> None:
    upstreams = Upstreams(s=handshake("a"))
    async with supervised(upstreams) as supervisor:
        await supervisor.ready(5)
        channel = upstreams.last("s")
        channel.script = handshake("a", **{"tools/list": Failure(-32603)})
        channel.announce("tools")
        await until(lambda: sum(request.method == "tools/list" for request in channel.asked) == 2)
        assert supervisor.listed is not None


async def test_one_that_cannot_be_reached_any_more_is_found_out() -> None:
    upstreams = Upstreams(s=handshake("a"))
    async with supervised(upstreams, restart=RestartPolicy(first_delay=60)) as supervisor:
        await supervisor.ready(5)
        upstreams.last("s").script["ping"] = UpstreamError("s", Reason.UNREACHABLE, "connection refused")
        supervisor.suspect()
        await until(lambda: supervisor.life.state is State.BACKOFF)
        assert supervisor.life.reason == "connection refused"


async def test_its_ping_is_answered_and_what_else_it_sends_is_heard() -> None:
    upstreams, heard = Upstreams(s=handshake("a")), list[str]()

    def hear(upstream: Supervisor, envelope: Envelope, respond: Callable[[bytes], None]) -> None:
        heard.append(f"{upstream} {envelope.method}")
        respond(b"{}")

    async with supervised(upstreams, hear=hear) as supervisor:
        await supervisor.ready(5)
        channel = upstreams.last("s")
        channel.inbound(parse(b'{"jsonrpc":"2.0","id":"p","method":"ping"}'))
        channel.inbound(parse(b'{"jsonrpc":"2.0","id":7,"method":"sampling/createMessage","params":{}}'))
        assert channel.sent[-2:] == [b'{"jsonrpc":"2.0","id":"p","result":{}}', b"{}"]
        assert heard == ["s sampling/createMessage"]


async def test_the_log_level_is_told_to_each_connection_that_logs() -> None:
    script = handshake("a", **{"logging/setLevel": {}})
    script["initialize"] = {**script["initialize"], "capabilities": {"tools": {}, "logging": {}}}
    upstreams = Upstreams(s=script)

    def told() -> list[bytes]:
        return [r.params for c in upstreams.channels["s"] for r in c.asked if r.method == "logging/setLevel"]

    async with supervised(upstreams) as supervisor:
        await supervisor.ready(5)
        supervisor.want_logs("debug")
        await until(lambda: told() == [b'{"level":"debug"}'])
        upstreams.last("s").die()
        await until(lambda: told() == [b'{"level":"debug"}'] * 2)
