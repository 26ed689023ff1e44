"""The gateway behind real proxies, by the examples that are under `deploy/`."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any, Final

import httpx2
import pytest
from tests.support.gateway import WAIT_LIMIT, GatewayProcess
from tests.support.guide import free_port
from tests.support.held import Held
from tests.support.machine import CADDY, HAPROXY, NGINX, Need
from tests.support.proxies import Proxy
from tests.support.scripted import command
from tests.support.talk import CONTENT, HELLO, META, Talk, rpc
from tests.support.watching import ERAS, watching

pytestmark = pytest.mark.anyio

NEEDS: Final[dict[str, Need]] = {"nginx": NGINX, "caddy": CADDY, "haproxy": HAPROXY}
ONE_GATEWAY: Final = {"    server b 127.0.0.1:3051\n": ""}
SECONDS: Final = "17s"
"""A proxy's patience in the test of it: less than two keep-alive comments, more than one."""
IMPATIENT: Final = {
    "nginx": {"proxy_read_timeout 60s": f"proxy_read_timeout {SECONDS}"},
    "caddy": {"read_timeout 60s": f"read_timeout {SECONDS}"},
    "haproxy": {
        "timeout client 60s": f"timeout client {SECONDS}",
        "timeout server 60s": f"timeout server {SECONDS}",
    },
}
NAME: Final = "mcp.example.com"
each_proxy = pytest.mark.parametrize(
    "kind", [pytest.param(kind, marks=need.mark) for kind, need in NEEDS.items()]
)


class Behind:
    """A gateway, and what was put in front of it."""

    def __init__(self, folder: Path, *flags: str) -> None:
        self.held = Held(folder / "held")
        self.port = free_port()
        folder = folder / "gateway"
        folder.mkdir()
        servers = {"a": self.held.entry(), "g": {"command": command("--mode", "grow")}}
        options = ("--external-url", f"http://{NAME}", "--async-batch-delay", "10", *flags)
        self.process = GatewayProcess({"mcpServers": servers}, *options, folder=folder, port=self.port)

    @property
    def local(self) -> str:
        """The endpoint without a proxy."""
        return f"http://127.0.0.1:{self.port}/mcp"

    async def initialized(self, http: httpx2.AsyncClient, url: str) -> Talk:
        """A session, by this URL."""
        talk = Talk(url, http)
        assert (await talk.initialize()).status_code == 200
        return talk


@asynccontextmanager
async def running(folder: Path, *flags: str) -> AsyncIterator[Behind]:
    gateway = Behind(folder, *flags)
    async with gateway.process:
        await asyncio.to_thread(gateway.process.wait_settled)
        try:
            yield gateway
        finally:
            gateway.held.release()


@contextmanager
def before(kind: str, folder: Path, port: int, **changes: str) -> Iterator[Proxy]:
    """A proxy in front of the gateway on this port."""
    more = {**changes, **(ONE_GATEWAY if kind == "haproxy" else {})}
    start: Callable[..., Proxy] = getattr(Proxy, kind)
    with start(folder / kind, {"127.0.0.1:3050": f"127.0.0.1:{port}", **more}) as proxy:
        yield proxy


@asynccontextmanager
async def proxied(kind: str, folder: Path, *flags: str) -> AsyncIterator[tuple[Behind, Proxy]]:
    async with running(folder, *flags) as gateway:
        with before(kind, folder, gateway.port) as proxy:
            yield gateway, proxy


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(WAIT_LIMIT):
        while not condition():
            await asyncio.sleep(0.01)


@each_proxy
@pytest.mark.parametrize("era", ERAS)
async def test_calls_progress_and_notices_come_through(tmp_path: Path, kind: str, era: str) -> None:
    async with proxied(kind, tmp_path) as (gateway, proxy), watching(proxy.url, era) as watcher:
        shown: list[float] = []

        async def note(progress: float, total: float | None, message: str | None) -> None:
            shown.append(progress)

        call = asyncio.create_task(watcher.client.call_tool("a_1mcp_hold", {}, progress_callback=note))
        await until(lambda: shown == [1])  # it is there while the call still runs
        gateway.held.release()
        assert "held 1" in str((await call).content)
        assert shown == [1, 2]
        before_growing = await watcher.tools()
        await watcher.client.call_tool("g_1mcp_grow", {})
        await watcher.told("tools")
        await watcher.sees(*before_growing, "g_1mcp_grown_2")


@each_proxy
async def test_clients_use_the_external_name_and_no_other(tmp_path: Path, kind: str) -> None:
    async with (
        proxied(kind, tmp_path) as (gateway, proxy),
        httpx2.AsyncClient(timeout=WAIT_LIMIT) as http,
    ):
        talk = Talk(proxy.url, http)
        assert (await talk.post(HELLO, host=NAME)).status_code == 200
        assert (await talk.post(HELLO, host=NAME, origin=f"https://{NAME}")).status_code == 200
        for headers in (
            {"host": "evil.example"},
            {"host": "evil.example", "x_forwarded_host": NAME},
            {"host": "evil.example", "forwarded": f"host={NAME}"},
            {"host": NAME, "origin": "https://evil.example"},
        ):
            refused = await talk.post(HELLO, **headers)
            assert refused.status_code == 403, headers
        assert gateway.process.url == f"http://{NAME}/mcp"
        status = json.loads((await asyncio.to_thread(gateway.process.command, "status", "--json")).stdout)
        assert status["endpoint"] == f"http://{NAME}/mcp"
        connect = await asyncio.to_thread(gateway.process.command, "connect", "codex")
        assert f'url = "http://{NAME}/mcp"' in connect.stdout


@each_proxy
async def test_a_client_cannot_say_that_it_is_another(tmp_path: Path, kind: str) -> None:
    async with (
        proxied(kind, tmp_path, "--trust-proxy", "127.0.0.1", "--log-level", "debug") as (gateway, proxy),
        httpx2.AsyncClient(
            timeout=WAIT_LIMIT, transport=httpx2.AsyncHTTPTransport(local_address="127.0.0.2")
        ) as http,
    ):
        spoofed = {"x_forwarded_for": "6.6.6.6", "forwarded": "for=6.6.6.6", "x_real_ip": "6.6.6.6"}
        for url in (proxy.url, gateway.local):
            assert (await Talk(url, http).post(HELLO, **spoofed)).status_code == 200
        await until(lambda: gateway.process.transcript().count("answered 127.0.0.2 in") == 2)
        assert "6.6.6.6" not in gateway.process.transcript()


async def test_silence_that_is_longer_than_a_proxys_patience_ends_no_stream(tmp_path: Path) -> None:
    kinds = [kind for kind, need in NEEDS.items() if need.is_there()]
    if not kinds:
        pytest.skip("this machine lacks all proxies")
    async with AsyncExitStack() as stack:
        gateway = await stack.enter_async_context(running(tmp_path))
        http = await stack.enter_async_context(httpx2.AsyncClient(timeout=60))
        urls = [
            stack.enter_context(before(kind, tmp_path, gateway.port, **IMPATIENT[kind])).url for kind in kinds
        ]
        async with asyncio.TaskGroup() as calls:
            answers, waits = [], []
            for url in urls:
                session = await gateway.initialized(http, url)
                answers.append(calls.create_task(session.call("a_1mcp_hold")))
                waits += [two_comments(session, "GET"), two_comments(session, "POST")]
            await asyncio.gather(*waits)
            gateway.held.release()
        for answer in answers:
            assert "held" in answer.result().text


async def two_comments(session: Talk, method: str) -> None:
    """Listen with nothing to hear, until the stream has been kept alive twice after it began."""
    listen = rpc("subscriptions/listen", notifications={"toolsListChanged": True}, _meta=META)
    headers = {"mcp-protocol-version": "2026-07-28", "mcp-method": "subscriptions/listen"}
    given: dict[str, Any] = (
        {"headers": {**session.session, "accept": "text/event-stream"}}
        if method == "GET"
        else {"headers": {**CONTENT, **headers}, "json": listen}
    )
    async with session.http.stream(method, session.url, **given) as stream:
        assert stream.status_code == 200
        comments = 0
        async with asyncio.timeout(50):
            async for line in stream.aiter_lines():
                comments += line.startswith(":")
                if comments == 2:
                    return
    raise AssertionError(f"{session.url}: the stream ended after {comments} comments")
