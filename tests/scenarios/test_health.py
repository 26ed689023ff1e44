"""Real servers in every state, and what health, readiness, loading and `1mcp status` say of them: one truth."""

import asyncio
import json
import os
import shutil
import signal
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

import httpx2
import pytest
from tests.support.gates import Gate
from tests.support.gateway import WAIT_LIMIT, GatewayProcess
from tests.support.scripted import command

pytestmark = pytest.mark.anyio

PAGES: Final = ("/health", "/health/ready", "/health/live", "/health/mcp")
STATES: Final = {
    "connected": "ready",
    "connecting": "connecting",
    "restarting": "backoff",
    "awaiting_oauth": "awaiting_auth",
    "error": "failed",
}
"""The words of the API, and those of `1mcp status`."""
GOOD: Final = {"command": command()}
LAME: Final = {"command": command("--mode", "crash-start"), "restartDelay": 600_000}
"""It crashes at its start and is not started again for ten minutes."""


class Told:
    """What the pages say at one moment."""

    def __init__(self, answers: Mapping[str, httpx2.Response]) -> None:
        self.statuses = [answers[page].status_code for page in PAGES]
        self.health, self.ready, _, self.loading = (answers[page].json() for page in PAGES)
        self.header = answers["/health"].headers["x-health-status"]
        self.servers = {s["name"]: s for s in self.health["servers"]["details"]}
        self.words = {name: server["status"] for name, server in self.servers.items()}


async def told(gateway: GatewayProcess) -> Told:
    """Ask for all pages."""
    async with httpx2.AsyncClient(base_url=gateway.base, timeout=WAIT_LIMIT) as client:
        return Told({page: await client.get(page) for page in PAGES})


async def until_told(gateway: GatewayProcess, condition: Callable[[Told], bool]) -> Told:
    """What the pages say as soon as the condition holds."""
    async with asyncio.timeout(WAIT_LIMIT):
        while not condition(found := await told(gateway)):
            await asyncio.sleep(0.05)
    return found


@asynccontextmanager
async def unauthorized() -> AsyncIterator[str]:
    """The address of a server that wants credentials."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 401 Unauthorized\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")
        await writer.drain()
        writer.close()

    async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/mcp"


async def test_every_state_is_told_alike_by_health_readiness_and_status(tmp_path: Path) -> None:
    gate = Gate(tmp_path, "slow")
    async with unauthorized() as url:
        servers = {
            "good": {**GOOD, "tags": ["web", "team"]},
            "slow": gate.entry(),
            "lame": LAME,
            "closed": {"url": url},
            "missing": {"command": "no-such-program-anywhere"},
            "unset": {"command": [*command(), "${HEALTH_UNSET}"]},
            "off": {"command": command(), "disabled": True},
        }
        async with GatewayProcess({"mcpServers": servers}, folder=tmp_path) as gateway:
            expected = {
                "good": "connected",
                "slow": "connecting",
                "lame": "restarting",
                "closed": "awaiting_oauth",
                "missing": "error",
                "unset": "error",
            }
            found = await until_told(gateway, lambda found: found.words == expected)
            assert found.statuses == [200, 200, 200, 202], "one is still starting"
            assert found.health["status"] == found.header == "degraded"
            assert found.health["servers"] | {"details": None} == {
                "total": 6,
                "healthy": 1,
                "unhealthy": 5,
                "details": None,
            }
            configuration = found.health["configuration"]
            assert configuration == found.ready["configuration"]
            assert (configuration["enabledCount"], configuration["disabledCount"]) == (6, 1)
            assert found.servers["good"]["tags"] == ["team", "web"]
            assert "status 3" in found.servers["lame"]["lastError"]
            assert "no-such-program-anywhere" in found.servers["missing"]["lastError"]
            assert "HEALTH_UNSET" in found.servers["unset"]["lastError"]
            assert str(tmp_path) not in json.dumps(found.health)
            assert url not in json.dumps(found.health)
            assert found.loading["servers"]["byState"]["awaitingOAuth"] == ["closed"]
            await status_agrees(gateway, found)

            await gate.open()
            found = await until_told(gateway, lambda found: found.words["slow"] == "connected")
            assert found.statuses[:3] == [503, 200, 200], "two of six are well, and balancers need not know"
            assert found.health["status"] == found.header == "unhealthy"
            await status_agrees(gateway, found)


async def status_agrees(gateway: GatewayProcess, found: Told) -> None:
    """The operator's command says the same."""
    done = await asyncio.to_thread(gateway.command, "status", "--json")
    states = {server["name"]: server["state"] for server in json.loads(done.stdout)["servers"]}
    assert {name: states[name] for name in found.words} == {n: STATES[w] for n, w in found.words.items()}


async def test_a_server_that_dies_and_comes_back_is_told_all_the_way(tmp_path: Path) -> None:
    servers = {name: {"command": command("--name", name), "restartDelay": 1000} for name in "ab"}
    async with GatewayProcess({"mcpServers": servers}, folder=tmp_path) as gateway:
        before = await until_told(gateway, lambda found: found.health["status"] == "healthy")
        assert before.statuses == [200, 200, 200, 200]
        done = await asyncio.to_thread(gateway.command, "run", "a/echo", "--args", "{}", "--json")
        os.kill(process_id(done.stdout), signal.SIGKILL)
        away = await until_told(gateway, lambda found: found.words["a"] == "restarting")
        assert away.statuses[:3] == [503, 200, 200]
        assert "SIGKILL" in away.servers["a"]["lastError"]
        assert away.servers["a"]["lastConnected"] == before.servers["a"]["lastConnected"]
        back = await until_told(gateway, lambda found: found.health["status"] == "healthy")
        assert back.servers["a"]["lastConnected"] > before.servers["a"]["lastConnected"]
        assert back.servers["b"]["lastConnected"] == before.servers["b"]["lastConnected"]


def process_id(told: str) -> int:
    """The process of the server that answered `echo`."""
    number: int = json.loads(told)["structuredContent"]["pid"]
    return number


async def test_a_required_server_decides_until_the_entry_says_otherwise(tmp_path: Path) -> None:
    servers: dict[str, Any] = {"a": GOOD, "b": GOOD, "c": {**LAME, "required": True}}
    async with GatewayProcess({"mcpServers": servers}, folder=tmp_path) as gateway:
        found = await until_told(gateway, lambda found: sorted(found.words.values())[2:] == ["restarting"])
        found = await until_told(gateway, lambda found: found.health["servers"]["healthy"] == 2)
        assert (found.health["status"], found.statuses[:3]) == ("unhealthy", [503, 200, 200])
        servers["c"] = LAME
        gateway.config_file.write_text(json.dumps({"mcpServers": servers}))
        gateway.signal(signal.SIGHUP)
        after = await until_told(gateway, lambda found: found.health["status"] == "degraded")
        assert after.servers == found.servers, "nothing was restarted"


async def test_a_reload_that_failed_is_told_until_one_succeeds(tmp_path: Path) -> None:
    async with GatewayProcess({"mcpServers": {"a": GOOD}}, folder=tmp_path) as gateway:
        await until_told(gateway, lambda found: found.health["status"] == "healthy")
        gateway.config_file.write_text('{"mcpServers": {"a": {"comand": "x"}}}')
        gateway.signal(signal.SIGHUP)
        found = await until_told(gateway, lambda found: "lastReloadError" in found.health["configuration"])
        assert "comand: unknown key" in found.health["configuration"]["lastReloadError"]
        assert str(tmp_path) not in json.dumps(found.health)
        assert found.statuses == [200, 200, 200, 200], "the configuration before is in force"
        gateway.config_file.write_text(json.dumps({"mcpServers": {"a": GOOD}}))
        gateway.signal(signal.SIGHUP)
        await until_told(gateway, lambda found: "lastReloadError" not in found.health["configuration"])


async def test_readiness_waits_for_the_servers_that_it_is_told_to(tmp_path: Path) -> None:
    gate = Gate(tmp_path, "slow")
    config = {"mcpServers": {"slow": gate.entry(), "lame": LAME}}
    flags = ("--enable-async-loading", "--ready-requires", "slow")
    async with GatewayProcess(config, *flags, folder=tmp_path) as gateway:
        found = await told(gateway)
        assert (found.statuses[1], found.ready["status"]) == (503, "not_ready")
        assert found.ready["reasons"] == ["the server slow is connecting"]
        await gate.open()
        found = await until_told(gateway, lambda found: found.statuses[1] == 200)
        assert found.ready["status"] == "ready"


async def test_a_server_that_nobody_configured_keeps_it_unready_and_is_told(tmp_path: Path) -> None:
    flags = ("--ready-requires", "ghost")
    async with GatewayProcess({"mcpServers": {"a": GOOD}}, *flags, folder=tmp_path) as gateway:
        found = await told(gateway)
        assert found.ready["reasons"] == ["the server ghost is not configured"]
        assert "no server is called ghost" in gateway.stderr


async def test_a_process_that_stands_still_fails_liveness_until_it_goes_on(tmp_path: Path) -> None:
    hangs = {"command": command("--mode", "hang-start")}
    async with (
        GatewayProcess({"mcpServers": {"a": hangs}}, folder=tmp_path) as gateway,
        httpx2.AsyncClient(base_url=gateway.base) as client,
    ):
        assert (await client.get("/health/live", timeout=WAIT_LIMIT)).status_code == 200
        gateway.signal(signal.SIGSTOP)
        try:
            with pytest.raises(httpx2.TimeoutException):
                await client.get("/health/live", timeout=0.5)
        finally:
            gateway.signal(signal.SIGCONT)
        assert (await client.get("/health/live", timeout=WAIT_LIMIT)).status_code == 200


async def test_a_stop_turns_health_and_readiness_off_and_leaves_liveness(tmp_path: Path) -> None:
    flags = ("--drain-min", "600000")
    async with GatewayProcess({"mcpServers": {"a": GOOD}}, *flags, folder=tmp_path) as gateway:
        await until_told(gateway, lambda found: found.health["status"] == "healthy")
        gateway.signal(signal.SIGTERM)
        found = await until_told(gateway, lambda found: found.statuses[0] == 503)
        assert found.statuses == [503, 503, 200, 200]
        assert (found.health["status"], found.health["draining"]) == ("unhealthy", True)
        assert found.ready["reasons"] == ["the gateway is draining"]
        assert found.words == {"a": "connected"}
        gateway.signal(signal.SIGTERM)  # a second one does not wait
        await asyncio.to_thread(gateway.wait)


async def test_the_probes_of_a_pod_reach_it_under_any_address(tmp_path: Path) -> None:
    flags = ("--allow-unauthenticated",)
    environ = {"ONE_MCP_HOST": "0.0.0.0"}
    config = {"mcpServers": {"a": GOOD}}
    async with GatewayProcess(config, *flags, folder=tmp_path, environ=environ) as gateway:
        await until_told(gateway, lambda found: found.health["status"] == "healthy")
        async with httpx2.AsyncClient(base_url=gateway.base) as client:
            pod = {"host": "10.42.0.17:3050"}
            assert [(await client.get(page, headers=pod)).status_code for page in PAGES] == [200] * 4
            assert (await client.get("/mcp", headers=pod)).status_code == 403


async def test_the_lowest_level_tells_no_more_than_the_state(tmp_path: Path) -> None:
    environ = {"ONE_MCP_HEALTH_INFO_LEVEL": "minimal"}
    config = {"mcpServers": {"secret-name": GOOD}}
    async with GatewayProcess(config, folder=tmp_path, environ=environ) as gateway:
        async with httpx2.AsyncClient(base_url=gateway.base) as client:
            answers = {page: await client.get(page) for page in PAGES}
        assert answers["/health"].json().keys() == {"status", "timestamp", "version"}
        assert not any("secret-name" in answer.text for answer in answers.values())


async def test_a_state_folder_that_is_removed_makes_the_gateway_unready_and_nothing_worse(
    tmp_path: Path,
) -> None:
    async with (
        GatewayProcess({"mcpServers": {}}, folder=tmp_path) as gateway,
        httpx2.AsyncClient(base_url=gateway.base, timeout=WAIT_LIMIT) as http,
    ):
        assert (await http.get("/health/ready")).status_code == 200
        shutil.rmtree(gateway.state_dir)
        await asyncio.to_thread(gateway.wait_for_output, "was removed or replaced (lock, store.db)")
        ready = await http.get("/health/ready")
        assert ready.status_code == 503
        assert "the store does not answer" in ready.json()["reasons"][0]
        assert str(gateway.state_dir) not in ready.text
        hello = {"protocolVersion": "2025-11-25", "capabilities": {}}
        message = {"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": hello}
        assert (await http.post("/mcp", json=message)).status_code == 200
        assert await asyncio.to_thread(gateway.stop) == 0
    assert "Traceback" not in gateway.transcript()
