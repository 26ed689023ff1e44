"""Telling clients that their lists changed."""

import asyncio
import json

import pytest
from tests.gateway.conftest import Running
from tests.support.channels import Upstreams, handshake, spec, until

from onemcp.core.access import View
from onemcp.core.changes import Kind
from onemcp.core.tags import simple
from onemcp.gateway.listener import NOWHERE, Listener, Position
from onemcp.gateway.notifier import REMEMBERED, Notifier
from onemcp.gateway.streams import MAX_QUEUED, Stream

pytestmark = pytest.mark.anyio

TOOLS = frozenset({Kind.TOOLS})
TAGS = {"a": frozenset({"web"}), "b": frozenset({"db"})}


def shows(view: View, endpoint: str, upstream: str) -> bool:
    return (not endpoint or endpoint == upstream) and view.shows(TAGS[upstream])


def queued(stream: Stream) -> list[str]:
    return [json.loads(event.message)["method"] for event in stream._queue]


async def flushed(notifier: Notifier) -> None:
    before = notifier.sent
    await until(lambda: notifier.sent > before)


async def test_a_change_reaches_every_stream_that_can_see_it() -> None:
    notifier = Notifier(0.0, shows)
    everything, web, db = Stream(View()), Stream(View(simple("web"))), Stream(View(simple("db")))
    alone = Stream(View(), endpoint="b")
    with (
        notifier.listening(everything),
        notifier.listening(web),
        notifier.listening(db),
        notifier.listening(alone),
    ):
        notifier.changed(TOOLS, "a")
        await flushed(notifier)
    method = ["notifications/tools/list_changed"]
    assert [queued(stream) for stream in (everything, web, db, alone)] == [method, method, [], []]


async def test_a_burst_is_one_notice_a_kind() -> None:
    notifier, stream = Notifier(0.02, shows), Stream(View())
    with notifier.listening(stream):
        for _ in range(30):
            notifier.changed(frozenset(Kind), "a")
            notifier.changed(frozenset(Kind), "b")
            await asyncio.sleep(0)
        await flushed(notifier)
    assert sorted(queued(stream)) == sorted(kind.method for kind in Kind)


async def test_a_subscription_hears_only_what_it_asked_for_under_its_id() -> None:
    notifier, stream = Notifier(0.0, shows), Stream(View(), kinds=TOOLS, subscription=b'"L1"')
    with notifier.listening(stream):
        notifier.changed(frozenset(Kind), "a")
        await flushed(notifier)
    assert json.loads(await stream.next() or b"") == {
        "jsonrpc": "2.0",
        "method": "notifications/tools/list_changed",
        "params": {"_meta": {"io.modelcontextprotocol/subscriptionId": "L1"}},
    }


def listener(position: Position, view: View = View()) -> Listener:  # noqa: B008 - a value
    return Listener(view, "", position)


async def test_a_session_hears_on_opening_its_stream_what_it_missed_and_only_that() -> None:
    notifier = Notifier(0.0, shows)
    first = listener(notifier.position)
    notifier.changed(TOOLS, "a")
    await flushed(notifier)
    with notifier.listening(first):
        assert queued(first) == ["notifications/tools/list_changed"]
        assert first.heard.seen == 0, "it is queued, and not heard"
        await first.next()
    again = listener(first.heard)
    with notifier.listening(again):
        assert queued(again) == []


async def test_who_was_cut_off_between_the_notices_of_one_change_hears_all_of_them_again() -> None:
    notifier = Notifier(0.0, shows)
    first = listener(notifier.position)
    with notifier.listening(first):
        notifier.changed(frozenset(Kind), "a")
        await flushed(notifier)
        await first.next()
    again = listener(first.heard)
    with notifier.listening(again):
        assert sorted(queued(again)) == sorted(kind.method for kind in Kind)


async def test_notices_that_a_session_may_not_see_count_as_heard() -> None:
    notifier = Notifier(0.0, shows)
    db = listener(notifier.position, View(simple("db")))
    with notifier.listening(db):
        notifier.changed(TOOLS, "a")
        await flushed(notifier)
    assert db.heard == notifier.position


async def test_the_event_id_of_a_notice_is_the_place_to_go_on_from() -> None:
    notifier = Notifier(0.0, shows)
    first = listener(notifier.position)
    ids = []
    with notifier.listening(first):
        for _ in range(3):
            notifier.changed(TOOLS, "a")
            await flushed(notifier)
            event = await first.next_event()
            assert event is not None
            ids.append(event.id)
    for missed, event_id in enumerate(reversed(ids)):
        position = Position.parse(event_id)
        assert position is not None
        again = listener(position)
        with notifier.listening(again):
            assert len(queued(again)) == min(missed, 1), "several missed notices of a kind are one"


@pytest.mark.parametrize("position", [NOWHERE, Position("0badcafe", 1, 0)])
async def test_a_session_of_an_earlier_process_is_told_to_look_again(position: Position) -> None:
    notifier, stream = Notifier(0.0, shows), listener(position)
    with notifier.listening(stream):
        assert sorted(queued(stream)) == sorted(kind.method for kind in Kind)


async def test_a_made_up_position_is_told_to_look_again() -> None:
    notifier = Notifier(0.0, shows)
    stream = listener(notifier.position._replace(seen=10**9))
    with notifier.listening(stream):
        assert len(queued(stream)) == len(Kind)


async def test_one_that_was_away_for_very_long_is_told_of_everything() -> None:
    notifier = Notifier(0.0, shows)
    stream = listener(notifier.position)
    for _ in range(REMEMBERED + 1):
        notifier.changed(TOOLS, "a")
        await flushed(notifier)
    with notifier.listening(stream):
        assert len(queued(stream)) == len(Kind)


async def test_a_reader_that_is_too_far_behind_loses_its_stream_and_no_more() -> None:
    stream = Stream(View())
    for _ in range(MAX_QUEUED + 10):
        stream.push(b"{}")
    read = 0
    while await stream.next() is not None:
        read += 1
    assert read == MAX_QUEUED


async def test_closing_lets_readers_finish() -> None:
    notifier, stream = Notifier(0.0, shows), Stream(View())
    with notifier.listening(stream):
        stream.push(b"{}")
        notifier.close()
        assert await stream.next() == b"{}"
        assert await stream.next() is None


async def test_endpoints_of_single_upstreams_end_alone() -> None:
    notifier, all_of_them, alone = Notifier(0.0, shows), Stream(View()), Stream(View(), endpoint="a")
    with notifier.listening(all_of_them), notifier.listening(alone):
        notifier.end_routes()
        assert await alone.next() is None
        assert not all_of_them.has_ended


async def test_thirty_upstreams_in_a_burst_cause_a_handful_of_notices(running: Running) -> None:
    upstreams = Upstreams(**{f"s{number}": handshake("t") for number in range(30)})
    async with running(upstreams, settle=False, batch_delay=0.05) as runtime:
        stream = Stream(View())
        with runtime.notifier.listening(stream):
            await runtime.settled()
            await flushed(runtime.notifier)
        assert 1 <= len(queued(stream)) <= 3


async def test_a_removed_upstream_is_told_to_those_who_could_see_it(running: Running) -> None:
    specs = [spec("a", tags=frozenset({"web"})), spec("b", tags=frozenset({"db"}))]
    async with running(Upstreams(a=handshake("x"), b=handshake("y")), specs=specs) as runtime:
        await until(lambda: runtime.notifier.sent > 0)
        web, db = Stream(View(simple("web"))), Stream(View(simple("db")))
        with runtime.notifier.listening(web), runtime.notifier.listening(db):
            await runtime.apply([specs[1]])
            await until(lambda: "notifications/tools/list_changed" in queued(web))
        assert queued(db) == []
