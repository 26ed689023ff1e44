"""The drain: its phases, what it waits for, and what it ends."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from onemcp.ops.drain import REASON, Drain, Phase, overdue, refused

pytestmark = pytest.mark.anyio

LONG = 60.0


class Work:
    """A request under way, which answers when it is let, or says what it was told instead."""

    def __init__(self, drain: Drain, *, stubborn: bool = False) -> None:
        self.released = asyncio.Event()
        self.said = ""
        self._drain = drain
        self._stubborn = stubborn
        self.task = asyncio.create_task(self._answer())
        drain.begin(self.task)

    async def _answer(self) -> None:
        try:
            await self.released.wait()
            self.said = "answer"
        except asyncio.CancelledError:
            if not self._drain.absorbed(self.task):
                self.said = "cancelled"
                raise
            if self._stubborn:
                await self.released.wait()
            self.said = "overdue"
        finally:
            self._drain.end(self.task)


def heard(drain: Drain) -> list[Phase]:
    phases: list[Phase] = []
    drain.listen(phases.append)
    return phases


async def bounded(waiting: Awaitable[None]) -> None:
    async with asyncio.timeout(10):
        await waiting


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not condition():
            await asyncio.sleep(0)


async def test_with_nothing_under_way_it_goes_through_all_phases_at_once() -> None:
    drain = Drain()
    phases = heard(drain)
    assert (drain.phase, phases) == (Phase.SERVING, [])
    await bounded(drain.run(0, LONG))
    assert phases == [Phase.DISCOURAGING, Phase.DRAINING, Phase.STOPPED]
    assert drain.phase is Phase.STOPPED


async def test_it_refuses_nothing_before_it_drains() -> None:
    drain = Drain()
    refusing: list[tuple[Phase, bool]] = []
    drain.listen(lambda phase: refusing.append((phase, drain.is_refusing)))
    await bounded(drain.run(0.01, LONG))
    assert refusing == [(Phase.DISCOURAGING, False), (Phase.DRAINING, True), (Phase.STOPPED, True)]


async def test_what_is_under_way_is_waited_for() -> None:
    drain = Drain()
    first, second = Work(drain), Work(drain)
    running = asyncio.create_task(drain.run(0, LONG))
    await until(lambda: drain.phase is Phase.DRAINING)
    first.released.set()
    await first.task
    assert drain.under_way == 1
    assert drain.phase is Phase.DRAINING
    second.released.set()
    await bounded(running)
    assert (first.said, second.said) == ("answer", "answer")


async def test_what_begins_while_it_drains_is_waited_for_as_well() -> None:
    drain = Drain()
    first = Work(drain)
    running = asyncio.create_task(drain.run(0, LONG))
    await until(lambda: drain.phase is Phase.DRAINING)
    second = Work(drain)
    first.released.set()
    await first.task
    assert not running.done()
    second.released.set()
    await bounded(running)
    assert second.said == "answer"


async def test_what_does_not_finish_in_time_is_ended_and_can_say_so() -> None:
    drain = Drain()
    late, done = Work(drain), Work(drain)
    done.released.set()
    await bounded(drain.run(0, 0.01))
    await late.task
    assert (late.said, done.said) == ("overdue", "answer")
    assert not late.task.cancelling()
    assert drain.under_way == 0


async def test_what_does_not_end_even_then_does_not_hold_it() -> None:
    drain = Drain()
    stubborn = Work(drain, stubborn=True)
    await asyncio.sleep(0)
    await bounded(drain.run(0, 0.01))
    assert drain.phase is Phase.STOPPED
    stubborn.released.set()
    await stubborn.task


async def test_a_cancellation_by_somebody_else_is_not_absorbed() -> None:
    drain = Drain()
    work = Work(drain)
    await asyncio.sleep(0)
    work.task.cancel()
    await asyncio.gather(work.task, return_exceptions=True)
    assert work.said == "cancelled"
    await bounded(drain.run(0, LONG))


def test_only_what_was_not_done_may_be_sent_again_by_others() -> None:
    assert (refused().status, overdue().status) == (503, 200)
    assert refused().data == overdue().data == {"reason": REASON}
