"""Streams that are resumed, over real HTTP."""

import asyncio
import json
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from msgspec import Raw
from tests.support.channels import Upstreams, handshake, spec, until
from tests.support.events import events_of
from tests.web.conftest import ACCEPT, Edge, Serve, rpc

from onemcp.seal.keyring import Keyring
from onemcp.store.memory import MemoryStore
from onemcp.store.sqlite import SqliteStore
from onemcp.upstream.channel import Request
from onemcp.wire.envelope import Envelope, encode
from onemcp.wire.revisions import HANDSHAKE_REVISIONS
from onemcp.wire.sse import Event

pytestmark = pytest.mark.anyio

WAIT = 5.0
LATEST, OLDER = HANDSHAKE_REVISIONS[0], HANDSHAKE_REVISIONS[1]


class Talker:
    """An upstream whose calls send progress as often as they are told, and then answer."""

    def __init__(self) -> None:
        self.upstreams = Upstreams(a=handshake("t", **{"tools/call": self._call}), b=handshake("other"))
        self.calls = 0
        self.cancelled = 0
        self._token: Any = None
        self._answer: asyncio.Future[object] = asyncio.get_running_loop().create_future()

    async def _call(self, request: Request) -> object:
        self._token = json.loads(request.params)["_meta"]["progressToken"]
        self.calls += 1
        try:
            return await self._answer
        except asyncio.CancelledError:
            self.cancelled += 1
            raise

    def progress(self, value: int, message: str = "") -> None:
        params = Raw(encode({"progressToken": self._token, "progress": value, "message": message}))
        self._send(Envelope("2.0", method="notifications/progress", params=params))

    def ask(self) -> None:
        self._send(Envelope("2.0", Raw(b"7"), "elicitation/create", Raw(b'{"message":"?"}')))

    def _send(self, envelope: Envelope) -> None:
        self.upstreams.last("a").inbound(envelope)

    def answer(self) -> None:
        self._answer.set_result({"content": [], "done": True})


CALL = rpc("tools/call", name="a_1mcp_t", arguments={}, _meta={"progressToken": "p"})


def listen(it: Edge, session: str, last: str = "", path: str = "/mcp") -> Any:
    headers = {"accept": "text/event-stream", "mcp-session-id": session}
    if last:
        headers["last-event-id"] = last
    return it.client.stream("GET", path, headers=headers)


async def rest(it: Edge, session: str, last: str, path: str = "/mcp") -> list[Event]:
    """What comes on a resumed stream until it ends, without what only primes it."""
    async with asyncio.timeout(WAIT), listen(it, session, last, path) as response:
        assert response.status_code == 200, await response.aread()
        return [event async for event in events_of(response) if event.data]


async def status(it: Edge, session: str, last: str) -> int:
    async with asyncio.timeout(WAIT), listen(it, session, last) as response:
        return int(response.status_code)


def body(event: Event) -> Any:
    return json.loads(event.data)


def posting(it: Edge, session: str) -> Any:
    headers = {**ACCEPT, "mcp-session-id": session}
    return it.client.stream("POST", "/mcp", json=CALL, headers=headers)


@asynccontextmanager
async def calling(it: Edge, talker: Talker, session: str) -> AsyncIterator[AsyncGenerator[Event, None]]:
    """A call that has become a stream: its events, after the first progress; cut when the block is left."""
    before = talker.calls

    async def speak() -> None:
        await until(lambda: talker.calls > before)
        talker.progress(1)

    speaking = asyncio.ensure_future(speak())
    async with (
        asyncio.timeout(WAIT),
        posting(it, session) as response,
        aclosing(events_of(response)) as events,
    ):
        await speaking
        yield events


async def cut(it: Edge, talker: Talker, session: str) -> str:
    """Call, read the first progress and hang up; the id of what was read last."""
    async with calling(it, talker, session) as events:
        async for event in events:
            if event.data:
                assert event.id
                return event.id
    raise AssertionError


async def gone(it: Edge) -> None:
    """Wait until the gateway knows that the client of a stream has hung up."""
    await asyncio.sleep(0)
    assert (await it.client.get("/health/live")).status_code == 200


@pytest.mark.parametrize("revision", HANDSHAKE_REVISIONS)
async def test_a_stream_has_ids_and_in_revisions_that_know_it_a_priming_event(
    edge: Serve, revision: str
) -> None:
    talker = Talker()
    async with edge(talker.upstreams) as it:
        session, _ = await it.initialize(revision)
        async with calling(it, talker, session) as events:
            talker.answer()
            told = [event async for event in events]
    assert all(event.id for event in told)
    assert [bool(event.data) for event in told] == ([False] if revision == LATEST else []) + [True, True]
    assert (told[0].retry is not None) is (revision == LATEST)
    assert body(told[-1])["result"]["done"]


async def test_a_plain_answer_leaves_nothing_behind(edge: Serve) -> None:
    store = MemoryStore()
    async with edge(Upstreams(a=handshake("t")), store=store) as it:
        session, _ = await it.initialize()
        assert (await it.ask(session, "tools/call", name="a_1mcp_t"))["result"]
    assert "0 entries, 0 events" in repr(store)


async def test_an_answer_that_came_after_the_client_had_gone_is_delivered_once(edge: Serve) -> None:
    talker = Talker()
    async with edge(talker.upstreams) as it:
        session, _ = await it.initialize()
        last = await cut(it, talker, session)
        await gone(it)
        talker.progress(2)
        talker.answer()
        events = await rest(it, session, last)
        assert [body(event).get("method", "answer") for event in events] == [
            "notifications/progress",
            "answer",
        ]
        assert body(events[-1])["id"] == 1
        assert await status(it, session, events[-1].id or "") == 204
        assert (talker.calls, talker.cancelled) == (1, 0)


async def test_a_call_that_still_runs_goes_on_live(edge: Serve) -> None:
    talker = Talker()
    async with edge(talker.upstreams) as it:
        session, _ = await it.initialize()
        last = await cut(it, talker, session)
        talker.progress(2)
        told: list[int] = []
        async with asyncio.timeout(WAIT), listen(it, session, last) as response:
            async for event in events_of(response):
                if not event.data:
                    assert event.id == last
                elif "method" in body(event):
                    told.append(body(event)["params"]["progress"])
                    talker.progress(told[-1] + 1) if told[-1] < 5 else talker.answer()
                else:
                    assert body(event)["result"]["done"]
        assert told == [2, 3, 4, 5]


@pytest.mark.parametrize("revision", [LATEST, OLDER])
async def test_who_comes_back_reads_instead_of_the_stream_before(edge: Serve, revision: str) -> None:
    talker = Talker()
    async with edge(talker.upstreams) as it:
        session, _ = await it.initialize(revision)
        async with calling(it, talker, session) as events:
            last = [await anext(events) for _ in range(2 if revision == LATEST else 1)][-1].id or ""
            first = asyncio.ensure_future(rest(it, session, last))
            assert [event async for event in events] == [], (
                "the POST's own stream has ended without an answer"
            )
        second = asyncio.ensure_future(rest(it, session, last))
        assert await first == []
        assert (await it.ask(session, "ping"))["result"] == {}
        talker.answer()
        assert [body(event)["result"]["done"] for event in await second] == [True]


async def test_a_question_to_a_client_that_has_gone_is_put_when_it_is_back(edge: Serve) -> None:
    talker = Talker()
    async with edge(talker.upstreams) as it:
        opened = await it.post(rpc("initialize", protocolVersion=LATEST, capabilities={"elicitation": {}}))
        session = opened.headers["mcp-session-id"]
        last = await cut(it, talker, session)
        await gone(it)
        talker.ask()
        async with asyncio.timeout(WAIT), listen(it, session, last) as response:
            async for event in events_of(response):
                if event.data and body(event).get("method") == "elicitation/create":
                    answer = {"jsonrpc": "2.0", "id": body(event)["id"], "result": {"action": "accept"}}
                    assert (await it.post(answer, mcp_session_id=session)).status_code == 202
                    talker.answer()
        sent = talker.upstreams.last("a").sent
        assert json.loads(sent[-1]) == {"jsonrpc": "2.0", "id": 7, "result": {"action": "accept"}}


async def test_an_id_is_worth_nothing_in_another_session_and_a_made_up_one_nowhere(edge: Serve) -> None:
    talker = Talker()
    async with edge(talker.upstreams) as it:
        session, _ = await it.initialize()
        other, _ = await it.initialize()
        last = await cut(it, talker, session)
        talker.answer()
        for named in (last, "x", f"{'0' * 16}-1", "listener-x", "listener-0-0-0-0", last + "0" * 30):
            assert await status(it, other, named) == 400
        assert len(await rest(it, session, last)) == 1


async def test_what_the_view_no_longer_shows_is_not_replayed(edge: Serve) -> None:
    talker = Talker()
    specs = [spec("a", tags=frozenset({"web"})), spec("b", tags=frozenset({"db"}))]
    async with edge(talker.upstreams, specs=specs) as it:
        session, _ = await it.initialize()
        last = await cut(it, talker, session)
        await gone(it)
        talker.progress(2)
        talker.answer()
        (hidden,) = await rest(it, session, last, "/mcp?tags=db")
        assert (body(hidden)["id"], body(hidden)["error"]["code"]) == (1, -32602)
        assert len(await rest(it, session, last, "/mcp?tags=web")) == 2


async def test_a_call_that_a_restart_cut_off_is_answered_that_nobody_knows(edge: Serve) -> None:
    ring, store, talker = Keyring.ephemeral(), MemoryStore(), Talker()
    async with edge(talker.upstreams, keyring=ring, store=store) as it:
        opened = await it.post(rpc("initialize", protocolVersion=LATEST, capabilities={"elicitation": {}}))
        session = opened.headers["mcp-session-id"]
        last = await cut(it, talker, session)
        await gone(it)
        talker.ask()
        talker.progress(2)
    async with edge(Upstreams(a=handshake("t")), keyring=ring, store=store) as it:
        told = await rest(it, session, last)
        assert [body(event).get("method", "answer") for event in told] == ["notifications/progress", "answer"]
        assert body(told[-1])["id"] == 1
        assert body(told[-1])["error"]["data"] == {"reason": "gateway_restarted"}
        assert [event.data for event in await rest(it, session, last)] == [event.data for event in told]
        assert await status(it, session, told[-1].id or "") == 204


async def test_a_cancelled_call_has_nothing_to_come_back_for(edge: Serve) -> None:
    talker = Talker()
    async with edge(talker.upstreams) as it:
        session, _ = await it.initialize()
        last = await cut(it, talker, session)
        note = {"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": 1}}
        await it.post(note, mcp_session_id=session)
        await until(lambda: talker.cancelled == 1)
        assert await status(it, session, last) == 204


async def test_a_client_that_reads_too_slowly_comes_back_for_the_rest(edge: Serve) -> None:
    talker = Talker()
    async with edge(talker.upstreams) as it:
        session, _ = await it.initialize()
        async with calling(it, talker, session) as events:
            for value in range(2, 202):
                talker.progress(value, "x" * 100_000)
            read = [event async for event in events if event.data]
        talker.answer()
        more = await rest(it, session, read[-1].id or "")
    progress = [body(event)["params"]["progress"] for event in [*read, *more[:-1]]]
    assert progress == sorted(set(progress)), "each once and in order; the log has let go of some"
    assert progress[-1] == 201
    assert body(more[-1])["result"]["done"]


async def test_without_a_store_streams_have_no_ids(edge: Serve) -> None:
    talker = Talker()
    async with edge(talker.upstreams, store=None) as it:
        session, _ = await it.initialize()
        async with calling(it, talker, session) as events:
            talker.answer()
            assert [event.id async for event in events] == [None, None]
        assert await status(it, session, f"{'0' * 16}-1") == 400


UPDATED = "notifications/resources/updated"


def updated(value: int) -> bytes:
    return encode({"jsonrpc": "2.0", "method": UPDATED, "params": {"uri": f"x://{value}"}})


def number(event: Event) -> int:
    return int(body(event)["params"]["uri"].removeprefix("x://"))


async def heard(
    it: Edge, session: str, count: int, last: str = "", *, path: str = "/mcp", method: str = UPDATED
) -> list[Event]:
    """The first messages of this kind on the stream of a session; it is then left."""
    events: list[Event] = []
    async with (
        asyncio.timeout(WAIT),
        listen(it, session, last, path) as response,
        aclosing(events_of(response)) as stream,
    ):
        async for event in stream:
            if event.data and method in body(event)["method"]:
                events.append(event)
            if len(events) == count:
                break
    await until(lambda: (known := it.sessions.find(session, "", 0.0)) is not None and known.listener is None)
    return events


async def test_what_is_told_to_a_session_waits_for_its_stream_and_comes_once(edge: Serve) -> None:
    async with edge(Upstreams(a=handshake("t"), b=handshake())) as it:
        session, _ = await it.initialize()
        known = it.sessions.find(session, "", 0.0)
        assert known is not None
        known.tell("a", updated(1))
        known.tell("a", updated(2))
        first = await heard(it, session, 2)
        known.tell("a", updated(3))
        second = await heard(it, session, 1)
        again = await heard(it, session, 2, first[0].id or "")
    assert [[number(event) for event in events] for events in (first, second, again)] == [
        [1, 2],
        [3],
        [2, 3],
    ]


async def test_what_is_told_goes_through_the_view_of_the_stream(edge: Serve) -> None:
    specs = [spec("a", tags=frozenset({"web"})), spec("b", tags=frozenset({"db"}))]
    async with edge(Upstreams(a=handshake(), b=handshake()), specs=specs) as it:
        session, _ = await it.initialize()
        known = it.sessions.find(session, "", 0.0)
        assert known is not None
        known.tell("a", updated(1))
        known.tell("b", updated(2))
        (event,) = await heard(it, session, 1, path="/mcp?tags=db")
    assert number(event) == 2


async def test_a_later_process_replays_what_was_told_and_announces_every_list(edge: Serve) -> None:
    ring, store = Keyring.ephemeral(), MemoryStore()
    async with edge(Upstreams(a=handshake("t")), keyring=ring, store=store) as it:
        session, _ = await it.initialize()
        known = it.sessions.find(session, "", 0.0)
        assert known is not None
        known.tell("a", updated(1))
        (first,) = await heard(it, session, 1)
        known.tell("a", updated(2))
    async with edge(Upstreams(a=handshake("t")), keyring=ring, store=store) as it:
        (told,) = await heard(it, session, 1, first.id or "")
        assert number(told) == 2
        notices = await heard(it, session, 3, first.id or "", method="list_changed")
        known = it.sessions.find(session, "", 0.0)
        assert known is not None
        known.tell("a", updated(3))
        assert [number(event) for event in await heard(it, session, 1, notices[-1].id or "")] == [3]


async def test_the_stream_of_a_session_is_primed_with_the_place_to_go_on_from(edge: Serve) -> None:
    upstreams = Upstreams(a=handshake("t"))
    async with edge(upstreams) as it:
        session, _ = await it.initialize()
        async with asyncio.timeout(WAIT), listen(it, session) as response:
            priming = await anext(events_of(response))
        assert (priming.data, priming.retry) == (b"", 2000)
        before = it.runtime.notifier.sent
        upstreams.last("a").script = handshake("t", "u")
        upstreams.last("a").announce("tools")
        await until(lambda: it.runtime.notifier.sent > before)
        (event,) = await heard(it, session, 1, priming.id or "", method="list_changed")
    assert body(event)["method"] == "notifications/tools/list_changed"


async def test_a_log_that_cannot_be_read_is_no_end_of_the_session(edge: Serve, tmp_path: Path) -> None:
    async with SqliteStore.open(tmp_path / "store.db") as closed:
        pass
    async with edge(Upstreams(a=handshake("t")), store=closed) as it:
        session, _ = await it.initialize()
        for last in (f"{'0' * 16}-1", ""):
            assert await status(it, session, last) == 503
        assert (await it.ask(session, "ping"))["result"] == {}
