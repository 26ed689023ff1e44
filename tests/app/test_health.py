"""What is looked at while the gateway runs: the store, and upstreams where somebody asks for it."""

import asyncio
import shutil
import time
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from tests.support.channels import IDENTITY, Upstreams, handshake, stateless, until
from tests.support.channels import spec as plain_spec

from onemcp.app.folder import Folder
from onemcp.app.health import ping, watch_store
from onemcp.config.state import StateDir
from onemcp.core.access import View
from onemcp.core.events import Events, StoreChanged
from onemcp.core.lifecycle import State
from onemcp.core.spec import RestartPolicy
from onemcp.errors import Reason, StoreError, UpstreamError
from onemcp.gateway.context import CallContext
from onemcp.gateway.runtime import Options, Runtime
from onemcp.ops.health.readiness import Readiness
from onemcp.store.memory import MemoryStore
from onemcp.store.sqlite import SqliteStore
from onemcp.web.http.server import bind_unix
from onemcp.wire.revisions import LATEST_HANDSHAKE, Era

pytestmark = pytest.mark.anyio

ANYBODY = CallContext(Era.HANDSHAKE, LATEST_HANDSHAKE, View())


class Away(MemoryStore):
    """A store that can go away and come back."""

    error = ""

    async def put(
        self, key: str, value: bytes, expires: float, now: float, *, version: int | None = None
    ) -> int:
        if self.error:
            raise StoreError(self.error)
        return await super().put(key, value, expires, now, version=version)


@asynccontextmanager
async def running(task: asyncio.Task[None]) -> AsyncIterator[None]:
    try:
        yield
    finally:
        task.cancel()
        await asyncio.wait((task,))


async def test_a_folder_that_is_removed_under_a_store_is_told_once(tmp_path: Path) -> None:
    state, readiness, events = StateDir(tmp_path / "state"), Readiness(), Events()
    told: list[StoreChanged] = []
    events.listen(StoreChanged, told.append)
    with state.held():
        async with SqliteStore.open(state.store) as store:
            watching = watch_store(store, readiness, events, Folder(state), interval=0.001)
            async with running(asyncio.create_task(watching)):
                shutil.move(state.path, tmp_path / "elsewhere")
                await until(lambda: "was removed or replaced (lock, store.db)" in readiness.store_error)
                shutil.move(tmp_path / "elsewhere", state.path)
                await until(lambda: readiness.store_error == "")
                shutil.rmtree(state.path)
                await until(lambda: readiness.store_error != "")
                state.path.mkdir()
                state.lock.touch()
                state.store.touch()
                await asyncio.sleep(0.01)
                assert "was removed or replaced" in readiness.store_error
    assert [bool(event.error) for event in told] == [True, False, True]


async def test_a_control_socket_that_goes_is_told_once_and_harms_nothing(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    state = StateDir(tmp_path)
    with state.held():
        folder = Folder(state)
        assert folder.harm() == ""
        with bind_unix(state.control_socket):
            assert folder.harm() == ""
            state.control_socket.unlink()
            assert folder.harm() == folder.harm() == ""
    assert caplog.text.count("cannot ask this gateway any more") == 1


async def test_a_store_that_goes_and_comes_is_told_once_each() -> None:
    store, readiness, events = Away(), Readiness(), Events()
    told: list[StoreChanged] = []
    events.listen(StoreChanged, told.append)
    async with running(asyncio.create_task(watch_store(store, readiness, events, interval=0.001))):
        await asyncio.sleep(0.01)
        store.error = "disk I/O error"
        await until(lambda: readiness.store_error == "disk I/O error")
        await asyncio.sleep(0.01)
        store.error = ""
        await until(lambda: readiness.store_error == "")
    assert told == [StoreChanged("disk I/O error"), StoreChanged()]


async def test_a_store_on_disk_is_looked_at_without_a_word(tmp_path: Path) -> None:
    readiness = Readiness()
    async with SqliteStore.open(tmp_path / "store.db") as store:
        async with running(asyncio.create_task(watch_store(store, readiness, Events(), interval=0.001))):
            await asyncio.sleep(0.02)
            assert readiness.store_error == ""
        assert (
            await store.scan("", time.time() + 61) == []
        )  # a look that was cut off leaves its entry for a minute
    async with running(asyncio.create_task(watch_store(store, readiness, Events(), interval=0.001))):
        await until(lambda: "closed" in readiness.store_error)


async def over_and_over(work: Callable[[], Coroutine[None, None, None]]) -> None:
    while True:
        await work()


@asynccontextmanager
async def pinged(upstreams: Upstreams) -> AsyncIterator[Runtime]:
    """A runtime whose upstreams are pinged as often as can be."""
    async with Runtime(Options(async_loading=True, batch_delay=0.0), upstreams.open, IDENTITY) as runtime:
        slow = RestartPolicy(first_delay=600)
        await runtime.apply([plain_spec(name, restart=slow) for name in upstreams.scripts])
        await until(lambda: all(s.life.state is not State.CONNECTING for s in runtime.pool))
        async with running(asyncio.create_task(over_and_over(lambda: ping(runtime, 0.002)))):
            yield runtime
        runtime.notifier.close()


def asked(upstreams: Upstreams, name: str, method: str) -> int:
    """How often an upstream was asked something, over all connections."""
    return sum(request.method == method for channel in upstreams.channels[name] for request in channel.asked)


async def test_each_era_is_pinged_in_its_own_way_and_introduced_to_once() -> None:
    upstreams = Upstreams(old=handshake("a"), new=stateless("a"))
    async with pinged(upstreams):
        await until(
            lambda: asked(upstreams, "old", "ping") >= 3 and asked(upstreams, "new", "server/discover") >= 4
        )
    assert asked(upstreams, "old", "initialize") == 1
    assert [len(channels) for channels in upstreams.channels.values()] == [1, 1]


async def test_what_does_not_answer_the_ping_is_lost() -> None:
    dead = UpstreamError("a", Reason.TIMEOUT, "did not answer within 5 s")
    upstreams = Upstreams(a=handshake("a", ping=dead))
    async with pinged(upstreams) as runtime:
        (supervisor,) = runtime.pool
        await until(lambda: supervisor.life.state is State.BACKOFF)
        assert supervisor.last_error == "did not answer within 5 s"
        count = asked(upstreams, "a", "ping")
        await asyncio.sleep(0.02)
        assert asked(upstreams, "a", "ping") == count, "what is away is left alone"
        assert len(upstreams.channels["a"]) == 1


async def test_a_lost_session_is_left_to_the_next_call() -> None:
    lost = UpstreamError("a", Reason.SESSION_LOST, "has forgotten the session")
    upstreams = Upstreams(a=handshake("a", ping=lost))
    async with pinged(upstreams) as runtime:
        await until(lambda: asked(upstreams, "a", "ping") >= 3)
        (supervisor,) = runtime.pool
        assert supervisor.life.state is State.READY


async def test_an_upstream_in_a_call_is_left_alone() -> None:
    upstreams = Upstreams(a=handshake("a"))
    async with pinged(upstreams) as runtime:
        (supervisor,) = runtime.pool
        call = runtime.backchannel.begin(supervisor, ANYBODY, lambda _: None, 60.0)
        before = asked(upstreams, "a", "ping")
        await asyncio.sleep(0.02)
        assert asked(upstreams, "a", "ping") <= before + 1, "one that was asked for before may come yet"
        runtime.backchannel.end(call)
        await until(lambda: asked(upstreams, "a", "ping") > before + 1)
