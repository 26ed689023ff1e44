import asyncio
import gc
import weakref

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Raw

from onemcp.core.access import Principal, View
from onemcp.gateway.context import CallContext
from onemcp.gateway.trail import MAX_ID, TRAIL, Trail, following, request_id
from onemcp.wire.envelope import Envelope, encode
from onemcp.wire.revisions import LATEST_STATELESS, Era

TRACE = "0af7651916cd43dd8448eb211c80319c"
SPAN = "b7ad6b7169203331"
PARENT = f"00-{TRACE}-{SPAN}-01"


def context(**more: object) -> CallContext:
    made = CallContext(Era.STATELESS, LATEST_STATELESS, View())
    for name, value in more.items():
        setattr(made, name, value)
    return made


def test_an_id_is_made_once_and_no_other_trail_has_it() -> None:
    one, other = Trail(), Trail()
    assert one.id == one.id
    assert one.id != other.id


def test_a_good_id_of_the_clients_own_is_taken() -> None:
    assert Trail({b"x-request-id": b"order-17/a.b:c"}).id == "order-17/a.b:c"


@pytest.mark.parametrize("bad", [b"", b"two words", b"a\tb", b'"', "\xe9".encode(), b"x" * (MAX_ID + 1)])
def test_a_bad_one_is_not(bad: bytes) -> None:
    assert Trail({b"x-request-id": bad}).id.encode() != bad


@given(st.binary(max_size=200))
def test_whatever_a_client_sends_an_id_is_short_and_stands_in_a_header(value: bytes) -> None:
    made = Trail({b"x-request-id": value}).id
    assert 0 < len(made) <= MAX_ID
    assert made.isascii()
    assert made.isprintable()
    assert " " not in made


def test_lines_say_who_asks_for_what_and_where_it_goes() -> None:
    trail = Trail({b"x-request-id": b"r1"})
    trail.context = context(upstream="alpha", principal=Principal(subject="ada"))
    trail.envelope = Envelope(method="tools/call")
    assert trail.facts() == {
        "request_id": "r1",
        "principal": "ada",
        "server": "alpha",
        "method": "tools/call",
    }


def test_the_trace_comes_from_the_header_or_better_from_the_message() -> None:
    trail = Trail({b"traceparent": PARENT.encode()})
    assert (trail.facts()["trace_id"], trail.facts()["span_id"]) == (TRACE, SPAN)
    inner = f"00-{'1' * 32}-{'2' * 16}-00"
    params = encode({"_meta": {"traceparent": inner}})
    trail.envelope = Envelope(method="x", params=Raw(params))
    assert (trail.facts()["trace_id"], trail.facts()["span_id"]) == ("1" * 32, "2" * 16)


@pytest.mark.parametrize("params", [b"[]", b"1", b'{"_meta":7}', b'{"_meta":{"traceparent":7}}', b"{}"])
def test_params_of_any_shape_are_no_trouble(params: bytes) -> None:
    trail = Trail()
    trail.envelope = Envelope(method="x", params=Raw(params))
    assert "trace_id" not in trail.facts()


def test_after_its_end_a_trail_leads_nowhere() -> None:
    trail = Trail({b"x-request-id": b"r1"})
    with following(trail):
        assert request_id() == "r1"
    assert request_id() == ""
    assert trail.facts() == {}


@pytest.mark.anyio
async def test_what_goes_on_after_a_request_is_not_about_it() -> None:
    over = asyncio.Event()
    seen: list[str] = []

    async def outlives() -> None:
        seen.append(request_id())
        await over.wait()
        seen.append(request_id())

    with following(Trail({b"x-request-id": b"r1"})):
        task = asyncio.create_task(outlives())
        await asyncio.sleep(0)
    over.set()
    await task
    assert seen == ["r1", ""]


@pytest.mark.anyio
async def test_an_ended_trail_holds_no_context_and_no_cycle_is_left() -> None:
    async def answer() -> "weakref.ref[Trail]":
        class Watched(Trail):
            __slots__ = ("__weakref__",)

        trail = Watched()
        TRAIL.set(trail)
        trail.context = context(task=asyncio.current_task())
        trail.end()
        return weakref.ref(trail)

    gc.disable()
    try:
        found = await asyncio.create_task(answer())
        await asyncio.sleep(0)
        assert found() is None
    finally:
        gc.enable()
