"""Cancelling a request by its id."""

import asyncio

import pytest
from msgspec import Raw

from onemcp.gateway.calls import Calls
from onemcp.wire.envelope import Envelope, encode

pytestmark = pytest.mark.anyio


def present_task() -> asyncio.Task[None]:
    task = asyncio.current_task()
    assert task is not None
    return task


def cancelled(request_id: object) -> Envelope:
    params = Raw(encode({"requestId": request_id, "reason": "enough"}))
    return Envelope("2.0", method="notifications/cancelled", params=params)


async def answering(calls: Calls, request_id: bytes, began: asyncio.Event) -> str:
    task = present_task()
    key = calls.begin(Raw(request_id), task)
    try:
        began.set()
        await asyncio.Event().wait()
    except asyncio.CancelledError:
        if not calls.absorbed(key, task):
            raise
        await asyncio.sleep(0)
        return "cancelled by its client"
    finally:
        calls.end(key)
    return "answered"


async def test_a_request_is_cancelled_by_its_client_and_its_task_goes_on() -> None:
    calls, began = Calls(), asyncio.Event()
    task = asyncio.create_task(answering(calls, b"7", began))
    await began.wait()
    calls.cancel(cancelled(7))
    assert await task == "cancelled by its client"
    assert task.cancelling() == 0


@pytest.mark.parametrize("other", ["7", 8, None, 7.0, [7]])
async def test_another_id_cancels_nothing(other: object) -> None:
    calls, began = Calls(), asyncio.Event()
    task = asyncio.create_task(answering(calls, b"7", began))
    await began.wait()
    calls.cancel(cancelled(other))
    calls.cancel(Envelope("2.0", method="notifications/cancelled"))
    calls.cancel(Envelope("2.0", method="notifications/cancelled", params=Raw(b"[1]")))
    await asyncio.sleep(0)
    assert not task.done()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_a_finished_request_is_forgotten() -> None:
    calls, task = Calls(), present_task()
    key = calls.begin(Raw(b'"x"'), task)
    calls.end(key)
    calls.cancel(cancelled("x"))
    assert not calls.absorbed(key, task)
