"""Requests in flight on one channel."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import Raw

from onemcp.errors import Reason, UpstreamError
from onemcp.upstream.channel import Reply
from onemcp.upstream.pending import Pending
from onemcp.wire.envelope import ABSENT, Envelope

pytestmark = pytest.mark.anyio


def answer(raw_id: bytes) -> Envelope:
    return Envelope("2.0", id=Raw(raw_id), result=Raw(b"{}"))


@pytest.fixture
async def expired() -> list[int]:
    return []


@pytest.fixture
async def pending(expired: list[int]) -> AsyncIterator[Pending]:
    pending = Pending("one", limit=8, on_expired=expired.append)
    yield pending
    pending.close()


async def test_answers_reach_who_asked_in_any_order(pending: Pending) -> None:
    (first, one), (second, two) = pending.open(9), pending.open(9)
    assert pending.resolve(answer(b"%d" % second))
    assert pending.resolve(Envelope("2.0", id=Raw(b"%d" % first), error=Raw(b'{"code":1}')))
    assert await one == Reply(ABSENT, Raw(b'{"code":1}'))
    assert await two == Reply(Raw(b"{}"), ABSENT)
    assert len(pending) == 0


@pytest.mark.parametrize("raw", [b'"1"', b"2", b"-1", b"null", b"", b"9" * 5000])
async def test_an_id_that_nobody_waits_for_is_told(pending: Pending, raw: bytes) -> None:
    pending.open(9)
    assert not pending.resolve(answer(raw))
    assert len(pending) == 1


async def test_a_second_answer_counts_as_late(pending: Pending) -> None:
    request_id, _ = pending.open(9)
    assert pending.resolve(answer(b"%d" % request_id))
    assert not pending.resolve(answer(b"%d" % request_id))


async def test_a_request_over_the_limit_is_refused_unsent(pending: Pending) -> None:
    for _ in range(8):
        pending.open(9)
    with pytest.raises(UpstreamError, match="8 requests unanswered") as caught:
        pending.open(9)
    assert (caught.value.reason, caught.value.ran) == (Reason.OVERLOADED, False)


async def test_a_request_ends_at_its_deadline_and_the_owner_hears_of_it(
    pending: Pending, expired: list[int]
) -> None:
    _, patient = pending.open(60)
    request_id, future = pending.open(0.01)
    with pytest.raises(UpstreamError, match=r"one: did not answer within 0\.01 s") as caught:
        async with asyncio.timeout(5):
            await future
    assert (caught.value.reason, caught.value.ran) == (Reason.TIMEOUT, True)
    assert expired == [request_id]
    assert not patient.done()


async def test_deadlines_hold_whatever_their_order(pending: Pending, expired: list[int]) -> None:
    futures = [pending.open(timeout)[1] for timeout in (0.3, 0.01, 0.15, 0.02, float("inf"))]
    async with asyncio.timeout(5):
        errors = await asyncio.gather(*futures[:-1], return_exceptions=True)
    assert all(isinstance(error, UpstreamError) for error in errors)
    assert (expired[0], sorted(expired)) == (2, [1, 2, 3, 4])
    assert len(pending) == 1


async def test_no_timer_runs_for_a_request_without_an_end(pending: Pending) -> None:
    pending.open(float("inf"))
    assert pending._timer is None


async def test_a_cancelled_wait_withdraws_the_request(pending: Pending, expired: list[int]) -> None:
    request_id, _ = pending.open(9)
    pending.withdraw(request_id)
    pending.withdraw(request_id)
    assert expired == [request_id]
    assert not pending.resolve(answer(b"%d" % request_id))


async def test_an_unsent_request_is_forgotten_in_silence(pending: Pending, expired: list[int]) -> None:
    request_id, _ = pending.open(9)
    pending.discard(request_id)
    assert (len(pending), expired) == (0, [])


async def test_all_that_wait_fail_each_with_an_error_of_its_own(pending: Pending) -> None:
    futures = [pending.open(9)[1] for _ in range(3)]
    pending.fail(lambda: UpstreamError("one", Reason.EXITED, "exited with status 1"))
    errors = [future.exception() for future in futures]
    assert [str(error) for error in errors] == ["one: exited with status 1"] * 3
    assert len(set(map(id, errors))) == 3


async def test_one_can_be_failed_alone(pending: Pending) -> None:
    request_id, future = pending.open(9)
    assert pending.only() == request_id
    _, other = pending.open(9)
    assert pending.only() is None
    pending.fail(UpstreamError("one", Reason.TOO_LARGE, "answered too much"), request_id)
    assert isinstance(future.exception(), UpstreamError)
    assert not other.done()


async def test_the_place_of_a_request_is_known_while_it_waits(pending: Pending) -> None:
    seen: list[Envelope] = []
    request_id, _ = pending.open(9, seen.append)
    assert pending.sink(request_id) == seen.append
    pending.resolve(answer(b"%d" % request_id))
    assert pending.sink(request_id) is None


STEPS = st.tuples(st.sampled_from(["open", "resolve", "withdraw", "discard", "fail"]), st.integers(1, 8))


@settings(deadline=None)
@given(st.lists(STEPS, max_size=60))
async def test_every_request_ends_exactly_once(steps: list[tuple[str, int]]) -> None:
    expired: list[int] = []
    pending = Pending("one", on_expired=expired.append)
    opened: list[asyncio.Future[Reply]] = []
    alive: set[int] = set()
    for do, chosen in steps:
        if do == "open":
            request_id, future = pending.open(60)
            opened.append(future)
            alive.add(request_id)
            continue
        if do == "resolve":
            assert pending.resolve(answer(b"%d" % chosen)) is (chosen in alive)
        elif do == "fail":
            pending.fail(UpstreamError("one", Reason.EXITED, "gone"), chosen)
        elif do == "withdraw":
            told = len(expired)
            pending.withdraw(chosen)
            assert expired[told:] == ([chosen] if chosen in alive else [])
        else:
            pending.discard(chosen)
        alive.discard(chosen)
        assert len(pending) == len(alive)
    for future in opened:
        assert not future.done() or future.exception() is not None or future.result()
    pending.close()
