"""Reloads while there is work: calls under way, clients that listen, many servers, and nobody who watches."""

import asyncio
import json
import os
import signal
import time
from pathlib import Path
from typing import Any, Final

import httpx2
import pytest
from tests.support.gateway import WAIT_LIMIT, GatewayProcess
from tests.support.live import LOOKS, Live, asked, entry, environment_of, eventually, pid_of
from tests.support.machine import PROC
from tests.support.watching import ERAS, watching

from onemcp.cli.control import Gateway

pytestmark = pytest.mark.anyio

QUICK: Final = {"configReload": {"debounce": 50}}
LOADS: Final = 4
SWAPS: Final = 3


class Mounted:
    """A folder as Kubernetes mounts a ConfigMap: files are links into `..data`, which is a link that is swapped."""

    def __init__(self, file: Path) -> None:
        self._folder = file.parent
        self._version = 0
        text = file.read_text()
        file.unlink()
        self.swap(text)
        file.symlink_to("..data/mcp.json")

    def swap(self, text: str) -> None:
        """Another content, in one step; what was there before is taken away."""
        before = self._folder / f"..{self._version}"
        self._version += 1
        now, link = self._folder / f"..{self._version}", self._folder / "..data_tmp"
        now.mkdir()
        (now / "mcp.json").write_text(text)
        link.symlink_to(now.name)
        link.rename(self._folder / "..data")
        if before.exists():
            (before / "mcp.json").unlink()
            before.rmdir()


async def test_a_swapped_config_map_fails_no_call_and_leaves_alone_what_it_leaves_as_it_was(
    tmp_path: Path,
) -> None:
    def config(mark: int) -> str:
        slow = ("--delay-call", 0.2)
        servers = {"stays": entry(*slow), "changes": entry(*slow, env={"MARK": str(mark)})}
        return json.dumps({"mcpServers": servers, **QUICK})

    gateway = GatewayProcess(config(0), folder=tmp_path)
    mounted = Mounted(gateway.config_file)
    async with gateway:
        await asyncio.to_thread(gateway.wait_settled)
        live, over = Live(gateway), asyncio.Event()
        async with httpx2.AsyncClient() as http, asyncio.TaskGroup() as group:

            async def load(server: str) -> set[int]:
                seen: set[int] = set()
                message, headers = asked(server)
                while not over.is_set():
                    answer = await http.post(gateway.url, json=message, headers=headers, timeout=WAIT_LIMIT)
                    seen.add(pid_of(answer))
                return seen

            loads = {
                name: [group.create_task(load(name)) for _ in range(LOADS)] for name in ("stays", "changes")
            }
            for mark in range(1, SWAPS + 1):
                before = await asyncio.to_thread(live.pid, "changes")
                await asyncio.to_thread(live.settled)
                mounted.swap(config(mark))
                live.expected = (mark, 0)
                await asyncio.to_thread(live.becomes_another, "changes", before)
            over.set()
        await asyncio.sleep(LOOKS)
        await asyncio.to_thread(live.settled)
        pids = {name: set().union(*(task.result() for task in tasks)) for name, tasks in loads.items()}
    assert len(pids["stays"]) == 1
    assert len(pids["changes"]) == SWAPS + 1


@pytest.mark.parametrize("era", ERAS)
async def test_clients_are_told_once_of_all_that_a_reload_changed(tmp_path: Path, era: str) -> None:
    one, other, third, fourth = (entry("--name", name) for name in ("one", "other", "third", "fourth"))
    before = {"mcpServers": {"one": one, "other": other}, **QUICK}
    after = {"mcpServers": {"other": other, "third": third, "fourth": fourth}, **QUICK}
    async with GatewayProcess(before, folder=tmp_path) as gateway:
        await asyncio.to_thread(gateway.wait_settled)
        live = Live(gateway)
        async with watching(gateway.url, era) as watcher:
            await watcher.sees("one_1mcp_echo", "other_1mcp_echo")
            for times, (config, names) in enumerate(
                [(after, ("other", "third", "fourth")), (before, ("one", "other"))], 1
            ):
                live.put(config)
                await watcher.told("tools", times)
                assert sorted(await watcher.tools()) == sorted(f"{name}_1mcp_echo" for name in names)
            await asyncio.to_thread(lambda: live.gateway.command("status"))
            assert watcher.notices["tools"] == 2


def test_of_two_hundred_servers_one_is_touched(tmp_path: Path) -> None:
    def config(mark: str) -> dict[str, Any]:
        real = {f"real-{number}": entry(env={"MARK": "same"}) for number in range(5)}
        off = {f"off-{number}": entry(disabled=True) for number in range(195)}
        return {"mcpServers": {**off, **real, "real-3": entry(env={"MARK": mark})}, **QUICK}

    with GatewayProcess(config("before"), folder=tmp_path) as gateway:
        gateway.wait_settled()
        live = Live(gateway)
        before = {name: live.pid(name) for name in (f"real-{number}" for number in range(5))}
        live.put(config("after"))
        said = json.loads(Gateway(gateway.state_dir).reload())
        live.becomes_another("real-3", before["real-3"])
        after = {name: live.pid(name) for name in before}
    assert said["servers"] == [{"name": "real-3", "change": "replace", "because": ["env"]}]
    assert said["kept"] == 199
    assert {name for name in before if before[name] != after[name]} == {"real-3"}


@PROC.mark
def test_without_the_watch_a_change_waits_until_somebody_says_so(tmp_path: Path) -> None:
    def config(mark: str) -> dict[str, Any]:
        return {"mcpServers": {"one": entry(env={"MARK": mark})}, **QUICK}

    with GatewayProcess(config("a"), "--no-enable-config-reload", folder=tmp_path) as gateway:
        gateway.wait_settled()
        live = Live(gateway)
        with live.reloads(0):
            live.put(config("b"))
            time.sleep(LOOKS)
        assert environment_of(live.pid("one"))["MARK"] == "a"
        with live.reloads():
            gateway.signal(signal.SIGHUP)
        assert environment_of(live.pid("one"))["MARK"] == "b"
        pid = live.pid("one")
        for _ in range(2):
            os.kill(gateway.pid, signal.SIGHUP)
        eventually(lambda: live.told() > live.expected, gateway.transcript)
        live.put(config("c"))
        gateway.signal(signal.SIGHUP)
        live.becomes_another("one", pid)
        assert environment_of(live.pid("one"))["MARK"] == "c"
        assert live.told()[0] <= 4
        assert live.told()[1] == 0


def test_files_that_never_come_hold_up_neither_calls_nor_the_end(tmp_path: Path) -> None:
    with GatewayProcess({"mcpServers": {"one": entry()}, **QUICK}, folder=tmp_path) as gateway:
        gateway.wait_settled()
        live = Live(gateway)
        pid = live.pid("one")
        pipe = tmp_path / "conf.d" / "10.json"
        pipe.parent.mkdir()
        os.mkfifo(pipe)
        held: list[int] = []

        def is_read() -> bool:
            try:
                held.append(os.open(pipe, os.O_WRONLY | os.O_NONBLOCK))
            except OSError:  # nobody has opened it to read, and maybe nobody will
                return bool(live.told()[1])
            return True

        eventually(is_read, gateway.transcript)
        assert live.pid("one") == pid
        assert gateway.stop() == 0
        for end in held:
            os.close(end)


def test_an_alert_of_a_secret_that_was_missing_ends_when_it_comes(tmp_path: Path) -> None:
    kept = tmp_path / "kept"
    kept.mkdir()
    config = {
        "mcpServers": {"one": entry(env={"VALUE": "${SECRET:files:late}"})},
        "secrets": {"cacheSeconds": 1, "providers": {"files": {"type": "folder", "path": str(kept)}}},
    }
    with GatewayProcess(config, folder=tmp_path) as gateway:

        def alerts() -> str:
            return gateway.command("alerts").stdout

        eventually(lambda: "secret_unresolved" in alerts(), gateway.transcript)
        (kept / "late").write_text("here")
        eventually(lambda: "secret_unresolved" not in alerts(), gateway.transcript)
        assert "secret unresolved (over): one cleared" in gateway.stderr
