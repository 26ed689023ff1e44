"""Handshake-era sessions."""

import asyncio
from pathlib import Path

import pytest
from msgspec import Raw

from onemcp.core.access import View
from onemcp.gateway.sessions import IDLE, LIFETIME, MAX_GIVEN, MAX_REMEMBERED, Session, Sessions
from onemcp.gateway.streams import Stream
from onemcp.seal.keyring import MAX_TOKEN, Keyring
from onemcp.store.memory import MemoryStore
from onemcp.store.sqlite import SqliteStore
from onemcp.wire.envelope import Envelope

pytestmark = pytest.mark.anyio

NONE = Raw(b"{}")
ring = Keyring.ephemeral()


async def recalled(sessions: Sessions, token: str, endpoint: str = "", now: float = 1.0) -> Session | None:
    """The session of an id, as a request looks for it."""

    async def adopt(_: Session) -> None:
        """Nothing is to be taken up."""

    return sessions.find(token, endpoint, now) or await sessions.recall(token, endpoint, now, adopt)


def test_an_id_finds_its_session() -> None:
    sessions = Sessions(ring)
    session = sessions.open("2025-11-25", "", NONE, 0.0)
    assert sessions.find(session.token, "", 1.0) is session


async def test_an_id_outlives_the_process_that_gave_it() -> None:
    token = Sessions(ring).open("2025-06-18", "", Raw(b'{"roots":{}}'), 0.0).token
    session = await recalled(Sessions(ring), token)
    assert session is not None
    assert session.revision == "2025-06-18"
    assert bytes(session.capabilities) == b'{"roots":{}}'


async def test_what_is_remembered_of_a_session_outlives_the_process() -> None:
    store = MemoryStore()
    sessions = Sessions(ring, store)
    session = sessions.open("2025-11-25", "", NONE, 0.0)
    session.log_level, session.watched, session.dirty = "error", {"x://1", "x://2"}, True
    await sessions.save(session)
    assert not session.dirty
    adopted = []

    async def adopt(session: Session) -> None:
        adopted.append((session.log_level, session.watched))

    later = Sessions(ring, store)
    first, second = await asyncio.gather(
        later.recall(session.token, "", 1.0, adopt), later.recall(session.token, "", 1.0, adopt)
    )
    assert first is second
    assert adopted == [("error", {"x://1", "x://2"})]


async def test_a_store_that_fails_costs_what_was_remembered_and_not_the_session(tmp_path: Path) -> None:
    async with SqliteStore.open(tmp_path / "store.db") as closed:
        pass
    sessions = Sessions(ring, closed)
    session = sessions.open("2025-11-25", "", NONE, 0.0)
    await sessions.save(session)
    assert await recalled(Sessions(ring, closed), session.token) is not None
    await sessions.end(session, 1.0)
    assert await recalled(sessions, session.token) is None


async def test_a_record_that_cannot_be_read_is_none() -> None:
    store = MemoryStore()
    session = Sessions(ring, store).open("2025-11-25", "", NONE, 0.0)
    await store.put(f"session/{session.sid}", b"{", LIFETIME, 0.0)
    assert await recalled(Sessions(ring, store), session.token) is not None


async def test_an_id_is_good_for_its_endpoint_only() -> None:
    sessions = Sessions(ring)
    token = sessions.open("2025-11-25", "git", NONE, 0.0).token
    assert await recalled(sessions, token) is None
    assert await recalled(Sessions(ring), token, "time") is None
    assert await recalled(sessions, token, "git") is not None


async def test_an_id_expires() -> None:
    sessions = Sessions(ring)
    token = sessions.open("2025-11-25", "", NONE, 0.0).token
    assert await recalled(sessions, token, now=LIFETIME) is None
    assert await recalled(Sessions(ring), token, now=LIFETIME) is None


async def test_an_ended_session_is_refused_by_this_process_and_by_later_ones() -> None:
    store = MemoryStore()
    sessions = Sessions(ring, store)
    session = sessions.open("2025-11-25", "", NONE, 0.0)
    session.tell("a", b"{}")
    await sessions.end(session, 1.0)
    assert await recalled(sessions, session.token) is None
    assert await recalled(Sessions(ring, store), session.token) is None
    assert not await store.read(f"session/{session.sid}/listener", 0, 1.0)


async def test_made_up_ids_are_not_found() -> None:
    sessions = Sessions(ring)
    for token in ("", "x", "v1.AAAA", "v1." + "A" * 5000, "\u00e4"):
        assert await recalled(sessions, token) is None


def test_large_capabilities_still_fit_into_a_header() -> None:
    large = (
        b'{"experimental":{"x":"%b"},"sampling":{"tools":{},"x":{}},"elicitation":{"url":{}},"roots":{"listChanged":true}}'
        % (b"y" * 9000)
    )
    session = Sessions(ring).open("2025-11-25", "a" * 64, Raw(large), 0.0)
    assert len(session.token) <= MAX_TOKEN
    kept = b'{"elicitation":{"url":{}},"roots":{"listChanged":{}},"sampling":{"tools":{}}}'
    assert bytes(session.capabilities) == kept


async def test_memory_is_bounded_and_a_forgotten_session_comes_back() -> None:
    sessions = Sessions(ring)
    first = sessions.open("2025-11-25", "", NONE, 0.0)
    for _ in range(MAX_REMEMBERED):
        sessions.open("2025-11-25", "", NONE, 0.0)
    assert len(sessions) == MAX_REMEMBERED
    back = await recalled(sessions, first.token)
    assert back is not None
    assert back.sid == first.sid


def test_only_the_latest_given_uris_are_remembered() -> None:
    session = Sessions(ring).open("2025-11-25", "", NONE, 0.0)
    session.note_given((f"x://{number}" for number in range(MAX_GIVEN + 5)), "a")
    session.note_given(["x://5"], "b")
    assert len(session.given) == MAX_GIVEN
    assert list(session.given)[-1] == "x://5"
    assert session.given["x://5"] == "b"


def test_a_session_in_use_is_not_the_one_that_is_forgotten() -> None:
    sessions = Sessions(ring)
    first = sessions.open("2025-11-25", "", NONE, 0.0)
    for _ in range(MAX_REMEMBERED - 1):
        sessions.open("2025-11-25", "", NONE, 0.0)
    assert sessions.find(first.token, "", 1.0) is first
    sessions.open("2025-11-25", "", NONE, 0.0)
    assert sessions.find(first.token, "", 1.0) is first


async def test_what_is_remembered_of_ended_sessions_is_bounded_by_their_expiry() -> None:
    sessions = Sessions(ring)
    for number in range(10):
        await sessions.end(sessions.open("2025-11-25", "", NONE, float(number)), float(number))
    assert len(sessions._ended) == 10
    await sessions.end(sessions.open("2025-11-25", "", NONE, LIFETIME + 5.5), LIFETIME + 5.5)
    assert len(sessions._ended) == 5


async def test_who_has_something_open_is_not_pushed_out() -> None:
    sessions = Sessions(ring)
    busy = sessions.open("2025-11-25", "", NONE, 0.0)
    busy.listener = Stream(View())
    first = sessions.open("2025-11-25", "", NONE, 0.0)
    gone: list[Session] = []
    sessions.on_gone.append(gone.append)
    for _ in range(MAX_REMEMBERED):
        sessions.open("2025-11-25", "", NONE, 0.0)
    assert sessions.find(busy.token, "", 1.0) is busy
    assert gone[0] is first
    assert busy not in gone


async def test_who_is_idle_is_let_go_of_and_comes_back() -> None:
    sessions = Sessions(ring, MemoryStore())
    idle, listening = (sessions.open("2025-11-25", "", NONE, 0.0) for _ in range(2))
    listening.listener = Stream(View())
    gone: list[Session] = []
    sessions.on_gone.append(gone.append)
    sessions.sweep(IDLE - 1)
    assert not gone
    sessions.find(idle.token, "", IDLE - 1)
    sessions.sweep(IDLE)
    assert not gone
    sessions.sweep(2 * IDLE)
    assert gone == [idle]
    assert await recalled(sessions, idle.token, now=2 * IDLE) is not None


async def test_an_expired_session_is_let_go_of() -> None:
    sessions = Sessions(ring)
    session = sessions.open("2025-11-25", "", NONE, 0.0)
    session.listener = Stream(View())
    gone: list[Session] = []
    sessions.on_gone.append(gone.append)
    sessions.sweep(LIFETIME)
    assert gone == [session]


async def test_what_a_deleted_session_was_about_to_save_does_not_bring_it_back() -> None:
    store = MemoryStore()
    sessions = Sessions(ring, store)
    session = sessions.open("2025-11-25", "", NONE, 0.0)
    await sessions.end(session, 1.0)
    session.dirty = True
    await sessions.save(session)
    assert await recalled(Sessions(ring, store), session.token) is None


async def test_with_its_session_end_its_requests_and_what_it_was_asked() -> None:
    sessions = Sessions(ring)
    session = sessions.open("2025-11-25", "", Raw(b'{"sampling":{}}'), 0.0)
    task = asyncio.create_task(asyncio.Event().wait())
    session.calls.begin(Raw(b"1"), task)  # type: ignore[arg-type] # its result does not matter
    answered: list[bytes] = []
    question = Envelope("2.0", id=Raw(b"7"), method="sampling/createMessage", params=Raw(b"{}"))
    session.asks.ask(question, answered.append, lambda _: True)
    await sessions.end(session, 1.0)
    await asyncio.gather(task, return_exceptions=True)
    assert task.cancelled()
    assert b"is over" in answered[0]
