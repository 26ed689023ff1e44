"""`/metrics` over HTTP: who may ask, how, and where."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx2
import pytest
from tests.support.channels import IDENTITY, Upstreams
from tests.support.metrics import Scrape

from onemcp.gateway.meter import Meter
from onemcp.gateway.runtime import Options, Runtime
from onemcp.ops.metrics.lag import LoopLag
from onemcp.ops.metrics.metrics import Metrics
from onemcp.store.memory import MemoryStore
from onemcp.web.guard import Guard
from onemcp.web.http.server import bind, serving
from onemcp.web.metrics import MetricsApp, MetricsPage

pytestmark = pytest.mark.anyio


@asynccontextmanager
async def page(*, is_on: bool = True) -> AsyncIterator[httpx2.AsyncClient]:
    """A client of a port that has nothing but metrics."""
    async with Runtime(Options(), Upstreams().open, IDENTITY) as runtime:
        with LoopLag() as lag, bind("127.0.0.1", 0) as sock:
            metrics = Metrics(runtime, MemoryStore(), lag, Meter())
            metrics.switch(is_on=is_on)
            app = MetricsApp(MetricsPage(metrics, Guard(["gw.example"], [])))
            base = f"http://127.0.0.1:{sock.getsockname()[1]}"
            async with serving(app, sock, 1000), httpx2.AsyncClient(base_url=base, timeout=10) as client:
                yield client


async def test_it_is_prometheus_s_own_format_unless_openmetrics_is_asked_for() -> None:
    async with page() as client:
        plain = await client.get("/metrics")
        wanted = await client.get(
            "/metrics",
            headers={"accept": "application/openmetrics-text;version=1.0.0;q=0.9,text/plain;q=0.5"},
        )
    assert plain.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    assert Scrape(plain.text).value("onemcp_build_info") == 1
    assert wanted.headers["content-type"] == "application/openmetrics-text; version=1.0.0; charset=utf-8"
    assert wanted.text.endswith("# EOF\n")
    assert Scrape(wanted.text, openmetrics=True).value("onemcp_build_info") == 1


@pytest.mark.parametrize(
    ("accept", "is_open"),
    [
        ("Application/OpenMetrics-Text; Version=1.0.0", True),
        ("text/plain, application/openmetrics-text;q=0.001", True),
        ("application/openmetrics-text;version=1.0.0;q=0", False),
        ("application/openmetrics-text; Q=0.000, text/plain", False),
        ("text/plain;of=application/openmetrics-text", False),
        ("application/openmetrics-texts", False),
        (";,;q=,", False),
    ],
)
async def test_openmetrics_is_what_accept_says_in_whatever_case(accept: str, is_open: bool) -> None:
    async with page() as client:
        answer = await client.get("/metrics", headers={"accept": accept})
    assert answer.headers["content-type"].startswith("application/openmetrics-text;") is is_open


@pytest.mark.parametrize("host", ["10.0.0.5:3050", "10.0.0.5", "[fd00::1]:9090", "gw.example", "localhost:1"])
async def test_an_address_or_a_name_that_is_known_may_ask(host: str) -> None:
    async with page() as client:
        assert (await client.get("/metrics", headers={"host": host})).status_code == 200


@pytest.mark.parametrize("host", ["evil.example", "10.0.0.5.evil.example", "1.2.3.x", "", "1.2.3"])
async def test_a_name_that_may_have_been_rebound_may_not(host: str) -> None:
    async with page() as client:
        answer = await client.get("/metrics", headers={"host": host})
    assert answer.status_code == 403
    assert "--allowed-hosts" in answer.json()["error"]


@pytest.mark.parametrize("host", ["[::evil", "[evil]", "10.0.0.5:x"])
async def test_what_is_no_host_may_not(host: str) -> None:
    async with page() as client:
        assert (await client.get("/metrics", headers={"host": host})).status_code == 403


@pytest.mark.parametrize("host", ["10.0.0.5", "[fd00::1]:9090", "localhost"])
async def test_a_page_of_somebody_else_is_refused_whatever_the_host(host: str) -> None:
    async with page() as client:
        answer = await client.get("/metrics", headers={"host": host, "origin": "https://evil.example"})
    assert answer.status_code == 403
    assert "--allowed-origins" in answer.json()["error"]
    assert "access-control-allow-origin" not in answer.headers


@pytest.mark.parametrize("name", ["Host", "Origin"])
async def test_two_of_a_header_that_decides_are_refused(name: str) -> None:
    async with page() as client:
        reader, writer = await asyncio.open_connection("127.0.0.1", client.base_url.port)
        twice = f"{name}: localhost\r\n{name}: evil.example\r\n"
        writer.write(f"GET /metrics HTTP/1.1\r\nConnection: close\r\n{twice}\r\n".encode())
        async with asyncio.timeout(10):
            answer = await reader.read()
        writer.close()
        await writer.wait_closed()
    assert answer.startswith(b"HTTP/1.1 400 ")
    assert f"more than one {name.lower()} header".encode() in answer


async def test_only_get_and_head_are_answered_and_nothing_may_keep_the_answer() -> None:
    async with page() as client:
        assert (await client.post("/metrics")).status_code == 405
        head = await client.head("/metrics")
        assert (head.status_code, head.headers["cache-control"]) == (200, "no-store")


async def test_there_is_nothing_else_on_the_port() -> None:
    async with page() as client:
        assert (await client.get("/mcp")).status_code == 404
        assert (await client.get("/health")).json()["metrics"] == "/metrics"


async def test_switched_off_there_are_none_and_that_is_said() -> None:
    async with page(is_on=False) as client:
        answer = await client.get("/metrics")
        assert answer.status_code == 404
        assert "features.metrics" in answer.json()["error"]
        assert (await client.get("/metrics", headers={"host": "evil.example"})).status_code == 403
