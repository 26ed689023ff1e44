"""The GET stream of a session, and the places in it that event ids name."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from onemcp.core.access import View
from onemcp.gateway.listener import NOWHERE, Listener, Position

pytestmark = pytest.mark.anyio

numbers = st.integers(0, 10**18 - 1)


@given(st.from_regex(r"[0-9a-f]{8}", fullmatch=True), numbers, numbers)
def test_an_event_id_says_where_its_client_is(epoch: str, seen: int, told: int) -> None:
    assert Position.parse(str(Position(epoch, seen, told))) == Position(epoch, seen, told)


@given(st.text())
def test_any_other_text_is_no_position(text: str) -> None:
    for made_up in (text, f"listener-{text}", f"listener-e-{text}-1", f"listener-e-1-{text}"):
        position = Position.parse(made_up)
        assert position is None or str(position).split("-")[0] == "listener"


@pytest.mark.parametrize(
    "text", ["", "listener-e-1", "listener-e--1-1", "listener-e-1-²", "listener-e-1-" + "9" * 19]
)
def test_numbers_are_plain_and_bounded(text: str) -> None:
    assert Position.parse(text) is None


async def test_what_is_told_while_the_log_is_read_comes_behind_it_and_once() -> None:
    listener = Listener(View(), "", NOWHERE._replace(told=4))
    listener.tell(b"6", "a", 6)
    listener.tell(b"7", "a", 7)
    listener.recall([(5, "a", b"5"), (6, "a", b"6")])
    events = [await listener.next_event() for _ in range(3)]
    assert [(event.message, event.id) for event in events if event] == [
        (b"5", "listener-0-0-5"),
        (b"6", "listener-0-0-6"),
        (b"7", "listener-0-0-7"),
    ]
    assert listener.heard.told == 7


async def test_what_is_still_queued_is_not_heard() -> None:
    listener = Listener(View(), "", NOWHERE)
    listener.tell(b"1", "a", 1)
    listener.tell(b"2", "a", 2)
    await listener.next_event()
    assert listener.heard.told == 1
    await listener.next_event()
    assert listener.heard.told == 2
