"""The stdio edge: a real gateway whose client speaks lines."""

import asyncio
import json
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from tests.support import scripted
from tests.support.gateway import environment

pytestmark = pytest.mark.anyio

META = {
    "io.modelcontextprotocol/protocolVersion": "2026-07-28",
    "io.modelcontextprotocol/clientCapabilities": {},
}


class Lines:
    """The client's end."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        assert process.stdin is not None
        assert process.stdout is not None
        self.process = process
        self.stdin = process.stdin
        self.stdout = process.stdout

    def send(self, message: object) -> None:
        data = message if isinstance(message, bytes) else json.dumps(message).encode()
        self.stdin.write(data + b"\n")

    async def read(self) -> Any:
        """The next message, whatever it is."""
        async with asyncio.timeout(20):
            return json.loads(await self.stdout.readline())

    async def ask(self, method: str, request_id: object = 1, **params: object) -> Any:
        """The answer to a request; what comes before it is dropped."""
        self.send({"jsonrpc": "2.0", "id": request_id, "method": method, "params": params})
        while (message := await self.read()).get("id") != request_id:
            pass
        return message

    async def initialize(self, revision: str = "2025-11-25") -> Any:
        answer = await self.ask("initialize", "init", protocolVersion=revision, capabilities={})
        self.send({"jsonrpc": "2.0", "method": "notifications/initialized"})
        return answer["result"]


@asynccontextmanager
async def gateway(folder: Path, *scripted_args: object) -> AsyncIterator[Lines]:
    command = scripted.command(*scripted_args)
    config = {"mcpServers": {"s": {"command": command[0], "args": command[1:]}}}
    (folder / "mcp.json").write_text(json.dumps(config))
    argv = ["-m", "onemcp", "serve", "--config", "mcp.json", "--transport", "stdio", "--enable-async-loading"]
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *argv,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
        cwd=folder,
        env=environment(folder, {}),
    )
    lines = Lines(process)
    try:
        yield lines
    finally:
        lines.stdin.close()
        async with asyncio.timeout(20):
            await process.wait()


async def test_a_handshake_client_is_served(tmp_path: Path) -> None:
    async with gateway(tmp_path) as lines:
        assert (await lines.initialize())["serverInfo"]["name"] == "onemcp"
        answer = await lines.ask("tools/call", "c", name="s_1mcp_echo", arguments={"x": [1]})
        assert "result" in answer
        listed = await lines.ask("tools/list", 2)
        assert [tool["name"] for tool in listed["result"]["tools"]] == ["s_1mcp_echo"]


async def test_a_stateless_client_is_served_without_a_handshake(tmp_path: Path) -> None:
    async with gateway(tmp_path) as lines:
        found = await lines.ask("server/discover", _meta=META)
        assert found["result"]["supportedVersions"] == ["2026-07-28"]
        answer = await lines.ask("tools/call", 2, name="s_1mcp_echo", arguments={}, _meta=META)
        assert answer["result"]["resultType"] == "complete"
        meta = {**META, "io.modelcontextprotocol/protocolVersion": "2099-01-01"}
        assert (await lines.ask("tools/list", 3, _meta=meta))["error"]["code"] == -32022


async def test_nothing_is_served_before_a_handshake(tmp_path: Path) -> None:
    async with gateway(tmp_path) as lines:
        assert (await lines.ask("tools/list"))["error"]["code"] == -32600
        assert (await lines.ask("ping", 2))["result"] == {}


async def test_changes_are_told_to_both_kinds_of_clients(tmp_path: Path) -> None:
    async with gateway(tmp_path, "--delay-start", 0.2) as lines:
        await lines.initialize()
        wanted = {"notifications": {"toolsListChanged": True}, "_meta": META}
        lines.send({"jsonrpc": "2.0", "id": "L", "method": "subscriptions/listen", "params": wanted})
        seen: set[tuple[str, str]] = set()
        while len(seen) < 3:
            message = await lines.read()
            subscription = (
                message.get("params", {}).get("_meta", {}).get("io.modelcontextprotocol/subscriptionId")
            )
            seen.add((message.get("method"), subscription))
        assert seen == {
            ("notifications/subscriptions/acknowledged", "L"),
            ("notifications/tools/list_changed", "L"),
            ("notifications/tools/list_changed", None),
        }
        lines.send({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": "L"}})
        assert (await lines.ask("ping", 2))["result"] == {}


async def test_noise_is_answered_as_an_error_and_the_next_message_works(tmp_path: Path) -> None:
    async with gateway(tmp_path) as lines:
        await lines.initialize("2025-03-26")
        lines.send(b"not json")
        assert (await lines.read())["error"]["code"] == -32700
        lines.send(
            [{"jsonrpc": "2.0", "id": 1, "method": "ping"}, {"jsonrpc": "2.0", "id": 2, "method": "ping"}]
        )
        assert [answer["id"] for answer in await lines.read()] == [1, 2]
        lines.send(b"")
        lines.send({"jsonrpc": "2.0", "id": 9, "result": {}})
        assert (await lines.ask("ping", 3))["result"] == {}


async def test_the_end_of_input_ends_the_gateway_after_the_last_answer(tmp_path: Path) -> None:
    async with gateway(tmp_path) as lines:
        await lines.initialize()
        lines.send(
            {
                "jsonrpc": "2.0",
                "id": 5,
                "method": "tools/call",
                "params": {"name": "s_1mcp_echo", "arguments": {}},
            }
        )
        lines.stdin.close()
        while (await lines.read()).get("id") != 5:
            pass
        async with asyncio.timeout(20):
            assert await lines.process.wait() == 0
