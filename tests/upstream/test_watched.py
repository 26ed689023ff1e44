"""What is watched of an upstream, and how its connections are brought to it, over scripted ones."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from msgspec import Raw
from tests.support.channels import (
    IDENTITY,
    Failure,
    Script,
    ScriptedChannel,
    Upstreams,
    resources,
    spec,
    stateless_resources,
    until,
)

from onemcp.core.spec import RestartPolicy
from onemcp.errors import Reason, RpcError, UpstreamError
from onemcp.upstream import watched
from onemcp.upstream.connection import Connection
from onemcp.upstream.supervisor import Supervisor
from onemcp.upstream.watched import Watched
from onemcp.wire.envelope import Envelope

pytestmark = pytest.mark.anyio

FAST = RestartPolicy(first_delay=0.001, max_delay=0.002)
SUBSCRIBE, UNSUBSCRIBE = "resources/subscribe", "resources/unsubscribe"


class Case:
    """A supervisor of one scripted upstream, and what it has said that was not about lists."""

    def __init__(self, script: Script) -> None:
        self.upstreams = Upstreams(s=script)
        self.heard: list[Envelope] = []
        self.supervisor = Supervisor(
            spec("s", restart=FAST),
            self.upstreams.open,
            IDENTITY,
            lambda *_: None,
            lambda _supervisor, envelope, _respond: self.heard.append(envelope),
        )

    @property
    def channel(self) -> ScriptedChannel:
        return self.upstreams.last("s")

    async def want(self, *uris: str) -> None:
        for uri in uris:
            await self.supervisor.watched.want(uri)

    def drop(self, uri: str) -> None:
        self.supervisor.watched.drop(uri)

    async def again(self) -> ScriptedChannel:
        """The upstream dies and comes back."""
        self.channel.die()
        count = len(self.upstreams.channels["s"])
        await until(lambda: len(self.upstreams.channels["s"]) > count)
        await self.supervisor.ready(5)
        return self.channel


@asynccontextmanager
async def case(script: Script, *, watched_before: tuple[str, ...] = ()) -> AsyncIterator[Case]:
    it = Case(script)
    it.supervisor.watched.restore(watched_before)
    task = asyncio.create_task(it.supervisor.run())
    try:
        await it.supervisor.ready(5)
        yield it
    finally:
        task.cancel()
        await asyncio.wait((task,))


def heard(it: Case) -> list[str]:
    return [bytes(envelope.params).decode() for envelope in it.heard]


# The handshake era: each resource by itself


async def test_a_resource_is_subscribed_to_once_however_often_it_is_wanted() -> None:
    async with case(resources("a:1", "a:2")) as it:
        await it.want("a:1", "a:1", "a:2")
        assert it.channel.said(SUBSCRIBE) == ["a:1", "a:2"]
        assert len(it.supervisor.watched) == 2
        assert it.heard == [], "nothing was missed"


async def test_what_nobody_wants_any_more_is_unsubscribed_from() -> None:
    async with case(resources("a:1")) as it:
        await it.want("a:1")
        it.drop("a:1")
        await until(lambda: it.channel.said(UNSUBSCRIBE) == ["a:1"])
        await it.want("a:1")
        assert it.channel.said(SUBSCRIBE) == ["a:1", "a:1"]


async def test_what_is_wanted_again_at_once_stays_watched() -> None:
    async with case(resources("a:1")) as it:
        await it.want("a:1")
        it.drop("a:1")
        await it.want("a:1")
        it.drop("a:1")
        await until(lambda: it.channel.said(UNSUBSCRIBE) == ["a:1"])
        assert it.channel.said(SUBSCRIBE) == ["a:1"]


async def test_a_failing_unsubscription_disturbs_nobody() -> None:
    script = {**resources("a:1", "a:2"), UNSUBSCRIBE: Failure(-32603)}
    async with case(script) as it:
        await it.want("a:1")
        it.drop("a:1")
        await it.want("a:2")
        await until(lambda: it.channel.said(UNSUBSCRIBE) == ["a:1"])


async def test_the_error_of_the_upstream_is_the_answer_to_all_who_wait_and_only_asked_for_once() -> None:
    gate = asyncio.Event()

    async def refuse(_: object) -> object:
        await gate.wait()
        return Failure(-32002, "no such resource", {"uri": "a:1"})

    async with case({**resources(), SUBSCRIBE: refuse}) as it:
        waiting = [asyncio.ensure_future(it.want("a:1")) for _ in range(2)]
        await until(lambda: it.channel.said(SUBSCRIBE) == ["a:1"])
        gate.set()
        for task in waiting:
            with pytest.raises(RpcError, match="no such resource") as caught:
                await task
            assert caught.value.code == -32002
            assert bytes(caught.value.data) == b'{"uri":"a:1"}'  # type: ignore[call-overload]  # it is a Raw
        it.drop("a:1")
        assert it.channel.said(UNSUBSCRIBE) == []
        assert it.channel.said(SUBSCRIBE) == ["a:1"]


async def test_an_upstream_that_declares_no_subscriptions_is_not_asked_for_any() -> None:
    async with case(resources("a:1", subscribe=False)) as it:
        with pytest.raises(RpcError, match="s: does not offer subscriptions") as caught:
            await it.want("a:1")
        assert caught.value.code == -32601
        assert it.channel.said(SUBSCRIBE) == []


async def test_an_upstream_that_does_not_answer_is_an_error_of_its_own() -> None:
    failure = UpstreamError("s", Reason.TIMEOUT, "did not answer")
    async with case({**resources("a:1"), SUBSCRIBE: failure}) as it:
        with pytest.raises(UpstreamError, match="did not answer"):
            await it.want("a:1")
        it.drop("a:1")
        assert len(it.supervisor.watched) == 0


async def test_after_a_restart_everything_is_subscribed_to_again_and_said_to_have_been_missed() -> None:
    async with case(resources("a:1", "a:2")) as it:
        await it.want("a:1", "a:2")
        channel = await it.again()
        await until(lambda: len(it.heard) == 2)
        assert sorted(channel.said(SUBSCRIBE)) == ["a:1", "a:2"]
        assert sorted(heard(it)) == ['{"uri":"a:1"}', '{"uri":"a:2"}']
        assert {envelope.method for envelope in it.heard} == {"notifications/resources/updated"}


async def test_more_than_can_be_asked_for_at_once_is_restored_too() -> None:
    uris = tuple(f"a:{number}" for number in range(100))
    async with case(resources(*uris), watched_before=uris) as it:
        await until(lambda: len(it.heard) == 100)
        assert sorted(it.channel.said(SUBSCRIBE)) == sorted(uris)


async def test_a_new_session_of_the_same_connection_is_told_again() -> None:
    async with case(resources("a:1")) as it:
        await it.want("a:1")
        it.channel.on_reinitialized()
        await until(lambda: heard(it) == ['{"uri":"a:1"}'])
        assert it.channel.said(SUBSCRIBE) == ["a:1", "a:1"]


async def test_what_is_dropped_while_the_upstream_is_away_does_not_come_back() -> None:
    async with case(resources("a:1", "a:2")) as it:
        await it.want("a:1", "a:2")
        it.channel.die()
        it.drop("a:1")
        await until(lambda: len(it.upstreams.channels["s"]) == 2)
        await until(lambda: it.channel.said(SUBSCRIBE) == ["a:2"])
        assert it.channel.said(UNSUBSCRIBE) == []


async def test_what_is_refused_after_a_restart_is_asked_for_again_when_the_resources_change() -> None:
    async with case(resources("a:1")) as it:
        await it.want("a:1")
        it.upstreams.scripts["s"] = script = {**resources(), SUBSCRIBE: Failure(-32002)}
        channel = await it.again()
        await until(lambda: len(it.heard) == 1)
        script.update(resources("a:1"))
        channel.announce("resources")
        await until(lambda: len(it.heard) == 2)
        assert channel.said(SUBSCRIBE) == ["a:1", "a:1"]


async def test_a_resource_that_was_refused_is_asked_for_again_by_whoever_wants_it_then() -> None:
    script = {**resources(), SUBSCRIBE: Failure(-32002)}
    async with case(script, watched_before=("a:1",)) as it:
        await until(lambda: len(it.heard) == 1)
        script[SUBSCRIBE] = {}
        await it.want("a:1")
        assert it.channel.said(SUBSCRIBE) == ["a:1", "a:1"]


async def test_what_failed_without_an_answer_is_tried_again_after_a_while() -> None:
    script = {**resources("a:1"), SUBSCRIBE: UpstreamError("s", Reason.OVERLOADED, "is busy", ran=False)}
    channel, missed = ScriptedChannel(script, lambda _: None), list[str]()
    connection = Connection(channel, "2025-11-25", {"resources": Raw(b'{"subscribe":true}')}, Raw(b"{}"))
    it = Watched("s", missed.append, retry=0.01)
    it.restore(("a:1",))
    it.begin(connection)
    await until(lambda: len(channel.said(SUBSCRIBE)) >= 2)
    script[SUBSCRIBE] = {}
    await until(lambda: missed == ["a:1"])
    await it.end()


async def test_too_much_is_refused_and_leaves_what_is_watched() -> None:
    uris = tuple(f"a:{number}" for number in range(watched.MAX_WATCHED))
    async with case(resources(*uris[:1]), watched_before=uris) as it:
        with pytest.raises(UpstreamError, match="4096 resources watched already") as caught:
            await it.want("a:more")
        assert caught.value.reason is Reason.OVERLOADED
        assert not caught.value.ran
        await it.want("a:7")


# The stateless era: one request for all


async def test_a_stateless_upstream_is_asked_for_the_whole_set_each_time() -> None:
    async with case(stateless_resources("a:1", "a:2")) as it:
        await it.want("a:1", "a:2")
        it.drop("a:1")
        await until(lambda: len(it.channel.watching) == 3)
        assert it.channel.watching == [{"a:1"}, {"a:1", "a:2"}, {"a:2"}]
        assert it.heard == []


async def test_what_a_stateless_upstream_does_not_repeat_is_not_watched() -> None:
    async with case({**stateless_resources("a:1", "a:2"), "watch": ["a:1"]}) as it:
        await it.want("a:1")
        with pytest.raises(RpcError, match="does not tell of updates"):
            await it.want("a:2")
        it.drop("a:2")
        await until(lambda: it.channel.watching[-1] == {"a:1"})


@pytest.mark.parametrize(
    "failure", [RpcError(-32601, "Method not found"), UpstreamError("s", Reason.TIMEOUT, "is silent")]
)
async def test_a_stateless_upstream_that_refuses_or_is_silent_fails_who_asks_and_nobody_else(
    failure: Exception,
) -> None:
    script: Any = stateless_resources("a:1", "a:2")
    async with case(script) as it:
        await it.want("a:1")
        script["watch"] = failure
        with pytest.raises(type(failure), match=str(failure)):
            await it.want("a:2")
        it.drop("a:2")
        await it.want("a:1")


async def test_a_stateless_upstream_that_restarts_is_asked_again() -> None:
    async with case(stateless_resources("a:1")) as it:
        await it.want("a:1")
        channel = await it.again()
        await until(lambda: heard(it) == ['{"uri":"a:1"}'])
        assert channel.watching == [{"a:1"}]


async def test_a_gap_in_what_a_stateless_upstream_tells_is_told_of_without_asking_again() -> None:
    async with case(stateless_resources("a:1")) as it:
        await it.want("a:1")
        it.channel.on_missed()
        assert heard(it) == ['{"uri":"a:1"}']
        assert len(it.channel.watching) == 1
