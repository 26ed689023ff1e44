"""Clients whose connection is cut in the middle of a call, and who come back: real processes, real kills."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import aclosing, asynccontextmanager
from pathlib import Path
from typing import Any, Final

import httpx2
import pytest
from mcp import Client, MCPError
from mcp.types import CallToolResult, TextContent
from tests.support.cuttable import cuttable
from tests.support.events import events_of
from tests.support.gateway import GatewayProcess
from tests.support.held import Held

from onemcp.wire.sse import Event

pytestmark = pytest.mark.anyio

WAIT: Final = 20.0
ACCEPT: Final = {"accept": "application/json, text/event-stream"}


@pytest.fixture
def held(tmp_path: Path) -> Held:
    return Held(tmp_path / "held")


@pytest.fixture
def gateway(tmp_path: Path, held: Held) -> Iterator[GatewayProcess]:
    entries = {"a": held.entry(tags=["one"]), "b": Held(tmp_path / "other").entry(tags=["two"])}
    with GatewayProcess({"mcpServers": entries}, "--drain-timeout", "300", folder=tmp_path) as running:
        running.wait_settled()
        yield running


class RawClient:
    """One session, by its HTTP requests."""

    def __init__(self, http: httpx2.AsyncClient, gateway: GatewayProcess, session: str) -> None:
        self.session = session
        self._http = http
        self._gateway = gateway

    async def ask(self, method: str, **params: Any) -> Any:
        answer = await self._http.post(
            self._gateway.url, json=request(method, **params), headers=self._headers()
        )
        return answer.json()

    async def delete(self) -> None:
        assert (await self._http.delete(self._gateway.url, headers=self._headers())).status_code == 204

    async def cut_in_a_call(self) -> str:
        """Call `hold`, read its first progress and hang up; the id of that."""
        params = {"name": "a_1mcp_hold", "arguments": {}, "_meta": {"progressToken": "p"}}
        call = {"jsonrpc": "2.0", "id": "c", "method": "tools/call", "params": params}
        async with (
            self._http.stream("POST", self._gateway.url, json=call, headers=self._headers()) as response,
            aclosing(events_of(response)) as events,
        ):
            async for event in events:
                if event.data:
                    return event.id or ""
        raise AssertionError("the stream ended before the first progress")

    async def resumed(self, last: str, query: str = "") -> list[Event]:
        """What comes after an event, until the stream ends."""
        headers = {**self._headers(), "last-event-id": last}
        async with self._http.stream("GET", self._gateway.url + query, headers=headers) as response:
            assert response.status_code == 200, await response.aread()
            return [event async for event in events_of(response) if event.data]

    async def status(self, method: str, last: str = "") -> int:
        headers = {**self._headers(), **({"last-event-id": last} if last else {})}
        async with self._http.stream(method, self._gateway.url, headers=headers) as response:
            return int(response.status_code)

    def _headers(self) -> dict[str, str]:
        return {**ACCEPT, "mcp-session-id": self.session, "mcp-protocol-version": "2025-11-25"}


def request(method: str, **params: Any) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}


@asynccontextmanager
async def raw(gateway: GatewayProcess) -> AsyncIterator[Callable[[], Any]]:
    """Opens sessions of raw clients."""
    async with asyncio.timeout(WAIT), httpx2.AsyncClient(timeout=WAIT) as http:

        async def opened() -> RawClient:
            params = {
                "protocolVersion": "2025-11-25",
                "capabilities": {},
                "clientInfo": {"name": "raw", "version": "1"},
            }
            answer = await http.post(gateway.url, json=request("initialize", **params), headers=ACCEPT)
            return RawClient(http, gateway, answer.headers["mcp-session-id"])

        yield opened


async def restarted(gateway: GatewayProcess) -> None:
    """Kill the gateway and start it again."""
    await asyncio.to_thread(gateway.kill)
    await asyncio.to_thread(gateway.start)


async def kept(opened: Callable[[], Any], client: RawClient) -> None:
    """Return when all that the server and the gateway said so far is in the file.

    The server answers in order, and so does the store: its word about a session that ends comes after all before.
    """
    assert (await client.ask("tools/call", name="a_1mcp_echo"))["result"]
    await (await opened()).delete()


def kinds(events: list[Event]) -> list[str]:
    return [json.loads(event.data).get("method", "answer") for event in events]


def answer(events: list[Event]) -> Any:
    return json.loads(events[-1].data)


async def test_an_answer_to_a_client_that_was_cut_off_comes_once_when_it_is_back(
    gateway: GatewayProcess, held: Held
) -> None:
    async with raw(gateway) as opened:
        client = await opened()
        last = await client.cut_in_a_call()
        held.release()
        events = await client.resumed(last)
        assert kinds(events) == ["notifications/progress", "answer"]
        assert answer(events) == {
            "jsonrpc": "2.0",
            "id": "c",
            "result": {"content": [{"type": "text", "text": "held 1"}]},
        }
        assert await client.status("GET", events[-1].id or "") == 204
        assert await (await opened()).status("GET", last) == 400
    assert held.calls == 1


async def test_a_finished_answer_outlives_a_kill(gateway: GatewayProcess, held: Held) -> None:
    async with raw(gateway) as opened:
        client = await opened()
        last = await client.cut_in_a_call()
        held.release()
        await held.answered()
        await kept(opened, client)
        await restarted(gateway)
        events = await client.resumed(last)
    assert kinds(events) == ["notifications/progress", "answer"]
    assert answer(events)["result"]["content"][0]["text"] == "held 1"
    assert held.calls == 1


async def test_a_call_that_a_kill_interrupted_is_answered_that_nobody_knows(
    gateway: GatewayProcess, held: Held
) -> None:
    async with raw(gateway) as opened:
        client = await opened()
        last = await client.cut_in_a_call()
        await kept(opened, client)
        await restarted(gateway)
        events = await client.resumed(last)
        assert kinds(events) == ["answer"]
        assert answer(events)["id"] == "c"
        assert "not known whether" in answer(events)["error"]["message"]
        assert answer(events)["error"]["data"]["reason"] == "gateway_restarted"
        await kept(opened, client)
    assert held.calls == 1, "nothing that may have run is run again"


async def test_replay_obeys_the_view_of_who_asks(gateway: GatewayProcess, held: Held) -> None:
    async with raw(gateway) as opened:
        client = await opened()
        last = await client.cut_in_a_call()
        held.release()
        seen = await client.resumed(last)
        hidden = await client.resumed(last, "?tags=two")
        shown = await client.resumed(last, "?tags=one")
    assert kinds(hidden) == ["answer"]
    assert (answer(hidden)["id"], answer(hidden)["error"]["code"]) == ("c", -32602)
    assert [event.data for event in shown] == [event.data for event in seen]


async def test_a_deleted_session_stays_deleted_after_a_kill(gateway: GatewayProcess) -> None:
    async with raw(gateway) as opened:
        client, other = await opened(), await opened()
        await client.delete()
        await restarted(gateway)
        assert await client.status("DELETE") == 404
        assert (await other.ask("ping"))["result"] == {}


async def test_a_gateway_stops_in_order_while_a_call_runs_whose_client_has_gone(
    gateway: GatewayProcess,
) -> None:
    async with raw(gateway) as opened:
        client = await opened()
        last = await client.cut_in_a_call()
        assert await asyncio.to_thread(gateway.stop) == 0
        assert "Traceback" not in gateway.stderr
        await asyncio.to_thread(gateway.start)
        (event,) = await client.resumed(last)
    assert json.loads(event.data)["error"]["data"]["reason"] == "gateway_shutting_down"


@asynccontextmanager
async def sdk(gateway: GatewayProcess) -> AsyncIterator[tuple[Client, Any]]:
    """A client of the SDK, and the network that it comes through."""
    async with asyncio.timeout(2 * WAIT), cuttable(gateway.port) as network:
        url = f"http://127.0.0.1:{network.port}/mcp"
        async with Client(url, mode="legacy", read_timeout_seconds=WAIT) as client:
            yield client, network


class Progress:
    """What a client of the SDK is told in a call."""

    def __init__(self) -> None:
        self.values: list[float] = []
        self.began = asyncio.Event()

    async def take(self, progress: float, total: float | None, message: str | None) -> None:
        self.values.append(progress)
        self.began.set()


async def test_a_client_of_the_sdk_has_its_answer_although_the_network_was_cut(
    gateway: GatewayProcess, held: Held
) -> None:
    async with sdk(gateway) as (client, network):
        progress = Progress()
        call = asyncio.ensure_future(client.call_tool("a_1mcp_hold", {}, progress_callback=progress.take))
        await progress.began.wait()
        network.cut()
        held.release()
        assert said(await call) == "held 1"
        assert progress.values == [1, 2]
    assert held.calls == 1


async def test_a_client_of_the_sdk_is_told_that_a_kill_interrupted_its_call(
    gateway: GatewayProcess, held: Held
) -> None:
    async with sdk(gateway) as (client, network), raw(gateway) as opened:
        progress = Progress()
        call = asyncio.ensure_future(client.call_tool("a_1mcp_hold", {}, progress_callback=progress.take))
        await progress.began.wait()
        await kept(opened, await opened())
        await restarted(gateway)
        network.target = gateway.port
        with pytest.raises(MCPError, match="not known whether"):
            await call
        assert [tool.name for tool in (await client.list_tools()).tools], "the session goes on"
    assert held.calls == 1


def said(result: CallToolResult) -> str:
    (block,) = result.content
    assert isinstance(block, TextContent)
    return block.text
