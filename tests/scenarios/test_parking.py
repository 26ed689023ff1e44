"""Stateless clients of the `mcp` 2.3 SDK on handshake servers of the same: what the server asks comes back to them.

The client drives the rounds by itself: it answers from its callbacks and sends its call again.
"""

import asyncio
import json
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, asynccontextmanager
from pathlib import Path
from typing import Any, Final

import httpx2
import pytest
from mcp import Client, MCPError, StdioServerParameters
from mcp.types import (
    CreateMessageResult,
    ElicitRequestURLParams,
    ElicitResult,
    ListRootsResult,
    TextContent,
)
from tests.support import asking_server
from tests.support.gateway import GatewayProcess, environment

pytestmark = pytest.mark.anyio

SERVERS: Final = ("stdio", "http")
LIMIT: Final = 20.0
MCP: Final = "io.modelcontextprotocol"
of_each_server = pytest.mark.parametrize("server", SERVERS)


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GatewayProcess]:
    """A gateway in front of one server on each transport; on stdio each conversation has a child of its own."""
    with ExitStack() as stack:
        more = {"protocol": asking_server.HANDSHAKE, "roots": True}
        entries = {
            "stdio": {"command": asking_server.command("stdio"), "isolation": "session", **more},
            "http": {"url": stack.enter_context(asking_server.served("http")), **more},
        }
        running = GatewayProcess({"mcpServers": entries}, folder=tmp_path_factory.mktemp("parking"))
        stack.enter_context(running)
        running.wait_settled()
        yield running


@asynccontextmanager
async def client(
    place: GatewayProcess | StdioServerParameters, name: str, **callbacks: Any
) -> AsyncIterator[Client]:
    """A stateless client that answers with its name."""

    async def elicit(_: Any, params: Any) -> ElicitResult:
        if isinstance(params, ElicitRequestURLParams):
            return ElicitResult(action="accept")
        return ElicitResult(action="accept", content={"answer": name})

    async def sample(_: Any, params: Any) -> CreateMessageResult:
        said = f"{name} on {params.messages[0].content.text}"
        return CreateMessageResult(role="assistant", content=TextContent(text=said), model="m")

    async def roots(_: Any) -> ListRootsResult:
        return ListRootsResult.model_validate({"roots": [{"uri": f"file:///{name}"}]})

    target = place.url if isinstance(place, GatewayProcess) else place
    able = {
        "elicitation_callback": elicit,
        "sampling_callback": sample,
        "list_roots_callback": roots,
        **callbacks,
    }
    async with Client(target, mode="2026-07-28", read_timeout_seconds=LIMIT, **able) as connected:
        yield connected


def text(result: Any) -> str:
    """The one text in a result."""
    (block,) = result.content
    return str(block.text)


@of_each_server
async def test_a_client_answers_round_by_round(gateway: GatewayProcess, server: str) -> None:
    steps: list[float] = []

    async def step(progress: float, total: float | None, message: str | None) -> None:
        steps.append(progress)

    async with client(gateway, "ada") as ada:
        call = ada.call_tool(f"{server}_1mcp_plan", {"topic": "rain"}, progress_callback=step)
        assert text(await call) == "ada, ada on rain, file:///ada"
    assert steps == [1, 2, 3]


@of_each_server
async def test_each_client_answers_for_itself(gateway: GatewayProcess, server: str) -> None:
    async def one(number: int) -> str:
        async with client(gateway, f"client-{number}") as each:
            return text(await each.call_tool(f"{server}_1mcp_plan", {"topic": f"topic-{number}"}))

    answers = await asyncio.gather(*map(one, range(5)))
    assert answers == [f"client-{n}, client-{n} on topic-{n}, file:///client-{n}" for n in range(5)]


@of_each_server
async def test_a_url_is_visited_in_the_course_of_a_call_or_before_it(
    gateway: GatewayProcess, server: str
) -> None:
    async with client(gateway, "ada") as ada:
        assert text(await ada.call_tool(f"{server}_1mcp_sign", {"elicitation": "s"})) == "accept"
        assert text(await ada.call_tool(f"{server}_1mcp_enter", {"elicitation": f"e-{server}"})) == "in"


@of_each_server
async def test_what_a_client_cannot_do_is_named(gateway: GatewayProcess, server: str) -> None:
    async with client(gateway, "ada", sampling_callback=None) as ada:
        with pytest.raises(MCPError) as caught:
            await ada.call_tool(f"{server}_1mcp_plan", {"topic": "rain"})
    error = caught.value.error
    assert error.code == -32021
    assert error.data["requiredCapabilities"] == {"sampling": {}}


def post(gateway: GatewayProcess, name: str, **params: Any) -> httpx2.Response:
    """One round by hand."""
    meta = {f"{MCP}/protocolVersion": "2026-07-28", f"{MCP}/clientCapabilities": {"elicitation": {}}}
    message = {
        "jsonrpc": "2.0",
        "id": 1,
        "method": "tools/call",
        "params": {"name": name, **params, "_meta": meta},
    }
    headers = {"MCP-Protocol-Version": "2026-07-28", "Mcp-Method": "tools/call", "Mcp-Name": name}
    return httpx2.post(gateway.url, json=message, headers=headers, timeout=LIMIT)


def told(response: httpx2.Response) -> tuple[int, int, str, list[str]]:
    """All of a refusal but the id of its request."""
    error = response.json()["error"]
    return response.status_code, error["code"], error["message"], sorted(error["data"])


@of_each_server
def test_a_state_that_is_not_good_is_refused_and_the_call_still_there(
    gateway: GatewayProcess, server: str, tmp_path: Path
) -> None:
    name, arguments = f"{server}_1mcp_wait", {"file": str(tmp_path / "end")}
    asked = post(gateway, name, arguments=arguments).json()["result"]
    state, (key,) = asked["requestState"], asked["inputRequests"]
    answers = {key: {"action": "decline"}}
    for bad in (state + "-TAMPERED", "nonsense"):
        refused = post(gateway, name, arguments=arguments, requestState=bad, inputResponses=answers)
        assert (refused.status_code, refused.json()["error"]["code"]) == (400, -32602)
    other = post(gateway, name, arguments={"file": "other"}, requestState=state, inputResponses=answers)
    assert told(other) == told(refused)
    done = post(gateway, name, arguments=arguments, requestState=state, inputResponses=answers)
    assert done.json()["result"]["content"][0]["text"] == "decline"
    replayed = post(gateway, name, arguments=arguments, requestState=state, inputResponses=answers)
    assert told(replayed) == told(refused)


async def test_the_end_of_the_gateway_cancels_what_is_parked(tmp_path: Path) -> None:
    entry = {"command": asking_server.command("a"), "protocol": asking_server.HANDSHAKE}
    end = tmp_path / "end"
    gateway = GatewayProcess({"mcpServers": {"a": entry}}, folder=tmp_path)
    async with gateway:
        await asyncio.to_thread(gateway.wait_settled)
        asked = await asyncio.to_thread(post, gateway, "a_1mcp_wait", arguments={"file": str(end)})
        assert asked.json()["result"]["resultType"] == "input_required"
    assert end.read_text() == "cancelled"


async def test_a_client_on_standard_streams_is_asked_as_well(tmp_path: Path) -> None:
    entry = {"command": asking_server.command("a"), "protocol": asking_server.HANDSHAKE, "roots": True}
    (tmp_path / "mcp.json").write_text(json.dumps({"mcpServers": {"a": entry}}))
    flags = ["--config", "mcp.json", "--transport", "stdio", "--state-dir", str(tmp_path / "state")]
    gateway = StdioServerParameters(
        command=sys.executable,
        args=["-m", "onemcp", "serve", *flags],
        env=environment(tmp_path),
        cwd=tmp_path,
    )
    async with client(gateway, "ada") as ada:
        call = ada.call_tool("a_1mcp_plan", {"topic": "rain"})
        assert text(await call) == "ada, ada on rain, file:///ada"
        end = tmp_path / "end"
        asked = await ada.session.call_tool("a_1mcp_wait", {"file": str(end)}, allow_input_required=True)
        assert asked.result_type == "input_required"
    async with asyncio.timeout(LIMIT):
        while not end.exists():
            await asyncio.sleep(0.01)
    assert end.read_text() == "cancelled"
