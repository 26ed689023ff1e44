"""Thirty servers, of which a dozen misbehave, each in its own way: the others notice nothing of it."""

import asyncio
import json
import os
import signal
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any, Final

import httpx2
import pytest
from mcp import Client, MCPError
from tests.support.gateway import GatewayProcess
from tests.support.scripted import command
from tests.support.watching import watching

pytestmark = pytest.mark.anyio

MODES: Final = ("legacy", "auto")


def mode(*names: str, **members: Any) -> dict[str, Any]:
    """The entry of a scripted server."""
    return {"command": command(*(word for name in names for word in ("--mode", name))), **members}


GOOD: Final = tuple(f"good-{number}" for number in range(17))
BAD: Final = {
    "hangs": mode("hang-start", connectionTimeout=600_000),
    "crashes": mode("crash-start"),
    "is-not-there": {"command": "no-such-command-anywhere"},
    "dies": mode("die-call"),
    "faults": mode("segv-call"),
    "stuck": mode("hang-call", requestTimeout=300),
    "floods-stderr": mode("stderr-flood"),
    "chatters": mode("noise"),
    "floods-stdout": mode("noise-flood"),
    "endless": mode("endless-list"),
    "storms": mode("storm"),
    "huge": mode("huge-line"),
    "huge-last": mode("huge-line-last"),
}
SILENT: Final = ("hangs", "crashes", "is-not-there")
"""What never offers anything."""
ODD: Final = ("floods-stderr", "chatters", "floods-stdout", "endless", "storms")
"""What misbehaves and still answers."""


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GatewayProcess]:
    """The gateway in front of all thirty, just started."""
    servers = {**BAD, **{name: mode() for name in GOOD}}
    assert len(servers) == 30
    flags = ("--enable-async-loading", "--async-batch-delay", "50", "--call-wait", "1000")
    folder = tmp_path_factory.mktemp("fleet")
    with GatewayProcess({"mcpServers": servers}, *flags, folder=folder) as gateway:
        yield gateway


@asynccontextmanager
async def connected(gateway: GatewayProcess, era: str) -> AsyncIterator[Client]:
    async with Client(gateway.url, mode=era, read_timeout_seconds=30) as client:
        yield client


async def echo(client: Client, server: str, text: str = "") -> Any:
    """Call a server's tool; what it was called with."""
    result = await client.call_tool(f"{server}_1mcp_echo", {"text": text})
    assert result.structured_content is not None
    assert result.structured_content["server"] == "scripted"
    return result.structured_content["arguments"]["text"]


async def pid(client: Client, server: str) -> int:
    """The process id of a server."""
    result = await client.call_tool(f"{server}_1mcp_echo", {})
    assert result.structured_content is not None
    number: int = result.structured_content["pid"]
    return number


def states(gateway: GatewayProcess) -> dict[str, str]:
    """The state of each server, as an operator is told."""
    shown = json.loads(gateway.command("status", "--json").stdout)
    return {server["name"]: server["state"] for server in shown["servers"]}


@pytest.mark.parametrize("era", MODES)
async def test_a_client_is_let_in_and_sees_all_that_answer(fleet: GatewayProcess, era: str) -> None:
    async with watching(fleet.url, era) as watcher:
        expected = [f"{name}_1mcp_echo" for name in (*GOOD, *BAD) if name not in SILENT]
        await watcher.sees(*expected, "stuck_1mcp_cancelled")
    assert states(fleet)["hangs"] == "connecting"


@pytest.mark.parametrize("era", MODES)
async def test_the_good_ones_answer_while_the_others_misbehave(fleet: GatewayProcess, era: str) -> None:
    async with connected(fleet, era) as client:
        texts = [f"{name} {number}" for name in GOOD for number in range(3)]
        answers = await asyncio.gather(*(echo(client, text.split()[0], text) for text in texts))
    assert answers == texts


@pytest.mark.parametrize("era", MODES)
async def test_what_is_only_noisy_answers_too(fleet: GatewayProcess, era: str) -> None:
    async with connected(fleet, era) as client:
        assert await asyncio.gather(*(echo(client, name, name) for name in ODD)) == list(ODD)


async def test_liveness_is_answered(fleet: GatewayProcess) -> None:
    async with httpx2.AsyncClient() as http:
        assert (await http.get(f"{fleet.base}/health/live")).status_code == 200


@pytest.mark.parametrize(
    ("server", "reason"),
    [
        ("hangs", r"hangs: is not ready \(connecting"),
        ("crashes", r"crashes: is not ready \(.*status 3.*cannot find its database"),
        ("is-not-there", r"is-not-there: is not ready \(failed: .*no-such-command-anywhere.* not found"),
        ("stuck", "stuck: did not answer"),
        ("dies", "dies: .*status 4.*died in a call"),
        ("faults", "faults: .*SIGSEGV"),
        ("huge", "huge: answered with more than 16 MiB"),
        ("huge-last", "huge-last: answered with more than 16 MiB"),
    ],
    ids=lambda value: value.partition(":")[0],
)
async def test_a_call_in_vain_says_why_and_harms_nobody_else(
    fleet: GatewayProcess, server: str, reason: str
) -> None:
    async with connected(fleet, "legacy") as old, connected(fleet, "auto") as new:
        for client in (old, new):
            with pytest.raises(MCPError, match=reason):
                await echo(client, server)
            assert await echo(client, GOOD[0], server) == server


@pytest.mark.parametrize("era", MODES)
async def test_a_storm_of_changes_is_no_storm_for_clients(fleet: GatewayProcess, era: str) -> None:
    async with watching(fleet.url, era) as watcher:
        for _ in range(10):
            await echo(watcher.client, "storms")
            await watcher.tools()
        assert watcher.notices["tools"] <= 5


@pytest.mark.parametrize("era", MODES)
async def test_a_child_that_was_killed_is_started_again(fleet: GatewayProcess, era: str) -> None:
    async with connected(fleet, era) as client:
        before = await pid(client, GOOD[0])
        os.kill(before, signal.SIGKILL)
        async with asyncio.timeout(20):
            while await pid_now(client, GOOD[0]) in (before, 0):
                pass
        assert await echo(client, GOOD[0], "again") == "again"


async def pid_now(client: Client, server: str) -> int:
    """The process id of a server; 0 if it is just away, which is said of that server."""
    try:
        return await pid(client, server)
    except MCPError as error:
        assert error.error.message.startswith(f"{server}: ")
        return 0
