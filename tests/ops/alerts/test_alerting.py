"""Alerting in one process: from events to webhooks, and over a restart."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from tests.support.channels import until
from tests.support.http_peer import Peer, Received, Wire, answer

from onemcp.config.alerts import AlertsConfig
from onemcp.config.webhooks import Webhook
from onemcp.core.alerts import USUAL, Rule
from onemcp.core.events import (
    Alarm,
    AuthenticationFailed,
    ConfigReloaded,
    Events,
    InstanceStarted,
    LoopStalled,
    Severity,
    StoreChanged,
    UpstreamChanged,
)
from onemcp.core.lifecycle import State
from onemcp.core.spec import UpstreamSpec
from onemcp.ops.alerts.alerting import Alerting
from onemcp.ops.alerts.verbs import AlertVerbs
from onemcp.ops.logs.verbs import RefusedError
from onemcp.store.memory import MemoryStore
from onemcp.store.sqlite import SqliteStore

pytestmark = pytest.mark.anyio

NOW = 1_760_000_000.0
AT_ONCE = {
    name: Rule(rule.severity, min(rule.seconds, 0.2), 0.0, rule.threshold) for name, rule in USUAL.items()
}
AT_ONCE |= {name: Rule(Severity.CRITICAL, 0.0, 0.0) for name in ("server_down", "server_needs_authorization")}


@dataclass
class World:
    """Events, servers, a store and a webhook, which outlive one process."""

    store: Any = field(default_factory=MemoryStore)
    servers: list[tuple[UpstreamSpec, State]] = field(default_factory=list)
    events: Events = field(default_factory=Events)
    rules: dict[str, Rule] = field(default_factory=lambda: AT_ONCE)
    got: list[dict[str, Any]] = field(default_factory=list)

    @property
    def told(self) -> list[tuple[str, str]]:
        """Kinds and what became of them, as the webhook heard of them."""
        return [(alert["kind"], alert["status"]) for alert in self.got]

    @asynccontextmanager
    async def process(self) -> AsyncIterator[Alerting]:
        """Alerting as in one process of the gateway, with events of its own."""
        self.events = Events()

        async def handle(request: Received, wire: Wire) -> None:
            self.got.append(request.message)
            await wire.send(answer(b"{}"))

        async with asyncio.timeout(20), Peer(handle) as peer:
            hook = Webhook("hook", peer.url, "label", allow_private=True)
            async with Alerting(self.events, self.store, lambda: self.servers, "node:1") as alerting:
                alerting.adopt(AlertsConfig((hook,), self.rules))
                await until(lambda: bool(alerting.deliveries))
                yield alerting

    def move(self, state: State, previous: State = State.CONNECTING, name: str = "git") -> None:
        self.events.emit(UpstreamChanged(name, state, previous, "why", 1.0, None))


async def test_down_and_up_is_one_raise_and_one_clear() -> None:
    world = World()
    async with world.process() as alerting:
        world.move(State.BACKOFF)
        world.move(State.BACKOFF)
        await until(lambda: len(world.got) == 1)
        (raised,) = AlertVerbs(alerting).active()["raised"]
        assert (raised["kind"], raised["subject"], raised["summary"]) == ("server_down", "git", "why")
        world.move(State.READY)
        await until(lambda: len(world.got) == 2)
        assert AlertVerbs(alerting).active()["raised"] == []
    assert world.told == [("server_down", "raised"), ("server_recovered", "cleared")]


async def test_what_ends_because_the_gateway_does_is_not_told() -> None:
    world = World()
    async with world.process():
        world.move(State.BACKOFF)
    world.move(State.READY)
    assert world.told == [("server_down", "raised")]


async def test_a_condition_that_was_raised_is_cleared_by_the_next_process_and_not_raised_again() -> None:
    world = World()
    async with world.process():
        world.move(State.BACKOFF)
        world.events.emit(ConfigReloaded("mcp.json", "faulty"))
    world.servers = [(UpstreamSpec("git", None), State.CONNECTING)]
    async with world.process():
        world.events.emit(InstanceStarted("http://h/mcp"))
        world.move(State.BACKOFF)
        world.move(State.READY)
        await until(lambda: ("server_recovered", "cleared") in world.told)
    assert sorted(world.told) == [
        ("config_reload_failed", "cleared"),
        ("config_reload_failed", "raised"),
        ("instance_started", "raised"),
        ("server_down", "raised"),
        ("server_recovered", "cleared"),
    ]


async def forget(store: Any, *prefixes: str) -> None:
    """As if the process had been killed before it wrote these."""
    for prefix in prefixes:
        for key, _ in await store.scan(prefix, NOW, 1000):
            await store.delete(key, NOW)


async def test_a_process_that_was_killed_after_it_told_and_before_it_kept_that_tells_it_once() -> None:
    world = World()
    async with world.process() as alerting:
        world.move(State.BACKOFF)
        await until(lambda: len(world.got) == 1 and not alerting.outbox.waiting("hook"))
    await forget(world.store, "alerts/state/")
    async with world.process() as alerting:
        world.move(State.BACKOFF)
        assert alerting.conditions.due() is None
        world.move(State.READY)
        await until(lambda: len(world.got) == 2)
    assert world.told == [("server_down", "raised"), ("server_recovered", "cleared")]


async def test_an_alert_that_was_half_written_is_sent_to_everybody_under_its_id() -> None:
    world = World()
    async with world.process() as alerting:
        gone = Webhook("gone", "http://127.0.0.1:9/", "gone", allow_private=True)
        alerting.adopt(AlertsConfig((gone,), AT_ONCE))
        await until(lambda: [d.webhook.id for d in alerting.deliveries] == ["gone"])
        world.move(State.BACKOFF)
        await until(lambda: bool(alerting.outbox.waiting("gone")))
        (pending,) = alerting.outbox.waiting("gone")
    await forget(world.store, "alerts/state/", "alerts/history/")
    async with world.process() as alerting:
        world.move(State.BACKOFF)
        await until(lambda: len(world.got) == 1)
        world.move(State.READY)
        await until(lambda: len(world.got) == 2)
        assert len(alerting.outbox.history(9)) == 2
    assert world.told == [("server_down", "raised"), ("server_recovered", "cleared")]
    assert world.got[0]["id"] == pending.alert.id


async def test_a_server_that_is_taken_out_of_the_configuration_is_cleared() -> None:
    world = World(servers=[(UpstreamSpec("git", None), State.FAILED)])
    async with world.process():
        world.events.emit(InstanceStarted(""))
        await until(lambda: ("server_down", "raised") in world.told)
        world.servers = []
        world.events.emit(ConfigReloaded("mcp.json"))
        await until(lambda: ("server_recovered", "cleared") in world.told)
    assert world.got[-1]["summary"] == "it is not configured any more"


async def test_one_that_waits_for_authorization_is_not_down() -> None:
    world = World(rules={**AT_ONCE, "server_down": Rule(Severity.CRITICAL, 0.3, 0.0)})
    async with world.process() as alerting:
        world.move(State.BACKOFF)
        world.move(State.AWAITING_AUTH)
        await until(lambda: alerting.conditions.due() is None)
        world.move(State.READY)
        await until(lambda: len(world.got) == 2)
    kind = "server_needs_authorization"
    assert world.told == [(kind, "raised"), (kind, "cleared")]


async def test_every_event_of_the_gateway_itself_is_heard() -> None:
    world = World()
    async with world.process():
        for event in (StoreChanged("disk full"), LoopStalled(2.0), Alarm("instance_draining", "", "by hand")):
            world.events.emit(event)
        for _ in range(USUAL["auth_failure_burst"].threshold):
            world.events.emit(AuthenticationFailed("192.0.2.1"))
        await until(lambda: len(world.got) == 6)
    kinds = ["store_unreachable", "event_loop_stalled", "instance_draining", "auth_failure_burst"]
    assert [kind for kind, status in world.told if status == "raised"] == kinds
    assert {kind for kind, status in world.told if status == "cleared"} == {kinds[1], kinds[3]}


async def test_what_happens_right_after_the_rules_were_adopted_goes_by_them() -> None:
    world = World()
    off = {**AT_ONCE, "instance_started": Rule(Severity.INFO, 0.0, 0.0, enabled=False)}
    async with world.process() as alerting:
        alerting.adopt(AlertsConfig(alerting.config.webhooks, off))
        world.events.emit(InstanceStarted("http://h/mcp"))
        world.move(State.BACKOFF)
        await until(lambda: bool(world.got))
    assert world.told == [("server_down", "raised")]


async def test_a_kind_that_nobody_declared_is_no_alert() -> None:
    world = World()
    async with world.process():
        world.events.emit(Alarm("no_such_kind"))
        world.events.emit(Alarm("server_recovered", "git"))
    assert world.told == []


async def test_a_store_that_fails_keeps_nothing_back(tmp_path: Path) -> None:
    async with SqliteStore.open(tmp_path / "store.db") as broken:
        pass
    world = World(broken)
    async with world.process():
        world.events.emit(StoreChanged("the store is closed"))
        world.move(State.BACKOFF)
        await until(lambda: len(world.got) == 2)
    assert world.told == [("store_unreachable", "raised"), ("server_down", "raised")]


async def test_what_waits_for_a_webhook_that_is_taken_away_is_a_dead_letter() -> None:
    world = World()
    async with world.process() as alerting:
        gone = Webhook("gone", "http://127.0.0.1:9/", "gone", allow_private=True)
        alerting.adopt(AlertsConfig((gone,), AT_ONCE))
        await until(lambda: [d.webhook.id for d in alerting.deliveries] == ["gone"])
        world.move(State.BACKOFF)
        await until(lambda: bool(alerting.outbox.waiting("gone")))
        alerting.adopt(AlertsConfig((), AT_ONCE))
        await until(lambda: alerting.outbox.dead == 1)
        (letter,) = AlertVerbs(alerting).history(5)["dead"]
        assert (letter["webhook"], letter["error"]) == (
            "a former webhook",
            "is not in the configuration any more",
        )


async def test_the_verbs_have_the_history_and_how_webhooks_are() -> None:
    world = World()
    async with world.process() as alerting:
        verbs = AlertVerbs(alerting).table()
        world.move(State.BACKOFF)
        await until(lambda: len(world.got) == 1 and not alerting.outbox.waiting("hook"))
        tested: Any = await verbs["POST", "/alerts/test"]({})
        history: Any = await verbs["GET", "/alerts/history"]({"limit": "1"})
        for limit in ("0", "501", "9999999999", "x"):
            with pytest.raises(RefusedError, match="no number from 1 to 500"):
                await verbs["GET", "/alerts/history"]({"limit": limit})
        active: Any = await verbs["GET", "/alerts"]({})
    assert tested["results"] == [{"webhook": "label", "error": ""}]
    assert [alert["id"] for alert in history["alerts"]] == [world.got[0]["id"]]
    (about,) = active["webhooks"]
    assert about == {
        "webhook": "label",
        "format": "json",
        "delivered": 1,
        "attempts": 1,
        "timeout": 10.0,
        "waiting": 0,
        "error": "",
    }


def silence(alerting: Alerting, *, is_on: bool) -> None:
    alerting.adopt(alerting.config, is_silent=is_on)


async def test_in_silence_conditions_are_followed_and_at_its_end_what_is_news_is_told() -> None:
    world = World()
    async with world.process() as alerting:
        world.move(State.BACKOFF, name="before")
        await until(lambda: len(world.got) == 1)
        silence(alerting, is_on=True)
        for name in ("during", "passing"):
            world.move(State.BACKOFF, name=name)
        for name in ("before", "passing"):
            world.move(State.READY, name=name)
        world.servers = [(UpstreamSpec("during", None), State.BACKOFF)]
        world.events.emit(InstanceStarted("http://h/mcp"))
        await until(lambda: len(alerting.outbox.history(10)) == 6)
        active = AlertVerbs(alerting).active()
        assert (active["silent"], [one["subject"] for one in active["raised"]]) == (True, ["during"])
        assert len(world.got) == 1
        silence(alerting, is_on=False)
        await until(lambda: len(world.got) == 3)
        assert not AlertVerbs(alerting).active()["silent"]
        world.move(State.READY, name="during")
        await until(lambda: len(world.got) == 4)
    assert [(one["kind"], one["subject"]) for one in world.got] == [
        ("server_down", "before"),
        ("server_down", "during"),
        ("server_recovered", "before"),
        ("server_recovered", "during"),
    ]


async def test_a_silence_goes_on_over_a_restart_and_what_was_held_is_told_by_whoever_ends_it() -> None:
    world = World()
    async with world.process() as alerting:
        silence(alerting, is_on=True)
        world.move(State.BACKOFF)
        await until(lambda: len(alerting.outbox.history(10)) == 1)
    assert world.got == []
    async with world.process():
        await until(lambda: len(world.got) == 1)
    assert world.told == [("server_down", "raised")]
