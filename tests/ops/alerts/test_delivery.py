"""Delivery to one webhook: in order, again and again, and never in each other's way."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace

import pytest
from tests.support.channels import until
from tests.support.http_peer import Peer, Received, Wire

from onemcp.config.webhooks import Webhook
from onemcp.core.spec import RestartPolicy
from onemcp.ops.alerts.alert import Alert, make_test
from onemcp.ops.alerts.delivery import Delivery
from onemcp.ops.alerts.outbox import GIVE_UP, Outbox
from onemcp.store.memory import MemoryStore

pytestmark = pytest.mark.anyio

NOW = 1_760_000_000.0
QUICK = RestartPolicy(first_delay=0.01, max_delay=0.05)


def alert(number: int) -> Alert:
    return replace(make_test(NOW, "node"), id=f"{number:013d}-x", subject=str(number))


@dataclass
class Setup:
    """A webhook whose answers a test decides, and its delivery."""

    outbox: Outbox = field(default_factory=lambda: Outbox(MemoryStore()))
    answers: Callable[[str], int] = lambda _: 200
    got: list[tuple[str, int]] = field(default_factory=list)
    """Subjects of the alerts as they came, and what was answered."""
    now: float = NOW
    headers: bytes = b""

    async def handle(self, request: Received, wire: Wire) -> None:
        subject = str(request.message["subject"])
        status = self.answers(subject)
        self.got.append((subject, status))
        await wire.send(b"HTTP/1.1 %d x\r\n%bcontent-length: 0\r\n\r\n" % (status, self.headers))

    @property
    def taken(self) -> list[str]:
        return [subject for subject, status in self.got if status == 200]

    @asynccontextmanager
    async def running(self, pauses: RestartPolicy = QUICK) -> AsyncIterator[Delivery]:
        async with Peer(self.handle) as peer:
            webhook = Webhook("hook", peer.url, "label", allow_private=True, timeout=5)
            delivery = Delivery(webhook, self.outbox, self.clock, pauses)
            task = asyncio.create_task(delivery.run())
            try:
                async with asyncio.timeout(20):
                    yield delivery
            finally:
                task.cancel()
                await asyncio.gather(task, return_exceptions=True)

    def clock(self) -> float:
        return self.now + asyncio.get_running_loop().time()

    async def add(self, *numbers: int) -> None:
        for number in numbers:
            await self.outbox.add(replace(alert(number), at=self.clock()), ["hook"])


async def delivery_looked(delivery: Delivery) -> None:
    """Return when it has seen what time it is now."""
    delivery.wake()
    for _ in range(10):
        await asyncio.sleep(0)


async def test_what_waits_is_delivered_in_order_and_then_it_rests() -> None:
    setup = Setup()
    await setup.add(1, 2)
    async with setup.running() as delivery:
        await delivery.at_rest()
        await setup.add(3)
        await delivery.at_rest()
        assert setup.taken == ["1", "2", "3"]
        assert (delivery.delivered, delivery.attempts, delivery.error) == (3, 3, "")
    assert not setup.outbox.waiting("hook")


async def test_one_that_asks_for_a_pause_gets_it_up_to_the_longest_of_ours() -> None:
    setup = Setup(answers=lambda _: 503, headers=b"retry-after: 86400\r\n")
    await setup.add(1)
    async with setup.running(RestartPolicy(first_delay=0.01, max_delay=300.0)) as delivery:
        await until(lambda: delivery.failures == 1)
        setup.answers = lambda _: 200
        setup.now += 290
        await delivery_looked(delivery)
        assert setup.got == [("1", 503)]
        setup.now += 11
        delivery.wake()
        await until(lambda: delivery.delivered == 1)


async def test_one_that_is_not_well_is_tried_with_the_oldest_until_it_is() -> None:
    setup = Setup(answers=lambda _: 503)
    await setup.add(1, 2)
    async with setup.running() as delivery:
        await until(lambda: len(setup.got) >= 3)
        assert set(setup.got) == {("1", 503)}
        assert delivery.error == "answered with status 503"
        setup.answers = lambda _: 200
        await until(lambda: delivery.delivered == 2)
        assert setup.taken == ["1", "2"]
        assert (delivery.failures, delivery.error) == (0, "")


async def test_one_that_does_not_take_one_alert_gets_the_others_meanwhile() -> None:
    setup = Setup(answers=lambda subject: 400 if subject == "1" else 200)
    await setup.add(1, 2, 3)
    async with setup.running() as delivery:
        await until(lambda: delivery.delivered == 2)
        assert setup.taken == ["2", "3"]
        setup.answers = lambda _: 200
        await until(lambda: delivery.delivered == 3)
        assert setup.taken == ["2", "3", "1"]


async def test_it_rests_also_when_the_webhook_is_not_well() -> None:
    setup = Setup(answers=lambda _: 500)
    await setup.add(1)
    async with setup.running() as delivery:
        await delivery.at_rest()
        assert delivery.error


@pytest.mark.parametrize("status", [500, 400])
async def test_on_the_way_out_what_waits_is_tried_once_more_whenever_its_turn_is(status: int) -> None:
    setup = Setup(answers=lambda _: status)
    await setup.add(1)
    async with setup.running(RestartPolicy(first_delay=600, max_delay=600)) as delivery:
        await delivery.at_rest()
        await until(lambda: len(setup.got) >= 1 and bool(delivery.error))
        setup.answers = lambda _: 200
        await delivery.at_rest()
        assert setup.taken == ["1"]


async def test_what_is_too_old_is_given_up_without_an_attempt() -> None:
    setup = Setup()
    await setup.add(1)
    setup.now += GIVE_UP + 1
    await setup.add(2)
    async with setup.running() as delivery:
        await delivery.at_rest()
        await until(lambda: delivery.delivered == 1)
    assert setup.taken == ["2"]
    assert setup.outbox.dead == 1


async def test_while_it_is_silent_nothing_is_sent_and_nothing_grows_old() -> None:
    setup = Setup()
    await setup.add(1)
    async with setup.running() as delivery:
        delivery.is_silent = True
        setup.now += GIVE_UP + 1
        await setup.add(2)
        await delivery.at_rest()
        assert (setup.got, setup.outbox.dead) == ([], 0)
        delivery.is_silent = False
        await delivery.at_rest()
        await until(lambda: delivery.delivered == 1)
    assert (setup.taken, setup.outbox.dead) == (["2"], 1)
