"""Reading files that may never come."""

import asyncio
import os
import threading
from pathlib import Path

import pytest

from onemcp.config.reading import MOST, Reading
from onemcp.errors import ConfigError

pytestmark = pytest.mark.anyio

LONG = 20.0


async def test_what_is_read_and_what_goes_wrong_come_back(tmp_path: Path) -> None:
    file = tmp_path / "mcp.json"
    file.write_text("{}")
    reading = Reading(file)
    assert await reading(file.read_text) == "{}"
    with pytest.raises(ValueError, match="invalid literal"):
        await reading(lambda: int("x"))
    with pytest.raises(ConfigError, match=r"mcp\.json/x: it cannot be read: Not a directory"):
        await Reading(file / "x")((file / "x").read_text)
    assert reading.under_way == 0


async def test_a_pipe_that_nobody_writes_to_is_not_waited_for(tmp_path: Path) -> None:
    pipe = tmp_path / "mcp.json"
    os.mkfifo(pipe)
    reading = Reading(pipe, limit=0.05)
    with pytest.raises(ConfigError, match=r"mcp\.json: it could not be read within 0\.05 s"):
        await reading(pipe.read_text)
    assert reading.under_way == 1
    pipe.write_text("late")
    async with asyncio.timeout(LONG):
        while reading.under_way:
            await asyncio.sleep(0.01)


async def test_threads_that_do_not_come_back_are_not_joined_by_ever_more(tmp_path: Path) -> None:
    gate, reading = threading.Event(), Reading(tmp_path / "mcp.json", limit=0.001)

    def hang() -> None:
        gate.wait(LONG)

    for _ in range(MOST):
        with pytest.raises(ConfigError, match="could not be read within"):
            await reading(hang)
    with pytest.raises(ConfigError, match=f"{MOST} readings of it have not come back; restart the gateway"):
        await reading(hang)
    gate.set()
    async with asyncio.timeout(LONG):
        while reading.under_way:
            await asyncio.sleep(0.01)
