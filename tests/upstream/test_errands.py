import asyncio

import pytest
from tests.support.channels import until

from onemcp.errors import Reason, UpstreamError
from onemcp.upstream.errands import LIMIT, Errands

pytestmark = pytest.mark.anyio


async def test_errands_run_on_their_own_and_their_failures_stay_with_them() -> None:
    errands = Errands("up")
    done: list[int] = []

    async def succeed() -> None:
        done.append(1)

    async def fail() -> None:
        raise UpstreamError("up", Reason.UNREACHABLE, "refuses connections")

    errands.run(fail(), "an answer")
    errands.run(succeed(), "an answer")
    await until(lambda: len(errands) == 0)
    assert done == [1]


async def test_too_many_are_dropped_and_closing_ends_the_rest() -> None:
    errands = Errands("up")
    ended: list[int] = []

    async def wait() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.append(1)

    for _ in range(LIMIT + 10):
        errands.run(wait(), "an answer")
    assert len(errands) == LIMIT
    await asyncio.sleep(0)
    await errands.aclose()
    assert len(ended) == LIMIT
    await until(lambda: len(errands) == 0)
