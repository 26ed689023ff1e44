import asyncio
import time

import pytest

from onemcp.ops.metrics.lag import LoopLag

pytestmark = pytest.mark.anyio

BLOCKED = 0.06


async def test_a_loop_that_is_held_up_is_seen_to_be_late() -> None:
    looked = asyncio.Queue[float]()
    with LoopLag(interval=0.01) as lag:
        lag.listen(looked.put_nowait)
        await asyncio.wait_for(looked.get(), 10)
        time.sleep(BLOCKED)  # noqa: ASYNC251 - what is measured
        late = 0.0
        while late < BLOCKED / 2:
            late = await asyncio.wait_for(looked.get(), 10)
    assert lag.worst >= late
    assert lag.histogram.count >= 2
    assert lag.histogram.total >= late


async def test_nothing_is_late_before_the_first_look() -> None:
    with LoopLag() as lag:
        assert (lag.worst, lag.histogram.count) == (0.0, 0)


async def test_after_the_block_it_looks_no_more() -> None:
    looked = asyncio.Queue[float]()
    with LoopLag(interval=0.001) as lag:
        lag.listen(lambda _: None)
        lag.listen(looked.put_nowait)
        await asyncio.wait_for(looked.get(), 10)
    seen = lag.histogram.count
    await asyncio.sleep(0.02)
    assert lag.histogram.count == seen
