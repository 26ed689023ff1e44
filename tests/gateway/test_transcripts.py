"""What is kept of the event streams of sessions."""

import json
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Raw

from onemcp.core.access import View
from onemcp.gateway.streams import Event, Stream
from onemcp.gateway.transcript import LARGEST, Transcript, event_id, parse_event_id
from onemcp.gateway.transcripts import MAX_LIVE, Transcripts
from onemcp.store.base import Bounds
from onemcp.store.memory import MemoryStore

pytestmark = pytest.mark.anyio

ANSWER = b'{"jsonrpc":"2.0","id":1,"result":{}}'
NOTE = b'{"jsonrpc":"2.0","method":"x"}'
QUESTION = b'{"jsonrpc":"2.0","id":"ask-1","method":"elicitation/create"}'


def opened(transcripts: Transcripts, sid: str = "s") -> Transcript:
    transcript = transcripts.open(sid, Raw(b"1"))
    assert transcript is not None
    transcript.say(b"")
    return transcript


async def resumed(transcripts: Transcripts, after: str, sid: str = "s") -> list[Event] | None:
    """What a client gets that comes back after an event, as far as it is there; None if nothing is known."""
    named = parse_event_id(after)
    assert named is not None
    reader = Stream(View())
    if not await transcripts.resume(sid, *named, reader):
        return None
    events = []
    while not reader.is_over and reader._queue:
        event = await reader.next_event()
        assert event is not None
        events.append(event)
    return events


def texts(events: list[Event] | None) -> list[bytes]:
    return [event.message for event in events or ()]


@given(st.from_regex(r"[0-9a-f]{16}", fullmatch=True), st.integers(0, 10**18 - 1))
def test_an_event_id_names_stream_and_number(stream: str, number: int) -> None:
    assert parse_event_id(event_id(f"session/s/{stream}", number)) == (stream, number)


@given(st.text())
def test_any_other_text_names_nothing(text: str) -> None:
    named = parse_event_id(text)
    assert named is None or event_id(named[0], named[1]).startswith(named[0])


async def test_the_rest_of_a_finished_stream_is_what_came_after_the_event() -> None:
    transcripts = Transcripts(MemoryStore())
    transcript = opened(transcripts)
    first = transcript.event_id
    transcript.say(NOTE)
    second = transcript.event_id
    transcript.say(ANSWER, is_last=True)
    assert texts(await resumed(transcripts, first)) == [NOTE, ANSWER]
    assert texts(await resumed(transcripts, second)) == [ANSWER]
    assert texts(await resumed(transcripts, transcript.event_id)) == []
    assert await resumed(transcripts, second, "t") is None


async def test_questions_of_a_call_that_is_over_are_not_put_again() -> None:
    store = MemoryStore()
    transcripts = Transcripts(store)
    transcript = opened(transcripts)
    first = transcript.event_id
    transcript.say(QUESTION)
    assert texts(await resumed(transcripts, first)) == [QUESTION]
    later = await resumed(Transcripts(store), first)
    assert later is not None
    assert ["method" in json.loads(event.message) for event in later] == [False]


async def test_an_answer_is_there_although_the_log_let_go_of_all_before_it() -> None:
    store = MemoryStore(Bounds(events=2))
    transcripts = Transcripts(store)
    transcript = opened(transcripts)
    first = transcript.event_id
    for _ in range(5):
        transcript.say(NOTE)
    interrupted = await resumed(Transcripts(store), first)
    assert interrupted is not None
    assert json.loads(interrupted[-1].message)["id"] == 1
    assert json.loads(interrupted[-1].message)["error"]


async def test_an_answer_that_is_too_large_to_keep_is_said_to_be() -> None:
    transcripts = Transcripts(MemoryStore())
    transcript = opened(transcripts)
    outlet = transcript.outlet = Stream(View())
    first = transcript.event_id
    large = b'{"jsonrpc":"2.0","id":1,"result":{"x":"%b"}}' % (b"y" * LARGEST)
    transcript.say(large, is_last=True)
    assert await outlet.next() == large, "whoever is there has it"
    (event,) = await resumed(transcripts, first) or []
    assert f"{len(large)} bytes" in json.loads(event.message)["error"]["message"]


async def test_a_session_has_so_many_transcripts_open_at_a_time_and_no_more() -> None:
    transcripts = Transcripts(MemoryStore())
    live = [opened(transcripts) for _ in range(MAX_LIVE)]
    assert transcripts.open("s", Raw(b"1")) is None
    assert transcripts.open("t", Raw(b"1")) is not None
    live[0].say(ANSWER, is_last=True)
    live[1].close()
    assert transcripts.open("s", Raw(b"1")) is not None


async def test_two_who_find_a_stream_interrupted_are_told_the_same() -> None:
    store = MemoryStore()
    first = opened(Transcripts(store)).event_id
    later = Transcripts(store)
    one, two = await resumed(later, first), await resumed(later, first)
    assert one == two
    assert len(one or ()) == 1


async def test_of_an_ended_session_nothing_is_kept_any_more() -> None:
    store = MemoryStore()
    transcripts = Transcripts(store)
    transcript = opened(transcripts)
    first = transcript.event_id
    await transcripts.drop("s")
    transcript.say(ANSWER, is_last=True)
    assert await resumed(transcripts, first) is None
    assert not await store.read(transcript.name, 0, time.time())
