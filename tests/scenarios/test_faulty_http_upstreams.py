"""Servers behind HTTP that forget sessions, fail or fall silent, beside one that does not."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

import pytest
from mcp import Client, MCPError
from tests.support.gateway import GatewayProcess
from tests.support.http_peer import Peer, Received, Wire, answer
from tests.support.scripted import command

from onemcp.wire.envelope import encode

pytestmark = pytest.mark.anyio

MODES: Final = ("legacy", "auto")
TOOL: Final = {"name": "count", "inputSchema": {"type": "object"}}


class Server:
    """A server of the handshake era whose one tool counts its calls; `trouble` is what a call runs into."""

    def __init__(self) -> None:
        self.calls = 0
        self.sessions = 0
        self.alive: set[str] = set()
        self.loss = b""
        """What it answers to a session that it does not know."""
        self.trouble: bytes | None = b""
        """What it answers to a call instead of the result; None for nothing, ever."""

    async def __call__(self, request: Received, wire: Wire) -> None:
        if request.method != "POST":
            await wire.send(answer(b"", "405 Method Not Allowed"))
            return
        message = request.message
        session = request.headers.get("mcp-session-id", "")
        if message["method"] == "server/discover":
            await wire.send(answer(b"", "400 Bad Request"))
        elif message["method"] == "initialize":
            self.sessions += 1
            self.alive.add(f"s{self.sessions}")
            await wire.send(result(message, INTRODUCTION, f"Mcp-Session-Id: s{self.sessions}"))
        elif session not in self.alive:
            await wire.send(self.loss)
        elif "id" not in message:
            await wire.send(answer(b"", "202 Accepted"))
        else:
            await self.take(message, wire)

    async def take(self, message: dict[str, Any], wire: Wire) -> None:
        """A request within a session."""
        if message["method"] != "tools/call":
            await wire.send(result(message, {"tools": [TOOL]}))
        elif self.trouble is None:
            await wire.gone.wait()
        elif self.trouble:
            await wire.send(self.trouble)
        else:
            self.calls += 1
            await wire.send(result(message, {"content": [{"type": "text", "text": str(self.calls)}]}))


INTRODUCTION: Final = {
    "protocolVersion": "2025-11-25",
    "capabilities": {"tools": {}},
    "serverInfo": {"name": "count", "version": "1"},
}


def result(message: dict[str, Any], value: object, *headers: str) -> bytes:
    """The answer to a request."""
    body = {"jsonrpc": "2.0", "id": message["id"], "result": value}
    return answer(encode(body), "200 OK", *headers)


@asynccontextmanager
async def served(server: Server, folder: Path, **members: Any) -> AsyncIterator[GatewayProcess]:
    """A gateway in front of `server` and of a good one, both ready."""
    async with Peer(server) as peer:
        entries = {"odd": {"url": peer.url, **members}, "good": {"command": command()}}
        async with GatewayProcess({"mcpServers": entries}, folder=folder) as gateway:
            await asyncio.to_thread(gateway.wait_settled)
            yield gateway


async def count(client: Client) -> str:
    """Call the tool."""
    (block,) = (await client.call_tool("odd_1mcp_count", {})).content
    return str(getattr(block, "text", ""))


async def good_one_answers(client: Client) -> None:
    """Call the other server's tool."""
    assert not (await client.call_tool("good_1mcp_echo", {})).is_error


@pytest.mark.parametrize(
    "loss",
    [
        answer(b"", "404 Not Found"),
        answer(b'{"error": "Session not found"}', "404 Not Found"),
        answer(b'{"jsonrpc":"2.0","id":null,"error":{"code":-32001,"message":"Session not found"}}', "404 X"),
        answer(b"Bad Request: No valid session ID provided", "400 Bad Request", kind="text/plain"),
        answer(
            b'{"jsonrpc":"2.0","id":1,"error":{"code":-32000,"message":"Bad Request: Server not initialized"}}',
            "400 Bad Request",
        ),
        answer(b"session expired", "410 Gone", kind="text/plain"),
    ],
    ids=["404", "404 as JSON", "404 as an error", "400 in words", "400 as an error", "410"],
)
async def test_a_forgotten_session_is_begun_anew_once_for_all_who_notice(tmp_path: Path, loss: bytes) -> None:
    server = Server()
    server.loss = loss
    async with served(server, tmp_path) as gateway, Client(gateway.url, mode="legacy") as client:
        assert await count(client) == "1"
        server.alive.clear()
        answers = await asyncio.gather(*(count(client) for _ in range(10)))
        assert sorted(map(int, answers)) == list(range(2, 12))
        assert (server.sessions, server.calls) == (2, 11)


@pytest.mark.parametrize("mode", MODES)
async def test_a_server_that_fails_is_named_with_what_it_said(tmp_path: Path, mode: str) -> None:
    server = Server()
    async with served(server, tmp_path) as gateway, Client(gateway.url, mode=mode) as client:
        server.trouble = answer(b"database is down", "500 Internal Server Error", kind="text/plain")
        with pytest.raises(MCPError, match=r"odd: answered 500 Internal Server Error: database is down"):
            await count(client)
        await good_one_answers(client)
        server.trouble = b""
        assert await count(client) == "1"


@pytest.mark.parametrize("mode", MODES)
async def test_a_server_that_never_answers_costs_only_its_own_calls(tmp_path: Path, mode: str) -> None:
    server = Server()
    async with (
        served(server, tmp_path, requestTimeout=1000) as gateway,
        Client(gateway.url, mode=mode) as client,
    ):
        server.trouble = None
        silent = asyncio.create_task(count(client))
        for _ in range(10):
            await good_one_answers(client)
        with pytest.raises(MCPError, match=r"odd: did not answer within 1 s"):
            await silent
        server.trouble = b""
        assert await count(client) == "1"


@pytest.mark.parametrize("mode", MODES)
async def test_a_black_hole_holds_up_nobody(tmp_path: Path, mode: str) -> None:
    async def swallow(_: Received, wire: Wire) -> None:
        await wire.gone.wait()

    async with Peer(swallow) as peer:
        entries = {"odd": {"url": peer.url}, "good": {"command": command()}}
        flags = ("--enable-async-loading", "--call-wait", "100")
        async with GatewayProcess({"mcpServers": entries}, *flags, folder=tmp_path) as gateway:
            await asyncio.to_thread(gateway.wait_for_output, "ready")
            async with Client(gateway.url, mode=mode) as client:
                assert [tool.name for tool in (await client.list_tools()).tools] == ["good_1mcp_echo"]
                await good_one_answers(client)
                with pytest.raises(MCPError, match=r"odd: is not ready \(connecting"):
                    await count(client)


async def test_a_server_that_went_away_is_found_again(tmp_path: Path) -> None:
    server = Server()
    async with served(server, tmp_path) as gateway, Client(gateway.url, mode="legacy") as client:
        assert await count(client) == "1"
        server.trouble = answer(b"", "502 Bad Gateway")
        with pytest.raises(MCPError, match="odd: is behind a proxy that cannot reach it"):
            await count(client)
        server.trouble = b""
        assert await count(client) == "2"
