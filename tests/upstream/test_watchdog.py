"""No process of an upstream outlives its upstream or the gateway."""

import asyncio
import logging
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.support.channels import until
from tests.support.marks import carrying
from tests.support.scripted import command

from onemcp.upstream import watchdog_main
from onemcp.upstream.watchdog import Watchdog
from onemcp.upstream.watchdog_main import Group, Ward

pytestmark = pytest.mark.anyio

ROOT = Path(__file__).parents[2]
STUBBORN = command("--mode", "stay", "--mode", "grandchild", "--mode", "daemon")


@pytest.fixture
async def watchdog() -> AsyncIterator[Watchdog]:
    async with Watchdog() as watchdog:
        yield watchdog


def mark(watchdog: Watchdog, tag: str) -> str:
    return watchdog.environment(tag)[watchdog_main.VARIABLE]


@asynccontextmanager
async def stubborn(watchdog: Watchdog, tag: str) -> AsyncIterator[asyncio.subprocess.Process]:
    """A child with two grandchildren, of which one left the session; all ignore SIGTERM."""
    process = await asyncio.create_subprocess_exec(
        *STUBBORN, stdin=subprocess.PIPE, env=dict(watchdog.environment(tag)), start_new_session=True
    )
    watchdog.started(tag, process.pid)
    try:
        await until(lambda: len(carrying(mark(watchdog, tag))) == 3)
        yield process
    finally:
        await process.wait()


async def test_nothing_runs_before_the_first_upstream(watchdog: Watchdog) -> None:
    assert watchdog.pid == 0
    tag = watchdog.register()
    assert watchdog.pid > 0
    assert await watchdog.release(tag) == 0


async def test_a_release_ends_all_that_an_upstream_started(watchdog: Watchdog) -> None:
    tag, other = watchdog.register(), watchdog.register()
    async with stubborn(watchdog, tag), stubborn(watchdog, other):
        assert await watchdog.release(tag) == 3
        assert carrying(mark(watchdog, tag)) == []
        assert len(carrying(mark(watchdog, other))) == 3
        assert await watchdog.release(tag) == 0
        assert await watchdog.release(other) == 3


async def test_leaving_ends_what_was_not_released() -> None:
    async with Watchdog() as watchdog:
        tag = watchdog.register()
        async with asyncio.TaskGroup() as group:
            stack = stubborn(watchdog, tag)
            process = await stack.__aenter__()
            group.create_task(process.wait())
            await watchdog.__aexit__(None, None, None)
        await stack.__aexit__(None, None, None)
    assert carrying(mark(watchdog, tag)) == []


async def test_killing_ends_all_that_upstreams_started_before_it_returns() -> None:
    async with Watchdog() as watchdog:
        tags = watchdog.register(), watchdog.register()
        async with stubborn(watchdog, tags[0]) as one, stubborn(watchdog, tags[1]):
            watchdog.kill()
            assert [carrying(mark(watchdog, tag)) for tag in tags] == [[], []]
            assert await one.wait() == -signal.SIGKILL


async def test_a_process_that_dropped_its_environment_is_found_by_its_session(watchdog: Watchdog) -> None:
    tag = watchdog.register()
    script = "exec env -i sleep 600"
    process = await asyncio.create_subprocess_exec(
        "/bin/sh",
        "-c",
        f"env -i sleep 600 & {script}",
        start_new_session=True,
        env=dict(watchdog.environment(tag)),
    )
    watchdog.started(tag, process.pid)
    async with asyncio.timeout(10):
        await until(lambda: carrying(mark(watchdog, tag)) == [])
        assert await watchdog.release(tag) == 2
        assert await process.wait() == -signal.SIGTERM


async def test_a_watchdog_that_dies_is_replaced_and_knows_what_the_old_one_knew(
    watchdog: Watchdog, caplog: pytest.LogCaptureFixture
) -> None:
    tag = watchdog.register()
    async with stubborn(watchdog, tag):
        watchdog._since -= 60  # As if it had lived for a while.
        old = watchdog.pid
        os.kill(old, signal.SIGKILL)
        await until(lambda: watchdog.pid not in (0, old))
        assert "the watchdog died" in caplog.text
        assert await watchdog.release(tag) == 3


async def test_a_release_survives_the_death_of_the_watchdog(watchdog: Watchdog) -> None:
    tag = watchdog.register()
    async with stubborn(watchdog, tag):
        watchdog._since -= 60
        os.kill(watchdog.pid, signal.SIGKILL)
        assert await watchdog.release(tag) == 3


async def test_a_watchdog_that_dies_at_once_is_not_started_in_a_loop(watchdog: Watchdog) -> None:
    tag = watchdog.register()
    os.kill(watchdog.pid, signal.SIGKILL)
    assert await watchdog.release(tag) == 0
    assert watchdog.pid == 0
    tag = watchdog.register()
    assert watchdog.pid > 0
    assert await watchdog.release(tag) == 0


async def test_a_missing_interpreter_costs_the_guard_but_not_the_upstream(
    watchdog: Watchdog, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(sys, "executable", "/nowhere/python")
    tag = watchdog.register()
    watchdog.started(tag, 1)
    assert await watchdog.release(tag) == 0
    assert [record.levelno for record in caplog.records] == [logging.ERROR]


async def test_marks_of_the_gateway_above_are_kept(
    watchdog: Watchdog, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(watchdog_main.VARIABLE, "above:7")
    tag = watchdog.register()
    assert mark(watchdog, tag) == f"above:7 {watchdog._instance}:{tag}"
    await watchdog.release(tag)


@pytest.mark.parametrize("how", ["", "unstarted"])
async def test_kill_9_of_the_gateway_leaves_nothing(how: str) -> None:
    parent = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "tests.support.abandoned",
        *how.split(),
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT / "src")},
        stdout=subprocess.PIPE,
    )
    assert parent.stdout is not None
    async with asyncio.timeout(20):
        said = (await parent.stdout.readline()).decode().split()
        await until(lambda: len(carrying(said[0])) == 3, 10)
        parent.kill()
        await parent.wait()
        await until(lambda: carrying(said[0]) == [], 10)
        assert await parent.stdout.read() == b""  # all who could write are gone; and the pipe is closed


class Bare:
    """The watchdog's program on its own."""

    def __init__(self) -> None:
        program = Path(watchdog_main.__file__)
        self.process = subprocess.Popen(
            [sys.executable, "-I", "-S", "-E", program, "here"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            start_new_session=True,
        )

    def say(self, data: bytes) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(data)
        self.process.stdin.flush()

    def hear(self) -> bytes:
        assert self.process.stdout is not None
        return self.process.stdout.readline()


def test_it_survives_garbage_and_the_signals_that_end_a_gateway() -> None:
    bare = Bare()
    with bare.process:
        bare.say(b"release 1\n")
        assert bare.hear() == b"released 1 0\n"
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            bare.process.send_signal(number)
        bare.say(
            b"\xff\x00\nstarted\nstarted 1 -1\nstarted 1 0\nstarted 2 1\nregister\n" + b"x" * 200_000 + b"\n"
        )
        bare.say(b"rele")
        bare.say(b"ase 2\n")
        assert bare.hear() == b"released 2 0\n"
        bare.say(b"unfinished")
        bare.process.communicate(timeout=10)
    assert bare.process.returncode == 0


def test_it_needs_few_modules() -> None:
    code = "import sys; sys.path[:0] = sys.argv[1:]; import watchdog_main; print(len(sys.modules))"
    run = subprocess.run(
        [sys.executable, "-I", "-S", "-E", "-c", code, Path(watchdog_main.__file__).parent],
        capture_output=True,
        check=True,
        timeout=20,
    )
    assert int(run.stdout) < 50


def test_a_reused_pid_is_not_taken_for_the_old_one() -> None:
    group = Group(os.getpid())
    assert group.is_valid()
    group.started -= 1
    assert not group.is_valid()


def test_a_group_without_its_leader_is_still_one() -> None:
    process = subprocess.Popen(["true"])
    process.wait()
    assert Group(process.pid).is_valid()


NAMES = st.text("ab:_ =0", max_size=8)


@settings(deadline=None)
@given(st.lists(st.tuples(NAMES, NAMES)), st.integers(1, 99), st.integers(1, 99))
def test_only_the_exact_mark_counts(others: list[tuple[str, str]], ours: int, theirs: int) -> None:
    ward = Ward("here")
    rest = b"".join(f"{name}={value}\0".encode() for name, value in others)
    variable = f"{watchdog_main.VARIABLE}=above:1 here:{ours}\0".encode()
    assert ward._is_marked(rest + variable, [str(ours)])
    assert ward._is_marked(variable + rest, None)
    assert ward._is_marked(rest + variable, [str(theirs)]) is (ours == theirs)
    assert not Ward("her")._is_marked(rest + variable, None)
    assert not ward._is_marked(rest + b"X" + variable, None)
    assert not ward._is_marked(rest, None)
