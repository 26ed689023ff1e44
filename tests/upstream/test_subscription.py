"""Subscriptions to a stateless child, with the loop's own clock and lines that are looked at."""

import asyncio
import json
from typing import Any

import pytest
from msgspec import Raw
from tests.support.channels import until

from onemcp.errors import RpcError
from onemcp.upstream import subscription
from onemcp.upstream.subscription import Subscription, Subscriptions

pytestmark = pytest.mark.anyio

REFUSAL = RpcError(-32601, "Method not found")


class Lines(list[bytes]):
    """What was written, and how often something may have been missed."""

    gaps = 0

    def gap(self) -> None:
        self.gaps += 1

    def messages(self) -> list[Any]:
        assert all(line.count(b"\n") == 1 for line in self)
        return [json.loads(line) for line in self]


async def past_the_pause() -> None:
    after = asyncio.Event()
    asyncio.get_running_loop().call_later(subscription.PAUSE + 0.05, after.set)
    await asyncio.wait_for(after.wait(), 10)


async def test_it_asks_for_the_changes_of_all_lists_on_one_line() -> None:
    lines = Lines()
    Subscription(lines.append, lines.gap).begin(b'{\n"a": 1}')
    (message,) = lines.messages()
    assert message["method"] == "subscriptions/listen"
    assert message["params"]["_meta"] == {"a": 1}
    assert set(message["params"]["notifications"]) == {
        "toolsListChanged",
        "promptsListChanged",
        "resourcesListChanged",
    }


async def test_it_asks_for_what_it_is_told_to() -> None:
    lines = Lines()
    Subscription(lines.append, lines.gap, "x", b'{"resourceSubscriptions":["a:b"]}').begin(b"{}")
    (message,) = lines.messages()
    assert message["id"] == "x"
    assert message["params"]["notifications"] == {"resourceSubscriptions": ["a:b"]}


async def test_one_that_was_ended_is_begun_again_once() -> None:
    lines = Lines()
    it = Subscription(lines.append, lines.gap)
    it.begin(b'{"a":1}')
    it.end()
    it.end()
    assert lines.gaps == 0
    await until(lambda: len(lines) == 2)
    assert lines[0] == lines[1]
    assert lines.gaps == 1


@pytest.mark.parametrize("closed", [True, False])
async def test_one_that_was_refused_or_closed_is_not(closed: bool) -> None:
    lines = Lines()
    it = Subscription(lines.append, lines.gap)
    it.begin(b"{}")
    it.end(None if closed else REFUSAL)
    if closed:
        it.close()
    await past_the_pause()
    assert len(lines) == 1
    assert it.is_over


async def test_one_that_breaks_after_it_was_agreed_to_is_begun_again_until_it_is_refused() -> None:
    lines = Lines()
    it = Subscription(lines.append, lines.gap)
    it.begin(b"{}")
    it.acknowledge(Raw(b"{}"))
    it.end(REFUSAL)
    await until(lambda: len(lines) == 2)
    it.end(REFUSAL)
    assert it.is_over


async def test_the_first_word_of_the_child_is_kept() -> None:
    lines = Lines()
    agreed, refused = Subscription(lines.append, lines.gap), Subscription(lines.append, lines.gap)
    agreed.acknowledge(Raw(b'{"a":1}'))
    agreed.acknowledge(Raw(b'{"a":2}'))
    assert bytes(agreed.acknowledged.result()) == b'{"a":1}'
    refused.end(REFUSAL)
    with pytest.raises(RpcError, match="Method not found"):
        refused.acknowledged.result()


async def test_one_that_is_not_needed_is_cancelled_once() -> None:
    lines = Lines()
    it = Subscription(lines.append, lines.gap)
    it.begin(b"{}")
    it.withdraw()
    it.withdraw()
    request, cancelled = lines.messages()
    assert cancelled["method"] == "notifications/cancelled"
    assert cancelled["params"] == {"requestId": request["id"]}


async def test_several_are_told_apart_by_their_ids_and_by_nothing_else() -> None:
    lines = Lines()
    all_of_them = Subscriptions(lines.append)
    first = all_of_them.begin(b"{}", lines.gap)
    second = all_of_them.begin(b"{}", lines.gap, b'{"resourceSubscriptions":["a:b"]}')
    assert all_of_them.acknowledge(Raw(second.id), Raw(b"{}"))
    assert second.acknowledged.done()
    assert not first.acknowledged.done()
    for other in (b"1", b'"1"', b"null", b"listen-1", b""):
        assert not all_of_them.end(Raw(other))
        assert not all_of_them.acknowledge(Raw(other), Raw(b"{}"))
    assert all_of_them.end(Raw(first.id), Raw(b'{"code":-32601,"message":"no"}'))
    assert (first.is_over, second.is_over) == (True, False)
    all_of_them.close()
    assert second.is_over
