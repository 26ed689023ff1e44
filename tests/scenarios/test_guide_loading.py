"""Each promise of docs/guide.md, section "Asynchronous loading and live updates", kept by a real gateway.

Commands are read from the page; only ports differ. Servers start when the test opens their gate.
"""

import asyncio
import json
import os
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx2
import pytest
from mcp import Client, MCPError
from tests.support.gates import Gate
from tests.support.guide import GUIDE, Command, GuideGateway, examples
from tests.support.scripted import command
from tests.support.watching import ERAS, LIMIT, Watcher, watching

from onemcp.wire.revisions import LATEST_HANDSHAKE

pytestmark = pytest.mark.anyio

PAGE = examples(GUIDE)
START = PAGE["start"].command()
START_ASYNC = PAGE["start-async"].command()
STARTS_ASYNC = [
    pytest.param(PAGE[name].command(), id=name) for name in ("start-async", "start-async-environment")
]


def config(*gates: Gate, **entries: dict[str, Any]) -> dict[str, Any]:
    """A configuration with the server behind each gate, and others."""
    return {"mcpServers": {**{gate.name: gate.entry() for gate in gates}, **entries}}


def scripted(*arguments: object, **members: Any) -> dict[str, Any]:
    """The entry of a scripted server."""
    return {"command": command(*arguments), **members}


@pytest.mark.parametrize("era", ERAS)
@pytest.mark.parametrize("start", STARTS_ASYNC)
async def test_a_client_is_connected_while_servers_are_still_starting(
    tmp_path: Path, start: Command, era: str
) -> None:
    gate = Gate(tmp_path, "a")
    async with (
        GuideGateway(start, config(gate), folder=tmp_path) as gateway,
        watching(gateway.url, era) as client,
    ):
        offered = client.client.server_capabilities
        assert offered.tools is not None
        assert offered.prompts is not None
        assert offered.resources is not None
        assert await client.tools() == []
        await gate.open()
        await client.sees("a_1mcp_echo")


@pytest.mark.parametrize("era", ERAS)
async def test_lists_grow_as_servers_become_ready(tmp_path: Path, era: str) -> None:
    first, second = Gate(tmp_path, "first"), Gate(tmp_path, "second")
    start = GuideGateway(START_ASYNC, config(first, second), folder=tmp_path)
    async with start as gateway, watching(gateway.url, era) as client:
        await second.open()
        await client.sees("second_1mcp_echo")
        await first.open()
        await client.sees("first_1mcp_echo", "second_1mcp_echo")


async def test_a_list_that_misses_a_server_is_not_to_be_kept(tmp_path: Path) -> None:
    gate = Gate(tmp_path, "a")
    start = GuideGateway(START_ASYNC, config(gate), folder=tmp_path)
    async with start as gateway, watching(gateway.url, ERAS[1]) as client:
        assert (await client.client.list_tools(cache_mode="refresh")).ttl_ms == 0
        await gate.open()
        await client.sees("a_1mcp_echo")
        assert (await client.client.list_tools(cache_mode="refresh")).ttl_ms > 0


@pytest.mark.parametrize("era", ERAS)
async def test_every_kind_of_list_has_its_notice(tmp_path: Path, era: str) -> None:
    gate = Gate(tmp_path, "a")
    entry = gate.entry("--prompts", 1, "--resources", 1)
    async with (
        GuideGateway(START_ASYNC, config(a=entry), folder=tmp_path) as gateway,
        watching(gateway.url, era) as client,
    ):
        await gate.open()
        for kind in ("tools", "prompts", "resources"):
            await client.told(kind)


async def test_every_client_that_can_see_a_change_is_told_and_no_other(tmp_path: Path) -> None:
    gates = [Gate(tmp_path, "web"), Gate(tmp_path, "data")]
    servers = {gate.name: gate.entry(tags=[gate.name]) for gate in gates}
    async with (
        GuideGateway(START_ASYNC, config(**servers), folder=tmp_path) as gateway,
        watching(gateway.url, "legacy") as one,
        watching(gateway.url, "legacy") as two,
        watching(gateway.url, ERAS[1]) as three,
        watching(f"{gateway.url}?tags=data", "legacy") as four,
        watching(f"{gateway.url}?tags=data", ERAS[1]) as five,
    ):
        await gates[0].open()
        for client in (one, two, three):
            await client.told("tools")
        await gates[1].open()
        for client in (one, two, three):
            await client.told("tools", 2)
        for client in (four, five):
            await client.told("tools")
            assert client.notices["tools"] == 1
            assert await client.tools() == ["data_1mcp_echo"]


async def test_a_session_hears_of_what_it_missed_when_it_opens_its_stream(tmp_path: Path) -> None:
    gate = Gate(tmp_path, "a")
    async with (
        GuideGateway(START_ASYNC, config(gate), folder=tmp_path) as gateway,
        watching(gateway.url, "legacy") as watcher,
        httpx2.AsyncClient(timeout=LIMIT) as late,
    ):
        hello = {
            "protocolVersion": LATEST_HANDSHAKE,
            "capabilities": {},
            "clientInfo": {"name": "t", "version": "1"},
        }
        message = {"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": hello}
        answer = await late.post(gateway.url, json=message)
        session = {"mcp-session-id": answer.headers["mcp-session-id"], "accept": "text/event-stream"}
        await gate.open()
        await watcher.told("tools")
        async with late.stream("GET", gateway.url, headers=session) as stream:
            async for line in stream.aiter_lines():
                if line.startswith("data:") and line != "data: ":
                    break
        assert json.loads(line.removeprefix("data:"))["method"] == "notifications/tools/list_changed"


@pytest.mark.parametrize("era", ERAS)
async def test_thirty_servers_that_start_in_a_burst_cause_a_handful_of_notices(
    tmp_path: Path, era: str
) -> None:
    servers = {f"s{number}": scripted("--prompts", 1, "--resources", 1) for number in range(30)}
    async with (
        GuideGateway(START_ASYNC, config(**servers), folder=tmp_path) as gateway,
        watching(gateway.url, era) as client,
    ):
        await client.sees(*(f"{name}_1mcp_echo" for name in servers))
        for kind in ("tools", "prompts", "resources"):
            await client.told(kind)
            assert client.notices[kind] <= 8


async def test_the_time_of_gathering_is_a_setting(tmp_path: Path) -> None:
    gate = Gate(tmp_path, "a")
    start = GuideGateway(PAGE["batch-delay"].command(), config(gate), folder=tmp_path)
    async with start as gateway, watching(gateway.url, "legacy") as client:
        await gate.open()
        await client.told("tools")
        assert await client.tools() == ["a_1mcp_echo"]


@pytest.mark.parametrize("era", ERAS)
async def test_a_call_to_a_server_that_is_still_starting_waits_for_it(tmp_path: Path, era: str) -> None:
    gate = Gate(tmp_path, "a")
    start = GuideGateway(START_ASYNC, config(gate), folder=tmp_path)
    async with start as gateway, Client(gateway.url, mode=era) as client:
        call = asyncio.create_task(client.call_tool("a_1mcp_echo", {"x": 1}))
        await client.list_tools()
        assert not call.done()
        await gate.open()
        result = await call
        assert result.structured_content["arguments"] == {"x": 1}


@pytest.mark.parametrize("era", ERAS)
async def test_a_call_that_waited_in_vain_says_which_server_is_not_ready(tmp_path: Path, era: str) -> None:
    gate = Gate(tmp_path, "slow")
    start = GuideGateway(START_ASYNC, config(gate), "--call-wait", "100", folder=tmp_path)
    async with start as gateway, Client(gateway.url, mode=era) as client:
        with pytest.raises(MCPError, match=r"slow: is not ready \(connecting"):
            await client.call_tool("slow_1mcp_echo", {})


@pytest.mark.parametrize("era", ERAS)
async def test_a_server_that_hangs_or_crashes_holds_up_nobody(tmp_path: Path, era: str) -> None:
    servers = {
        "hangs": scripted("--mode", "hang-start"),
        "crashes": scripted("--mode", "crash-start"),
        "stuck": scripted("--mode", "hang-call"),
        "good": scripted(),
    }
    async with (
        GuideGateway(START_ASYNC, config(**servers), folder=tmp_path) as gateway,
        watching(gateway.url, era) as watcher,
    ):
        await watcher.sees("good_1mcp_echo", "stuck_1mcp_echo", "stuck_1mcp_cancelled")
        stuck = asyncio.create_task(watcher.client.call_tool("stuck_1mcp_echo", {}))
        for _ in range(10):
            assert not (await watcher.client.call_tool("good_1mcp_echo", {})).is_error
        assert not stuck.done()
        stuck.cancel()
        await asyncio.gather(stuck, return_exceptions=True)


@asynccontextmanager
async def ready(tmp_path: Path, servers: dict[str, Any]) -> AsyncIterator[tuple[GuideGateway, Watcher]]:
    """A gateway whose servers are all ready and told of, and a client that has heard of it."""
    async with (
        GuideGateway(START_ASYNC, config(**servers), folder=tmp_path) as gateway,
        watching(gateway.url, "legacy") as client,
    ):
        await asyncio.to_thread(gateway.wait_settled)
        await client.told("tools")
        client.notices.clear()
        yield gateway, client


async def pid(client: Watcher, server: str) -> int:
    """The process id of a scripted server."""
    result = await client.client.call_tool(f"{server}_1mcp_echo", {})
    number: int = result.structured_content["pid"]
    return number


async def test_a_short_restart_changes_nothing_for_clients(tmp_path: Path) -> None:
    async with ready(tmp_path, {"a": scripted("--mode", "grow")}) as (_, client):
        before = await pid(client, "a")
        os.kill(before, signal.SIGKILL)
        assert await client.tools() == ["a_1mcp_echo", "a_1mcp_grow"]
        assert await pid(client, "a") != before
        assert await client.tools() == ["a_1mcp_echo", "a_1mcp_grow"]
        await client.client.call_tool("a_1mcp_grow", {})
        await client.told("tools")
        assert client.notices["tools"] == 1


async def test_a_server_that_is_not_started_again_leaves_the_lists(tmp_path: Path) -> None:
    servers = {"once": scripted("--mode", "die-call", restartOnExit=False), "good": scripted()}
    async with ready(tmp_path, servers) as (_, client):
        with pytest.raises(MCPError, match="once"):
            await client.client.call_tool("once_1mcp_echo", {})
        await client.told("tools")
        assert await client.tools() == ["good_1mcp_echo"]


async def test_a_reload_stops_and_starts_only_what_differs(tmp_path: Path) -> None:
    async with ready(tmp_path, {"stays": scripted(), "goes": scripted()}) as (gateway, client):
        before = await pid(client, "stays")
        gateway.config_file.write_text(json.dumps(config(stays=scripted(), comes=scripted())))
        reload(gateway)
        await client.sees("stays_1mcp_echo", "comes_1mcp_echo")
        assert await pid(client, "stays") == before


async def test_a_file_with_mistakes_changes_nothing(tmp_path: Path) -> None:
    async with ready(tmp_path, {"a": scripted()}) as (gateway, client):
        before = await pid(client, "a")
        gateway.config_file.write_text('{"mcpServers": {\n"b": {"comand": "x"}}}')
        reload(gateway)
        await asyncio.to_thread(gateway.wait_for_output, "mcp.json:2")
        assert await client.tools() == ["a_1mcp_echo"]
        assert await pid(client, "a") == before


def reload(gateway: GuideGateway) -> None:
    """The page's command."""
    gateway.type(PAGE["reload"].command())


@pytest.mark.parametrize("era", ERAS)
async def test_without_it_a_client_is_let_in_when_all_servers_are_ready(tmp_path: Path, era: str) -> None:
    gate = Gate(tmp_path, "a")
    async with (
        GuideGateway(START, config(gate, b=scripted()), folder=tmp_path) as gateway,
        httpx2.AsyncClient() as http,
    ):
        first = asyncio.create_task(first_list(gateway.url, era))
        await asyncio.to_thread(gateway.wait_for_output, "ready")
        live = await http.get(PAGE["live"].command().argv[-1].replace("3050", str(gateway.port)))
        assert live.status_code == 200
        assert not first.done()
        await gate.open()
        assert await first == ["a_1mcp_echo", "b_1mcp_echo"]


async def test_without_it_a_client_is_let_in_when_a_server_has_had_its_time(tmp_path: Path) -> None:
    servers = {"hangs": scripted("--mode", "hang-start", connectionTimeout=1000), "good": scripted()}
    async with GuideGateway(START, config(**servers), folder=tmp_path) as gateway:
        assert await first_list(gateway.url, "legacy") == ["good_1mcp_echo"]


async def first_list(url: str, era: str) -> list[str]:
    """The first list that a client gets; bounded."""
    async with asyncio.timeout(LIMIT), Client(url, mode=era) as client:
        return [tool.name for tool in (await client.list_tools()).tools]
