"""Features of a real gateway: off at the start, on, and switched by a reload while clients are connected."""

import asyncio
import json
import re
import signal
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

import httpx2
import pytest
from mcp import Client, MCPError
from mcp.types import (
    CreateMessageResult,
    ElicitRequestURLParams,
    ElicitResult,
    ListRootsResult,
    TextContent,
)
from tests.scenarios.test_traces import PARENT, call, server
from tests.support import asking_server
from tests.support.gateway import WAIT_LIMIT, GatewayProcess
from tests.support.guide import free_port
from tests.support.http_peer import Peer
from tests.support.metrics import scrape
from tests.support.scripted import command
from tests.support.webhook_sink import WebhookSink, of

pytestmark = pytest.mark.anyio

MODES: Final = ("legacy", "2026-07-28")
QUESTIONS: Final = ("elicitation", "sampling", "roots")
ACCEPT: Final = {"accept": "application/json, text/event-stream"}
of_each_era = pytest.mark.parametrize("mode", MODES)


class Gateway(GatewayProcess):
    """A gateway whose features are switched by its file and SIGHUP; nothing else makes it reload."""

    def __init__(self, document: Mapping[str, Any], *flags: str, folder: Path, **features: bool) -> None:
        self._document = {"configReload": {"enabled": False}, **document}
        self._features = features
        super().__init__({**self._document, "features": features}, *flags, folder=folder)

    async def switch(self, **features: bool) -> None:
        """Return when these count beside the ones from before."""
        self._features |= features
        self.config_file.write_text(json.dumps({**self._document, "features": self._features}))
        reloads = self.stderr.count(RELOADED) + 1
        self.signal(signal.SIGHUP)
        wanted = re.compile(f"({re.escape(RELOADED)}.*?){{{reloads}}}", re.DOTALL)
        await asyncio.to_thread(self.wait_for_output, wanted)


RELOADED: Final = "the configuration was reloaded"


@asynccontextmanager
async def running(gateway: Gateway) -> AsyncIterator[Gateway]:
    async with gateway:
        await asyncio.to_thread(gateway.wait_settled)
        yield gateway


def scripted(*arguments: object) -> dict[str, Any]:
    return {"mcpServers": {"a": {"command": command("--name", "a", *arguments)}}}


class Person:
    """A client that can answer everything, and what it was asked."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    async def elicit(self, _: Any, params: Any) -> ElicitResult:
        self.asked.append("elicitation")
        is_visit = isinstance(params, ElicitRequestURLParams)
        return ElicitResult(action="accept", content=None if is_visit else {"answer": "fine"})

    async def sample(self, _: Any, _params: Any) -> CreateMessageResult:
        self.asked.append("sampling")
        return CreateMessageResult(role="assistant", content=TextContent(text="wet"), model="m")

    async def roots(self, _: Any) -> ListRootsResult:
        self.asked.append("roots")
        return ListRootsResult.model_validate({"roots": [{"uri": "file:///srv"}]})

    @asynccontextmanager
    async def connected(self, url: str, mode: str) -> AsyncIterator[Client]:
        callbacks: Any = {
            "elicitation_callback": self.elicit,
            "sampling_callback": self.sample,
            "list_roots_callback": self.roots,
        }
        async with Client(url, mode=mode, read_timeout_seconds=WAIT_LIMIT, **callbacks) as client:
            yield client


async def outcome(client: Client, tool: str, **arguments: str) -> str:
    """What a tool said, well or not."""
    try:
        result = await client.call_tool(tool, arguments)
    except MCPError as error:
        return str(error)
    return "".join(block.text for block in result.content if isinstance(block, TextContent))


def asking(**more: object) -> dict[str, Any]:
    entry = {
        "command": asking_server.command("a"),
        "protocol": asking_server.HANDSHAKE,
        "roots": True,
        **more,
    }
    return {"mcpServers": {"a": entry}}


@of_each_era
@pytest.mark.parametrize("name", QUESTIONS)
async def test_what_servers_may_not_ask_reaches_no_client_from_the_start_on(
    tmp_path: Path, mode: str, name: str
) -> None:
    person = Person()
    with asking_server.served("a") as url:
        document = {"mcpServers": {"a": {"url": url, "protocol": asking_server.HANDSHAKE, "roots": True}}}
        gateway = Gateway(document, folder=tmp_path, **{name: False})
        async with running(gateway), person.connected(gateway.url, mode) as client:
            assert f"features.{name}" in await outcome(client, "a_1mcp_plan", topic="rain")
            assert person.asked == list(QUESTIONS[: QUESTIONS.index(name)])
            await gateway.switch(**{name: True})
            assert await outcome(client, "a_1mcp_plan", topic="rain") == "fine, wet, file:///srv"


@pytest.mark.parametrize(("mode", "isolation"), [("legacy", "shared"), ("2026-07-28", "session")])
async def test_a_switch_counts_for_clients_that_are_connected(
    tmp_path: Path, mode: str, isolation: str
) -> None:
    person = Person()
    gateway = Gateway(asking(isolation=isolation), folder=tmp_path)
    async with running(gateway), person.connected(gateway.url, mode) as client:
        assert await outcome(client, "a_1mcp_plan", topic="rain") == "fine, wet, file:///srv"
        await gateway.switch(elicitation=False)
        person.asked.clear()
        assert "features.elicitation" in await outcome(client, "a_1mcp_plan", topic="rain")
        assert "features.elicitation" in await outcome(client, "a_1mcp_sign", elicitation="s")
        assert "features.elicitation" in await outcome(client, "a_1mcp_enter", elicitation="e")
        assert person.asked == []
        await gateway.switch(elicitation=True)
        assert await outcome(client, "a_1mcp_sign", elicitation="t") == "accept"


async def test_a_reload_says_which_servers_it_begins_anew_with_because_of_a_switch(tmp_path: Path) -> None:
    def differing(verb: str) -> Any:
        report = json.loads(gateway.command("config", verb, "--json").stdout)
        return [(one["name"], one["change"], one["because"]) for one in report["servers"]]

    entry = {"command": command("--name", "a")}
    own = {**entry, "roots": ["file:///srv"]}
    document = {"mcpServers": {"plain": entry, "asked": {**entry, "roots": True}, "own": own}}
    gateway = Gateway(document, folder=tmp_path, roots=False)
    async with running(gateway):
        assert differing("diff") == []
        await gateway.switch(roots=True)
        assert "began anew with asked; changed plain; set features.roots" in gateway.stderr
        await gateway.switch(sampling=False)
        assert "began anew with plain, asked, own; set features.sampling" in gateway.stderr
        assert differing("reload") == []


async def test_a_call_that_is_asking_when_it_is_switched_off_ends_as_it_began(tmp_path: Path) -> None:
    asked, may_answer = asyncio.Event(), asyncio.Event()

    async def elicit(_: Any, _params: Any) -> ElicitResult:
        asked.set()
        await may_answer.wait()
        return ElicitResult(action="accept", content={"answer": "late"})

    gateway = Gateway(asking(), folder=tmp_path)
    callbacks: Any = {"elicitation_callback": elicit}
    async with running(gateway), Client(gateway.url, mode="legacy", **callbacks) as client:
        under_way = asyncio.create_task(outcome(client, "a_1mcp_wait", file=str(tmp_path / "ended")))
        async with asyncio.timeout(WAIT_LIMIT):
            await asked.wait()
        await gateway.switch(elicitation=False)
        assert "features.elicitation" in await outcome(client, "a_1mcp_wait", file=str(tmp_path / "ended"))
        may_answer.set()
        assert await under_way == "accept"


@of_each_era
async def test_a_stateless_server_that_asks_is_given_no_answer(tmp_path: Path, mode: str) -> None:
    person = Person()
    gateway = Gateway(scripted("--era", "stateless", "--mode", "sample"), folder=tmp_path, sampling=False)
    async with running(gateway), person.connected(gateway.url, mode) as client:
        assert "features.sampling" in await outcome(client, "a_1mcp_echo")
        assert person.asked == []
        if mode == "2026-07-28":
            await gateway.switch(sampling=True)
            assert "wet" in await outcome(client, "a_1mcp_echo")


async def test_servers_have_endpoints_of_their_own_or_not(tmp_path: Path) -> None:
    gateway = Gateway(scripted(), folder=tmp_path)
    async with running(gateway), httpx2.AsyncClient(timeout=WAIT_LIMIT, headers=ACCEPT) as http:
        alone = f"{gateway.base}/servers/a/mcp"
        async with Client(alone, mode="legacy") as one, Client(gateway.url, mode="legacy") as every:
            assert [tool.name for tool in (await one.list_tools()).tools] == ["echo"]
            await gateway.switch(singleServerRoutes=False)
            with pytest.raises(MCPError):
                await one.call_tool("echo", {})
            answer = await http.post(alone, json={"jsonrpc": "2.0", "id": 1, "method": "ping"})
            assert answer.status_code == 404
            assert "features.singleServerRoutes" in answer.json()["error"]["message"]
            assert await outcome(every, "a_1mcp_echo") == "{}"
            await gateway.switch(singleServerRoutes=True)
        async with Client(alone, mode="2026-07-28") as again:
            assert await outcome(again, "echo") == "{}"


async def status(url: str) -> int:
    async with httpx2.AsyncClient(timeout=WAIT_LIMIT) as http:
        return (await http.get(url)).status_code


async def test_metrics_count_from_when_they_are_switched_on(tmp_path: Path) -> None:
    def calls() -> float:
        return scrape(gateway.base).value("onemcp_calls_total", method="tools/call")

    gateway = Gateway(scripted(), folder=tmp_path, metrics=False)
    async with running(gateway), Client(gateway.url, mode="legacy") as client:
        await client.call_tool("a_1mcp_echo", {})
        assert await status(f"{gateway.base}/metrics") == 404
        await gateway.switch(metrics=True)
        assert await asyncio.to_thread(calls) == 0
        await client.call_tool("a_1mcp_echo", {})
        assert await asyncio.to_thread(calls) == 1
        await gateway.switch(metrics=False)
        await client.call_tool("a_1mcp_echo", {})
        assert await status(f"{gateway.base}/metrics") == 404
        assert "calls are not counted" in gateway.command("top", "--once").stdout
        await gateway.switch(metrics=True)
        await client.call_tool("a_1mcp_echo", {})
        assert await asyncio.to_thread(calls) == 2


@pytest.mark.parametrize("at_start", [True, False])
async def test_a_port_of_their_own_is_opened_at_a_start_only(tmp_path: Path, *, at_start: bool) -> None:
    port = free_port()
    own = f"http://127.0.0.1:{port}/metrics"
    gateway = Gateway({"mcpServers": {}, "metrics": {"port": port}}, folder=tmp_path, metrics=at_start)
    async with gateway:
        if at_start:
            assert await status(own) == 200
            await gateway.switch(metrics=False)
            assert await status(own) == 404
            await gateway.switch(metrics=True)
            assert await status(own) == 200
        else:
            await gateway.switch(metrics=True)
            assert "restart the gateway for them" in gateway.stderr
            with pytest.raises(httpx2.ConnectError):
                await status(own)


async def test_webhooks_hear_after_a_silence_what_is_still_so(tmp_path: Path) -> None:
    def raised() -> list[str]:
        listed = gateway.command("alerts", "list", "--json")
        return [f"{one['kind']} {one['subject']}" for one in json.loads(listed.stdout)["raised"]]

    with WebhookSink() as sink:
        rules = {"server_down": {"for": 0, "cooldown": 0}}
        alerts = {"webhooks": [{"url": sink.url, "allowPrivate": True}], "rules": rules}
        dead = {"command": "no-such-program"}
        gateway = Gateway({"mcpServers": {"dead": dead}, "alerts": alerts}, folder=tmp_path, alerts=False)
        async with gateway:
            await until(lambda: raised() == ["server_down dead"])
            said = gateway.command("alerts").stdout
            assert "features.alerts is off" in said
            assert sink.requests == []
            await gateway.switch(alerts=True)
            await asyncio.to_thread(sink.wait_for, of("server_down"))
            await gateway.switch(alerts=False)
            tested = gateway.command("alerts", "test")
            assert tested.returncode == 0, tested.stderr
        kinds = [alert["kind"] for alert in sink.taken]
    assert kinds == ["server_down", "test"]


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(WAIT_LIMIT):
        while not await asyncio.to_thread(condition):
            await asyncio.sleep(0.05)


async def test_a_trace_is_told_to_servers_or_not(tmp_path: Path) -> None:
    async with Peer(server) as peer:
        document = {"mcpServers": {"peer": {"type": "http", "url": peer.url}}}
        async with running(Gateway(document, folder=tmp_path, traceContext=False)) as gateway:
            meta = {"traceparent": PARENT, "baggage": "user=ada", "mine": 1}
            await call(gateway.url, {"traceparent": PARENT}, {})
            await call(gateway.url, {}, meta)
            await gateway.switch(traceContext=True)
            await call(gateway.url, {"traceparent": PARENT}, {})
            await call(gateway.url, {}, meta)
        calls = [r for r in peer.requests if r.method == "POST" and r.message.get("method") == "tools/call"]
    seen = [(r.headers.get("traceparent"), r.message["params"].get("_meta")) for r in calls]
    assert seen == [(None, None), (None, {"mine": 1}), (PARENT, {"traceparent": PARENT}), (None, meta)]


async def test_completions_are_declared_and_answered_or_not(tmp_path: Path) -> None:
    async def completed(client: Client) -> str:
        try:
            await client.complete(
                {"type": "ref/prompt", "name": "nobody"},  # type: ignore[arg-type]  # as it is on the wire
                {"name": "x", "value": ""},
            )
        except MCPError as error:
            return error.message
        return ""

    gateway = Gateway(scripted(), folder=tmp_path, completions=False)
    async with running(gateway), Client(gateway.url, mode="legacy") as before:
        assert before.server_capabilities is not None
        assert before.server_capabilities.completions is None
        await gateway.switch(completions=True)
        async with Client(gateway.url, mode="legacy") as client:
            assert client.server_capabilities.completions is not None
            assert "Method not found" not in await completed(client)
            await gateway.switch(completions=False)
            assert await completed(client) == "Method not found: completion/complete"


@pytest.mark.parametrize(
    ("flags", "environ", "is_off"),
    [
        (["--no-feature-sampling"], {}, True),
        ([], {"ONE_MCP_FEATURE_SAMPLING": "off"}, True),
        (["--no-feature-sampling"], {"ONE_MCP_FEATURE_SAMPLING": "on"}, False),
    ],
)
async def test_an_option_and_a_variable_switch_as_well(
    tmp_path: Path, flags: list[str], environ: dict[str, str], *, is_off: bool
) -> None:
    document = scripted("--mode", "sample")
    async with GatewayProcess(document, *flags, folder=tmp_path, environ=environ) as gateway:
        await asyncio.to_thread(gateway.wait_settled)
        async with Person().connected(gateway.url, "legacy") as client:
            said = await outcome(client, "a_1mcp_echo")
    assert ("features.sampling" in said) == is_off


async def test_the_key_from_before_still_counts_and_is_told(tmp_path: Path) -> None:
    document = {"mcpServers": {}, "metrics": {"enabled": False}}
    async with GatewayProcess(document, folder=tmp_path) as gateway:
        assert await status(f"{gateway.base}/metrics") == 404
        assert "metrics.enabled is now called features.metrics" in gateway.stderr
