import asyncio
import threading

import pytest
from tests.support.lines import entry

from onemcp.ops.logs.ring import BEHIND, CHARACTERS, LINES, MAX_SERVERS, LogRing

pytestmark = pytest.mark.anyio


def test_a_chatty_server_pushes_out_nobody_elses_lines() -> None:
    ring = LogRing()
    ring.put(entry("quiet", "quiet"))
    for number in range(LINES * 3):
        ring.put(entry(str(number), "chatty"))
    assert [line.message for line in ring.last(10, "quiet")] == ["quiet"]
    assert len(ring.last(10_000, "chatty")) == LINES
    assert ring.last(10_000)[0].message == "quiet"


def test_lines_of_all_are_in_the_order_in_which_they_came() -> None:
    ring = LogRing()
    for number in range(30):
        ring.put(entry(str(number), ("", "a", "b")[number % 3]))
    assert [line.message for line in ring.last(4)] == ["26", "27", "28", "29"]
    assert ring.last(0) == []


def test_long_lines_are_held_to_a_size() -> None:
    ring = LogRing()
    for _ in range(100):
        ring.put(entry("x" * 8000, "a"))
    assert sum(len(line.message) for line in ring.last(1000, "a")) <= CHARACTERS


def test_names_that_nobody_configured_do_not_fill_the_memory() -> None:
    ring = LogRing()
    for number in range(MAX_SERVERS * 2):
        ring.put(entry("x", f"server {number}"))
    assert len(ring.last(1_000_000)) <= MAX_SERVERS + LINES


async def test_a_follower_hears_what_comes_from_any_thread() -> None:
    ring = LogRing()
    ring.put(entry("before"))
    with ring.following(10) as (last, follower):
        assert [line.message for line in last] == ["before"]
        thread = threading.Thread(target=lambda: ring.put(entry("after")))
        thread.start()
        async with asyncio.timeout(10):
            assert [line.message for line in await follower.next()] == ["after"]
        thread.join(10)


async def test_a_follower_of_one_server_hears_of_that_one() -> None:
    ring = LogRing()
    with ring.following(10, "a") as (_, follower):
        ring.put(entry("not this", "b"))
        ring.put(entry("this", "a"))
        async with asyncio.timeout(10):
            assert [line.message for line in await follower.next()] == ["this"]


async def test_a_slow_follower_misses_some_and_knows_how_many() -> None:
    ring = LogRing()
    with ring.following(0) as (_, follower):
        for number in range(BEHIND + 5):
            ring.put(entry(str(number)))
        async with asyncio.timeout(10):
            lines = await follower.next()
        assert (len(lines), follower.missed) == (BEHIND, 5)
        assert lines[-1].message == str(BEHIND + 4)


async def test_at_the_end_followers_hear_that_there_is_no_more() -> None:
    ring = LogRing()
    with ring.following(0) as (_, early):
        ring.close()
        async with asyncio.timeout(10):
            assert await early.next() == []
    with ring.following(0) as (_, late):
        async with asyncio.timeout(10):
            assert await late.next() == []
