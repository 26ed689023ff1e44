"""From one listen request to the next: the new one stands before the old one goes."""

import asyncio
import json
from typing import Any

import pytest
from msgspec import Raw

from onemcp.errors import Reason, RpcError, UpstreamError
from onemcp.upstream import handover
from onemcp.upstream.handover import Handover

pytestmark = pytest.mark.anyio


class Listen:
    """A request that the test answers."""

    def __init__(self, wanted: bytes) -> None:
        self.acknowledged: asyncio.Future[Raw] = asyncio.get_running_loop().create_future()
        self.wanted: Any = json.loads(wanted)
        self.is_withdrawn = False

    def withdraw(self) -> None:
        self.is_withdrawn = True

    def acknowledge(self, notifications: object = None) -> None:
        filter_ = self.wanted if notifications is None else notifications
        self.acknowledged.set_result(Raw(json.dumps({"notifications": filter_}).encode()))


class Case:
    """A handover and its requests so far."""

    def __init__(self, timeout: float = handover.TIMEOUT) -> None:
        self.sent: list[Listen] = []
        self.handover = Handover("s", self._begin, timeout)

    def _begin(self, wanted: bytes) -> Listen:
        self.sent.append(Listen(wanted))
        return self.sent[-1]

    async def to(self, *uris: str) -> asyncio.Task[frozenset[str]]:
        """Begin to move to these; returns when the request is sent."""
        count = len(self.sent)
        task = asyncio.ensure_future(self.handover.to(frozenset(uris)))
        while len(self.sent) == count:
            await asyncio.sleep(0)
        return task


async def test_the_old_request_is_ended_only_after_the_new_one_is_acknowledged() -> None:
    case = Case()
    first = await case.to("a:1")
    case.sent[0].acknowledge()
    assert await first == {"a:1"}
    second = await case.to("a:1", "a:2")
    await asyncio.sleep(0)
    assert not case.sent[0].is_withdrawn
    case.sent[1].acknowledge()
    assert await second == {"a:1", "a:2"}
    assert [listen.is_withdrawn for listen in case.sent] == [True, False]
    assert case.sent[1].wanted == {"resourceSubscriptions": ["a:1", "a:2"]}


async def test_with_nothing_to_listen_for_there_is_no_request() -> None:
    case = Case()
    first = await case.to("a:1")
    case.sent[0].acknowledge()
    await first
    assert await case.handover.to(frozenset()) == frozenset()
    assert len(case.sent) == 1
    assert case.sent[0].is_withdrawn


@pytest.mark.parametrize(
    ("notifications", "honoured"),
    [
        ({"resourceSubscriptions": ["a:1", "b:9"]}, {"a:1"}),
        ({"resourceSubscriptions": []}, set()),
        ({}, set()),
        ({"resourceSubscriptions": [1]}, set()),
        ({"resourceSubscriptions": "a:1"}, set()),
        ([], set()),
    ],
)
async def test_what_the_acknowledgement_repeats_is_honoured_and_nothing_else(
    notifications: object, honoured: set[str]
) -> None:
    case = Case()
    moving = await case.to("a:1", "a:2")
    case.sent[0].acknowledge(notifications)
    assert await moving == honoured


async def test_an_acknowledgement_without_any_filter_honours_all() -> None:
    case = Case()
    moving = await case.to("a:1", "a:2")
    case.sent[0].acknowledged.set_result(Raw(b"{}"))
    assert await moving == {"a:1", "a:2"}


async def test_after_a_refusal_the_old_request_stands() -> None:
    case = Case()
    first = await case.to("a:1")
    case.sent[0].acknowledge()
    await first
    second = await case.to("a:2")
    case.sent[1].acknowledged.set_exception(RpcError(-32601, "no"))
    with pytest.raises(RpcError, match="no"):
        await second
    assert [listen.is_withdrawn for listen in case.sent] == [False, True]


async def test_silence_is_an_error_and_so_is_being_given_up() -> None:
    case = Case(timeout=0.05)
    given_up = await case.to("a:1")
    given_up.cancel()
    await asyncio.wait((given_up,))
    with pytest.raises(UpstreamError, match="did not acknowledge") as caught:
        await (await case.to("a:1"))
    assert caught.value.reason is Reason.TIMEOUT
    assert all(listen.is_withdrawn for listen in case.sent)
