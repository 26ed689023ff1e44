import asyncio
import logging
from collections.abc import Iterator

import pytest

from onemcp.ops.logs.level import LEVELS, LogLevel

pytestmark = pytest.mark.anyio


@pytest.fixture(autouse=True)
def restored() -> Iterator[None]:
    before = logging.getLogger("onemcp").level
    yield
    logging.getLogger("onemcp").setLevel(before)


def level() -> int:
    return logging.getLogger("onemcp").level


@pytest.mark.parametrize("word", LEVELS)
def test_the_configured_level_is_the_first(word: str) -> None:
    assert LogLevel(word).now == word
    assert level() == LEVELS[word]


async def test_a_level_for_a_while_gives_way_to_the_configured_one() -> None:
    log_level = LogLevel("warn")
    log_level.set("debug", 0.02)
    assert (log_level.now, level()) == ("debug", logging.DEBUG)
    assert 0 < log_level.left <= 0.02
    async with asyncio.timeout(10):
        while log_level.now == "debug":
            await asyncio.sleep(0.005)
    assert (log_level.now, level(), log_level.left) == ("warn", logging.WARNING, 0.0)


async def test_the_last_word_counts() -> None:
    log_level = LogLevel("info")
    log_level.set("debug", 0.01)
    log_level.set("error")
    await asyncio.sleep(0.05)
    assert (log_level.now, log_level.left) == ("error", 0.0)


def test_another_configured_level_counts_at_once() -> None:
    log_level = LogLevel("info")
    log_level.configure("debug")
    assert (log_level.now, log_level.configured, level()) == ("debug", "debug", logging.DEBUG)


async def test_a_level_that_somebody_asked_for_stays_until_its_time_is_over() -> None:
    log_level = LogLevel("info")
    log_level.set("debug", 60)
    log_level.configure("warn")
    assert (log_level.now, log_level.configured) == ("debug", "warn")
    log_level.stop()


async def test_a_level_that_somebody_asked_for_without_an_end_stays() -> None:
    log_level = LogLevel("info")
    log_level.set("debug")
    log_level.configure("warn")
    assert log_level.now == "debug"
