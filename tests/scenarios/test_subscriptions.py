"""Watching resources through a real gateway: SDK clients of both eras, servers of both eras, stdio and HTTP."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, asynccontextmanager, suppress
from pathlib import Path
from typing import Any, Final

import pytest
from mcp import Client, MCPError, StdioServerParameters
from mcp.shared.subscriptions import ResourceUpdated
from mcp.types import (
    EmptyResult,
    SubscribeRequest,
    SubscribeRequestParams,
    TextContent,
    UnsubscribeRequest,
    UnsubscribeRequestParams,
)
from tests.support import sdk_server, watchable
from tests.support.gateway import GatewayProcess, environment
from tests.support.watchable import Served

pytestmark = pytest.mark.anyio

LIMIT: Final = 30.0
ERAS: Final = ("legacy", "auto")
SERVERS: Final = ("stdio", "http", "handshake-stdio", "handshake-http")
of_each_era = pytest.mark.parametrize("era", ERAS)
of_each_server = pytest.mark.parametrize("server", SERVERS)


class Gateway:
    """A gateway in front of one server of each kind."""

    def __init__(self, process: GatewayProcess, served: dict[str, Served]) -> None:
        self.url = process.url
        self.base = process.base
        self._served = served

    async def restart(self, server: str, client: Client) -> None:
        """Kill a server in the midst of it; over HTTP somebody starts it again, over stdio the gateway does."""
        if server in self._served:
            self._served[server].kill()
            await asyncio.to_thread(self._served[server].start)
        else:
            os.kill(int(await say(client, f"{server}_1mcp_pid")), signal.SIGKILL)


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    with ExitStack() as stack:
        served = {name: stack.enter_context(Served(name)) for name in SERVERS if name.endswith("http")}
        entries: dict[str, Any] = {}
        for name in SERVERS:
            place = {"url": served[name].url} if name in served else {"command": watchable.command(name)}
            pinned = {"protocol": "2025-11-25"} if name.startswith("handshake") else {}
            entries[name] = {**place, **pinned, "tags": [name], "restartDelay": 100}
        entries["plain"] = {"command": sdk_server.command("plain"), "protocol": "2025-11-25"}
        running = GatewayProcess({"mcpServers": entries}, folder=tmp_path_factory.mktemp("subscriptions"))
        stack.enter_context(running)
        running.wait_settled()
        yield Gateway(running, served)


class Watcher:
    """A client that watches some resources (or none), and the updates that came to it."""

    def __init__(self, client: Client, uris: tuple[str, ...]) -> None:
        self.client = client
        self.updates: list[str] = []
        self.honoured: list[str] = []
        self._uris = uris
        self._came = asyncio.Event()

    async def take(self, message: Any) -> None:
        """The client's handler of messages."""
        if getattr(message, "method", "") == "notifications/resources/updated":
            self.add(str(message.params.uri))

    def add(self, uri: str) -> None:
        self.updates.append(uri)
        self._came.set()

    async def follow(self, ready: asyncio.Event) -> None:
        """Listen in the stateless era, until cancelled."""
        async with self.client.listen(resource_subscriptions=self._uris) as subscription:
            self.honoured = list(subscription.honored.resource_subscriptions or ())
            ready.set()
            async for event in subscription:
                assert isinstance(event, ResourceUpdated)
                self.add(str(event.uri))

    async def told(self, uri: str, times: int = 1) -> None:
        """Return when so many updates of a resource have come; bounded."""
        async with asyncio.timeout(LIMIT):
            while self.updates.count(uri) < times:
                self._came.clear()
                await self._came.wait()

    async def touch(self, server: str, uri: str) -> None:
        """Have a server say that a resource was updated."""
        await say(self.client, f"{server}_1mcp_touch", uri=uri)

    async def touch_until_told(self, server: str, uri: str) -> None:
        """The same again and again, since the server may still be away or not yet subscribed to; bounded."""
        before = len(self.updates)
        async with asyncio.timeout(LIMIT):
            while len(self.updates) == before:
                with suppress(MCPError):
                    await self.touch(server, uri)
                await asyncio.sleep(0.02)

    async def touch_often(self, server: str, uri: str) -> None:
        """More updates, each heard before the next, than could be left over from before."""
        for _ in range(5):
            before = self.updates.count(uri)
            await self.touch(server, uri)
            await self.told(uri, before + 1)


async def say(client: Client, tool: str, **arguments: object) -> str:
    """What a tool answers."""
    (block,) = (await client.call_tool(tool, arguments)).content
    assert isinstance(block, TextContent)
    return block.text


async def subscribe(client: Client, uri: str) -> None:
    request = SubscribeRequest(params=SubscribeRequestParams(uri=uri))
    await client.session.send_request(request, EmptyResult)


async def unsubscribe(client: Client, uri: str) -> None:
    request = UnsubscribeRequest(params=UnsubscribeRequestParams(uri=uri))
    await client.session.send_request(request, EmptyResult)


@asynccontextmanager
async def watching(place: Any, era: str, *uris: str) -> AsyncIterator[Watcher]:
    """A client that watches."""
    watcher: Watcher

    async def handler(message: Any) -> None:
        await watcher.take(message)

    is_legacy = era == "legacy"
    client = Client(
        place, mode=era, read_timeout_seconds=LIMIT, message_handler=handler if is_legacy else None
    )
    watcher = Watcher(client, uris)
    async with client:
        if is_legacy:
            for uri in uris:
                await subscribe(client, uri)
            yield watcher
            return
        ready = asyncio.Event()
        following = asyncio.create_task(watcher.follow(ready))
        try:
            async with asyncio.timeout(LIMIT):
                await ready.wait()
            yield watcher
        finally:
            following.cancel()
            await asyncio.gather(following, return_exceptions=True)


@of_each_era
@of_each_server
async def test_an_update_reaches_those_who_watch_and_nobody_else(
    gateway: Gateway, server: str, era: str
) -> None:
    one, two = f"note://{server}/one", f"note://{server}/two"
    async with (
        watching(gateway.url, era, one) as first,
        watching(gateway.url, era, one, two) as second,
        watching(gateway.url, "legacy") as none,
    ):
        await first.touch(server, one)
        await first.touch(server, two)
        await first.told(one)
        await second.told(one)
        await second.told(two)
        await first.touch(server, one)
        await first.told(one, 2)
        await second.told(one, 2)
        await none.client.call_tool(f"{server}_1mcp_watched", {})  # by now it would have come
    assert first.updates == [one, one]
    assert sorted(second.updates) == [one, one, two]
    assert none.updates == []


@of_each_server
async def test_clients_of_both_eras_share_one_subscription_of_a_server(gateway: Gateway, server: str) -> None:
    uri = f"note://{server}/two"
    async with watching(gateway.url, "auto", uri) as modern:
        async with watching(gateway.url, "legacy", uri) as legacy:
            await legacy.touch(server, uri)
            await modern.told(uri)
            await legacy.told(uri)
            await unsubscribe(legacy.client, uri)
            await modern.touch(server, uri)
            await modern.told(uri, 2)
        assert legacy.updates == [uri]
        await modern.touch(server, uri)
        await modern.told(uri, 3)


@pytest.mark.parametrize("server", ["handshake-stdio", "handshake-http"])
async def test_a_server_is_unsubscribed_from_when_nobody_watches_any_more(
    gateway: Gateway, server: str
) -> None:
    uri = f"note://{server}/one"
    async with watching(gateway.url, "auto") as other:
        async with watching(gateway.url, "legacy", uri) as legacy:
            assert uri in await say(other.client, f"{server}_1mcp_watched")
            await unsubscribe(legacy.client, uri)
            async with asyncio.timeout(LIMIT):
                while uri in await say(other.client, f"{server}_1mcp_watched"):
                    await asyncio.sleep(0.01)
        async with watching(gateway.url, "auto", uri):
            assert uri in await say(other.client, f"{server}_1mcp_watched")
        async with asyncio.timeout(LIMIT):
            while uri in await say(other.client, f"{server}_1mcp_watched"):
                await asyncio.sleep(0.01)


@of_each_era
@of_each_server
async def test_a_server_that_is_killed_is_watched_again_when_it_is_back(
    gateway: Gateway, server: str, era: str
) -> None:
    one, two = f"note://{server}/one", f"note://{server}/two"
    async with (
        watching(gateway.url, era, one) as watcher,
        watching(gateway.url, era, two) as other,
        watching(gateway.url, "legacy") as none,
    ):
        await watcher.touch(server, one)
        await watcher.told(one)
        await gateway.restart(server, watcher.client)
        await watcher.touch_until_told(server, one)
        await other.touch_until_told(server, two)
        await watcher.touch_often(server, one)
        await other.touch_often(server, two)
        await none.client.list_tools()
    assert set(watcher.updates) == {one}
    assert set(other.updates) == {two}
    assert none.updates == []


async def test_a_client_is_told_of_a_restart_in_which_it_may_have_missed_something(gateway: Gateway) -> None:
    uri = "note://handshake-stdio/one"
    async with watching(gateway.url, "legacy", uri) as watcher:
        await gateway.restart("handshake-stdio", watcher.client)
        await watcher.told(uri)


async def test_what_cannot_be_watched_is_an_error_or_left_out(gateway: Gateway) -> None:
    good, unknown, unwatched = "note://stdio/one", "note://nobody/one", "note://plain/today"
    async with watching(gateway.url, "legacy") as legacy:
        with pytest.raises(MCPError, match="Unknown resource") as caught:
            await subscribe(legacy.client, unknown)
        assert caught.value.error.code == -32002
        assert caught.value.error.data["uri"] == unknown
        with pytest.raises(MCPError, match="plain: does not offer subscriptions") as caught:
            await subscribe(legacy.client, unwatched)
        assert caught.value.error.code == -32601
    async with watching(gateway.url, "auto", unknown, good, unwatched) as modern:
        assert modern.honoured == [good]


@pytest.mark.parametrize(("server", "offers"), [("stdio", True), ("handshake-http", True), ("plain", False)])
async def test_a_server_alone_declares_what_it_offers_itself(
    gateway: Gateway, server: str, offers: bool
) -> None:
    url = f"{gateway.base}/servers/{server}/mcp"
    for era in ERAS:
        async with Client(url, mode=era) as client:
            assert client.server_capabilities is not None
            declared = client.server_capabilities.resources
            assert declared is not None
            assert bool(declared.subscribe) is offers


async def test_what_is_not_shown_to_a_client_cannot_be_watched_by_it(gateway: Gateway) -> None:
    url = f"{gateway.url}?tags=stdio"
    async with watching(url, "auto", "note://http/one", "note://stdio/one") as watcher:
        assert watcher.honoured == ["note://stdio/one"]
    async with watching(url, "legacy") as legacy:
        with pytest.raises(MCPError, match="Unknown resource"):
            await subscribe(legacy.client, "note://http/one")


@of_each_era
async def test_a_client_on_stdio_watches_too(tmp_path: Path, era: str) -> None:
    uri = "note://s/one"
    argv = watchable.command("s")
    config = tmp_path / "mcp.json"
    config.write_text(f'{{"mcpServers": {{"s": {{"command": {str(argv).replace(chr(39), chr(34))}}}}}}}')
    child = StdioServerParameters(
        command=argv[0],
        args=["-m", "onemcp", "serve", "--config", str(config), "--transport", "stdio"],
        env=environment(tmp_path),
        cwd=tmp_path,
    )
    async with (
        watching(child, era, uri, "note://nobody/x")
        if era == "auto"
        else watching(child, era, uri) as watcher
    ):
        await watcher.touch("s", uri)
        await watcher.told(uri)
        await watcher.touch("s", "note://s/two")
        os.kill(int(await say(watcher.client, "s_1mcp_pid")), signal.SIGKILL)
        await watcher.touch_until_told("s", uri)
        if era == "legacy":
            await unsubscribe(watcher.client, uri)
    assert set(watcher.updates) == {uri}
