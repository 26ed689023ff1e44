"""Two gateways behind HAProxy, of which one is stopped under load: nobody's call fails."""

import asyncio
import signal
from collections import Counter
from pathlib import Path
from typing import Final

import httpx2
import pytest
from tests.support.gateway import WAIT_LIMIT, GatewayProcess
from tests.support.guide import free_port
from tests.support.held import Held
from tests.support.machine import HAPROXY
from tests.support.proxies import Proxy
from tests.support.scripted import command
from tests.support.talk import HELLO, Talk

pytestmark = [pytest.mark.anyio, HAPROXY.mark]

ECHO: Final = "e_1mcp_echo"
CLIENTS: Final = 6
"""Of each era."""


class Load:
    """Clients that call as fast as they are answered, until they are told to stop."""

    def __init__(self, url: str) -> None:
        self.failures: list[str] = []
        self.answers: Counter[int] = Counter()
        """By the process that answered."""
        self.sessions = 0
        self._url = url
        self._stopped = asyncio.Event()

    def stop(self) -> None:
        self._stopped.set()

    async def answered(self, more: int) -> None:
        """Return when so many more calls have been answered; bounded."""
        wanted = self.answers.total() + more
        async with asyncio.timeout(WAIT_LIMIT):
            while self.answers.total() < wanted:
                await asyncio.sleep(0.01)

    async def run(self, era: str) -> None:
        async with httpx2.AsyncClient(timeout=WAIT_LIMIT) as http:
            talk = Talk(self._url, http)
            while not self._stopped.is_set():
                try:
                    await self._call(talk, era)
                except httpx2.HTTPError as error:
                    self.failures.append(repr(error))

    async def _call(self, talk: Talk, era: str) -> None:
        if era == "handshake" and not talk.session:
            await self._begin(talk)
        answer = await talk.call(ECHO, era)
        if era == "handshake" and answer.status_code == 404:  # as the protocol has it, a new session follows
            await self._begin(talk)
            answer = await talk.call(ECHO, era)
        if answer.status_code != 200 or "result" not in answer.json():
            self.failures.append(f"{era}: {answer.status_code} {answer.text}")
        else:
            self.answers[answer.json()["result"]["structuredContent"]["pid"]] += 1

    async def _begin(self, talk: Talk) -> None:
        opened = await talk.initialize()
        if opened.status_code != 200:
            self.failures.append(f"initialize: {opened.status_code} {opened.text}")
        self.sessions += 1


class Instance:
    """One of the two."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir()
        self.held = Held(folder / "held")
        self.port = free_port()
        servers = {"a": self.held.entry(), "e": {"command": command()}}
        flags = ("--drain-min", "1500", "--drain-timeout", "30000")
        self.process = GatewayProcess({"mcpServers": servers}, *flags, folder=folder, port=self.port)

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    async def says_no(self, http: httpx2.AsyncClient) -> None:
        """Return when new sessions are refused; bounded."""
        talk = Talk(f"http://{self.address}/mcp", http)
        async with asyncio.timeout(WAIT_LIMIT):
            while (await talk.post(HELLO)).status_code == 200:
                await asyncio.sleep(0.02)


async def session_on(instance: Instance, url: str, http: httpx2.AsyncClient) -> Talk:
    """A session that was opened through the proxy and lives in this gateway."""
    own = Talk(f"http://{instance.address}/mcp", http)
    wanted = (await own.post(HELLO)).json()["result"]["_meta"]["onemcp/instance"]
    async with asyncio.timeout(WAIT_LIMIT):
        while True:
            talk = Talk(url, http)
            opened = await talk.initialize()
            if opened.json()["result"]["_meta"]["onemcp/instance"] == wanted:
                return talk


async def test_one_of_two_is_stopped_under_load_and_no_call_fails(tmp_path: Path) -> None:
    goes, stays = Instance(tmp_path / "goes"), Instance(tmp_path / "stays")
    changes = {
        "127.0.0.1:3050": goes.address,
        "127.0.0.1:3051": stays.address,
        "check inter 2s": "check inter 200ms",
    }
    async with (
        goes.process,
        stays.process,
        httpx2.AsyncClient(timeout=WAIT_LIMIT) as http,
        asyncio.TaskGroup() as tasks,
    ):
        with Proxy.haproxy(tmp_path / "haproxy", changes) as proxy:
            load = Load(proxy.url)
            clients = [
                tasks.create_task(load.run(era)) for era in ("handshake", "stateless") for _ in range(CLIENTS)
            ]
            pinned = await session_on(goes, proxy.url, http)
            long_call = asyncio.create_task(pinned.call("a_1mcp_hold"))
            await load.answered(200)
            assert len(load.answers) == 2
            goes.process.signal(signal.SIGTERM)
            await goes.says_no(http)
            await load.answered(200)
            assert not long_call.done()
            goes.held.release()
            assert (await long_call).json()["result"]["content"][0]["text"] == "held 1"
            assert await asyncio.to_thread(goes.process.wait) == 0
            await load.answered(200)
            load.stop()
            await asyncio.gather(*clients)
        stays.held.release()
    assert load.failures == []
    assert load.sessions > CLIENTS  # those that lived in the one that went have begun anew
