"""Real clients of the `mcp` 2.3 SDK, in each of their modes, on a gateway in front of real servers of every kind."""

import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, asynccontextmanager
from itertools import product
from pathlib import Path
from typing import Any, Final

import pytest
from mcp import Client, MCPError, StdioServerParameters
from mcp.types import (
    CallToolResult,
    PromptReference,
    ResourceTemplateReference,
    TextContent,
    TextResourceContents,
    Tool,
)
from tests.support import legacy_server, sdk_server
from tests.support.gateway import GatewayProcess, environment
from tests.support.machine import GIT, LEGACY
from tests.support.watching import watching

pytestmark = pytest.mark.anyio

MODES: Final = ("auto", "legacy", "2026-07-28")
DISCOVERING: Final = ("auto", "legacy")
"""A client that is told the revision asks nothing else about the server either."""
SDK: Final = ("stdio", "http", "handshake-stdio", "handshake-http")
OLD: Final = ("old-stdio", "old-http", "old-sse")
Servers = tuple[str, ...]
of_each_mode = pytest.mark.parametrize("mode", MODES)
of_each_sdk = pytest.mark.parametrize(
    "servers", [SDK, pytest.param(OLD, marks=LEGACY.mark)], ids=["2.x servers", "1.x servers"]
)


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GatewayProcess]:
    """A gateway in front of all servers, which are ready."""
    folder = tmp_path_factory.mktemp("clients")
    subprocess.run(["git", "init", "--quiet", "."], cwd=folder, check=True)
    with ExitStack() as stack:
        entries = _servers(stack) | (_old_servers(stack) if LEGACY.is_there() else {})
        flags = ("--page-size", "5", "--async-batch-delay", "50")
        running = GatewayProcess({"mcpServers": entries}, *flags, folder=folder)
        stack.enter_context(running)
        running.wait_settled()
        yield running


def _servers(stack: ExitStack) -> dict[str, Any]:
    handshake = {"protocol": "2025-11-25"}
    return {
        "stdio": {"command": sdk_server.command("stdio"), "tags": ["one"]},
        "http": {"url": stack.enter_context(sdk_server.served("http"))},
        "handshake-stdio": {"command": sdk_server.command("handshake-stdio"), **handshake},
        "handshake-http": {"url": stack.enter_context(sdk_server.served("handshake-http")), **handshake},
        "time": {"command": "mcp-server-time", "args": ["--local-timezone", "UTC"]},
        "git": {"command": "mcp-server-git"},
    }


def _old_servers(stack: ExitStack) -> dict[str, Any]:
    http = stack.enter_context(legacy_server.LegacyServer("old-http"))
    sse = stack.enter_context(legacy_server.LegacyServer("old-sse"))
    return {
        "old-stdio": {"command": legacy_server.command("old-stdio")},
        "old-http": {"url": http.url},
        "old-sse": {"url": sse.sse_url, "type": "sse"},
    }


@asynccontextmanager
async def connected(gateway: GatewayProcess, mode: str, path: str = "/mcp") -> AsyncIterator[Client]:
    """A client in one mode, which has agreed on what the mode is for."""
    async with Client(gateway.base + path, mode=mode, read_timeout_seconds=20) as client:
        assert client.protocol_version == ("2025-11-25" if mode == "legacy" else "2026-07-28")
        yield client


def said(result: CallToolResult) -> str:
    """The text of a result."""
    (block,) = result.content
    assert isinstance(block, TextContent)
    return block.text


@of_each_mode
async def test_all_servers_are_offered_as_one(gateway: GatewayProcess, mode: str) -> None:
    async with connected(gateway, mode) as client:
        tools = [tool.name for tool in (await client.list_tools()).tools]
        prompts = [prompt.name for prompt in (await client.list_prompts()).prompts]
        resources = [str(resource.uri) for resource in (await client.list_resources()).resources]
        listed = (await client.list_resource_templates()).resource_templates
        templates = [template.uri_template for template in listed]
        instructions = client.instructions
    servers = [*SDK, *(OLD if LEGACY.is_there() else ())]
    assert {tool.partition("_1mcp_")[0] for tool in tools} == {*servers, "time", "git"}
    assert prompts == [f"{server}_1mcp_greet" for server in servers]
    assert resources == [f"note://{server}/today" for server in servers]
    assert templates == [f"note://{server}/days/{{day}}" for server in servers]
    if mode in DISCOVERING:
        assert instructions == "\n\n".join(f"# {server}\n\nAsk {server} for sums." for server in servers)


@of_each_mode
@of_each_sdk
async def test_a_call_is_answered_by_the_server_that_it_names(
    gateway: GatewayProcess, servers: Servers, mode: str
) -> None:
    async with connected(gateway, mode) as client:
        for number, server in enumerate(servers):
            result = await client.call_tool(f"{server}_1mcp_add", {"a": number, "b": 40})
            assert not result.is_error
            assert said(result) == str(40 + number)
            assert result.structured_content == {"result": 40 + number}


@of_each_mode
@of_each_sdk
async def test_the_failure_of_a_tool_is_its_result(
    gateway: GatewayProcess, servers: Servers, mode: str
) -> None:
    async with connected(gateway, mode) as client:
        for server in servers:
            result = await client.call_tool(f"{server}_1mcp_fail", {})
            assert result.is_error
            assert "this tool always fails" in said(result)


@of_each_mode
@of_each_sdk
async def test_resources_are_read_by_their_own_uris(
    gateway: GatewayProcess, servers: Servers, mode: str
) -> None:
    paths = {"today": "today", "days/May": "May"}
    async with connected(gateway, mode) as client:
        for server, path in product(servers, paths):
            uri = f"note://{server}/{path}"
            (contents,) = (await client.read_resource(uri)).contents
            assert isinstance(contents, TextResourceContents)
            assert (str(contents.uri), contents.text) == (uri, f"{paths[path]} at {server}")


@of_each_mode
async def test_a_resource_that_nobody_has_is_an_error(gateway: GatewayProcess, mode: str) -> None:
    async with connected(gateway, mode) as client:
        with pytest.raises(MCPError, match="note://nobody/today"):
            await client.read_resource("note://nobody/today")


@of_each_mode
@of_each_sdk
async def test_a_prompt_is_filled_in(gateway: GatewayProcess, servers: Servers, mode: str) -> None:
    async with connected(gateway, mode) as client:
        for server in servers:
            (message,) = (await client.get_prompt(f"{server}_1mcp_greet", {"name": server})).messages
            assert isinstance(message.content, TextContent)
            assert message.content.text == f"Hello {server}!"


@of_each_mode
@of_each_sdk
async def test_arguments_of_prompts_and_templates_are_completed(
    gateway: GatewayProcess, servers: Servers, mode: str
) -> None:
    async with connected(gateway, mode) as client:
        for server in servers:
            prompt = PromptReference(type="ref/prompt", name=f"{server}_1mcp_greet")
            template = ResourceTemplateReference(type="ref/resource", uri=f"note://{server}/days/{{day}}")
            of_prompt = await client.complete(prompt, {"name": "name", "value": "L"})
            of_template = await client.complete(template, {"name": "day", "value": "O"})
            assert of_prompt.completion.values == ["Lagos", "Lima", "Lyon"]
            assert of_template.completion.values == ["Oslo"]


@of_each_mode
async def test_pages_are_there_for_those_who_ask_and_make_up_the_whole(
    gateway: GatewayProcess, mode: str
) -> None:
    async with connected(gateway, mode) as client:
        whole = (await client.list_tools()).tools
    pages: list[list[Tool]] = []
    async with connected(gateway, mode, "/mcp?pagination=true") as client:
        cursor = None
        while not pages or cursor is not None:
            page = await client.list_tools(cursor=cursor)
            pages.append(page.tools)
            cursor = page.next_cursor
    assert [len(page) for page in pages[:-1]] == [5] * (len(pages) - 1)
    assert [tool for page in pages for tool in page] == whole


@pytest.mark.parametrize("era", ["legacy", "auto"])
@pytest.mark.parametrize("server", SDK)
async def test_a_client_is_told_when_the_tools_of_a_server_change(
    gateway: GatewayProcess, server: str, era: str
) -> None:
    leaf = f"{server}_1mcp_leaf"
    async with watching(gateway.url, era) as watcher:
        before = await watcher.tools()
        await watcher.client.call_tool(f"{server}_1mcp_grow", {})
        await watcher.told("tools")
        await watcher.sees(*before, leaf)
        assert said(await watcher.client.call_tool(leaf, {})) == "leaf"
        await watcher.client.call_tool(f"{server}_1mcp_shrink", {})
        await watcher.told("tools", watcher.notices["tools"] + 1)
        await watcher.sees(*before)


@of_each_mode
@pytest.mark.parametrize("server", ["stdio", "handshake-http", pytest.param("old-http", marks=LEGACY.mark)])
async def test_a_server_alone_is_offered_under_its_own_names(
    gateway: GatewayProcess, server: str, mode: str
) -> None:
    async with connected(gateway, mode, f"/servers/{server}/mcp") as client:
        if mode in DISCOVERING:
            assert client.instructions == f"Ask {server} for sums."
            assert client.server_info is not None
            assert client.server_info.name == server
        names = [tool.name for tool in (await client.list_tools()).tools]
        assert names == ["add", "fail", *(() if server in OLD else ("grow", "shrink"))]
        assert said(await client.call_tool("add", {"a": 1, "b": 1})) == "2"
        assert [prompt.name for prompt in (await client.list_prompts()).prompts] == ["greet"]
        (message,) = (await client.get_prompt("greet", {"name": "Ada"})).messages
        assert isinstance(message.content, TextContent)
        assert message.content.text == "Hello Ada!"


@pytest.mark.parametrize("era", ["legacy", "auto"])
async def test_a_server_alone_tells_of_its_own_changes(gateway: GatewayProcess, era: str) -> None:
    own = ["add", "fail", "grow", "shrink"]
    async with (
        watching(gateway.url, era) as everything,
        watching(f"{gateway.base}/servers/http/mcp", era) as alone,
    ):
        await everything.client.call_tool("handshake-http_1mcp_grow", {})
        await everything.told("tools")
        await alone.client.call_tool("grow", {})
        await alone.told("tools")
        await alone.sees(*own, "leaf")
        assert alone.notices["tools"] == 1
        await everything.client.call_tool("handshake-http_1mcp_shrink", {})
        await alone.client.call_tool("shrink", {})
        await alone.told("tools", 2)
        await alone.sees(*own)


@of_each_mode
async def test_a_request_sees_the_servers_that_it_narrowed_itself_to(
    gateway: GatewayProcess, mode: str
) -> None:
    async with connected(gateway, mode, "/mcp?tags=one") as client:
        names = [tool.name for tool in (await client.list_tools()).tools]
        assert {name.partition("_1mcp_")[0] for name in names} == {"stdio"}
        with pytest.raises(MCPError, match="http_1mcp_add"):
            await client.call_tool("http_1mcp_add", {"a": 1, "b": 1})


@of_each_mode
async def test_the_published_time_server_tells_the_time(gateway: GatewayProcess, mode: str) -> None:
    async with connected(gateway, mode) as client:
        result = await client.call_tool("time_1mcp_get_current_time", {"timezone": "Asia/Tokyo"})
    assert not result.is_error
    assert "+09:00" in said(result)


@GIT.mark
@of_each_mode
async def test_the_published_git_server_looks_into_a_repository(gateway: GatewayProcess, mode: str) -> None:
    async with connected(gateway, mode) as client:
        result = await client.call_tool("git_1mcp_git_status", {"repo_path": str(gateway.folder)})
    assert not result.is_error
    assert "mcp.json" in said(result)


@pytest.mark.parametrize("mode", ["auto", "legacy"])
async def test_the_gateway_is_a_child_of_its_client(tmp_path: Path, mode: str) -> None:
    config = tmp_path / "mcp.json"
    config.write_text('{"mcpServers": {"time": {"command": "mcp-server-time"}}}')
    child = StdioServerParameters(
        command=sys.executable,
        args=["-m", "onemcp", "serve", "--config", str(config), "--transport", "stdio"],
        env=environment(tmp_path),
        cwd=tmp_path,
    )
    async with Client(child, mode=mode, read_timeout_seconds=20) as client:
        names = [tool.name for tool in (await client.list_tools()).tools]
        assert "time_1mcp_get_current_time" in names
        result = await client.call_tool("time_1mcp_get_current_time", {"timezone": "UTC"})
    assert not result.is_error
