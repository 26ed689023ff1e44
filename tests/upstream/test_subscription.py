"""The subscription to a stateless child, with the loop's own clock and lines that are looked at."""

import asyncio
import json

import pytest
from tests.support.channels import until

from onemcp.upstream import subscription
from onemcp.upstream.subscription import Subscription

pytestmark = pytest.mark.anyio


class Lines(list[bytes]):
    """What was written, and how often something may have been missed."""

    gaps = 0

    def gap(self) -> None:
        self.gaps += 1


async def test_it_asks_for_the_changes_of_all_lists_on_one_line() -> None:
    lines = Lines()
    Subscription(lines.append, lines.gap).begin(b'{\n"a": 1}')
    (line,) = lines
    assert line.count(b"\n") == 1
    message = json.loads(line)
    assert message["method"] == "subscriptions/listen"
    assert message["params"]["_meta"] == {"a": 1}
    assert set(message["params"]["notifications"]) == {
        "toolsListChanged",
        "promptsListChanged",
        "resourcesListChanged",
    }


async def test_it_knows_its_own_id_and_no_other() -> None:
    lines = Lines()
    it = Subscription(lines.append, lines.gap)
    it.begin(b"{}")
    own = json.dumps(json.loads(lines[0])["id"]).encode()
    assert it.is_it(own)
    assert not any(it.is_it(other) for other in (b"1", b'"1"', b"null", b"listen", None))


async def test_one_that_was_ended_is_begun_again_once() -> None:
    lines = Lines()
    it = Subscription(lines.append, lines.gap)
    it.begin(b'{"a":1}')
    it.end(refused=False)
    it.end(refused=False)
    assert lines.gaps == 0
    await until(lambda: len(lines) == 2)
    assert lines[0] == lines[1]
    assert lines.gaps == 1


@pytest.mark.parametrize("closed", [True, False])
async def test_one_that_was_refused_or_closed_is_not(closed: bool) -> None:
    lines = Lines()
    it = Subscription(lines.append, lines.gap)
    it.begin(b"{}")
    it.end(refused=not closed)
    if closed:
        it.close()
    after = asyncio.Event()
    asyncio.get_running_loop().call_later(subscription.PAUSE + 0.05, after.set)
    await asyncio.wait_for(after.wait(), 10)
    assert len(lines) == 1
