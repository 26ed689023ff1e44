"""Metrics of a real gateway: what a client does and what happens to servers is what a scrape says, and nothing else."""

import asyncio
import json
import os
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import httpx2
import pytest
from mcp import Client
from tests.support.gateway import WAIT_LIMIT, GatewayProcess
from tests.support.guide import free_port
from tests.support.metrics import Scrape, scrape
from tests.support.scripted import command
from tests.support.watching import ERAS

from onemcp.ops.metrics.metric import METRICS, PROCESS

pytestmark = pytest.mark.anyio

CALLERS: Final = 8
CALLS: Final = 60
"""Of each caller."""
SCRAPES: Final = 25

SERVERS: Final[dict[str, Any]] = {
    "good": {"command": command("--name", "good")},
    "dies": {"command": command("--name", "dies", "--mode", "die-call")},
    "missing": {"command": "no-such-program"},
    "off": {"command": command(), "disabled": True},
}


async def until(base: str, condition: Callable[[Scrape], bool]) -> Scrape:
    """The first scrape that a condition holds for; bounded."""
    deadline = time.monotonic() + WAIT_LIMIT
    while time.monotonic() < deadline:
        found = await asyncio.to_thread(scrape, base)
        if condition(found):
            return found
        await asyncio.sleep(0.02)
    raise AssertionError(found.samples)


async def status_of(url: str) -> int:
    async with httpx2.AsyncClient(timeout=WAIT_LIMIT) as client:
        return (await client.get(url)).status_code


@pytest.mark.parametrize("era", ERAS)
async def test_what_clients_do_is_what_a_scrape_counts(tmp_path: Path, era: str) -> None:
    async with GatewayProcess({"mcpServers": SERVERS}, folder=tmp_path) as gateway:
        await asyncio.to_thread(gateway.wait_settled)
        async with Client(gateway.url, mode=era) as client:
            for _ in range(3):
                await client.call_tool("good_1mcp_echo", {})
            with pytest.raises(Exception, match="exited"):
                await client.call_tool("dies_1mcp_echo", {})
            for number in range(5):
                with pytest.raises(Exception, match="Unknown tool"):
                    await client.call_tool(f"invented_{number}", {})
            found = await until(gateway.base, lambda it: it.value("onemcp_upstream_restarts_total") >= 1)
    calls = {
        (each.labels["upstream"], each.labels["outcome"]): each.value
        for each in found.of("onemcp_calls_total")
        if each.labels["method"] == "tools/call"
    }
    assert calls == {("good", "ok"): 3, ("dies", "unavailable"): 1, ("", "refused"): 5}
    assert found.value("mcp_server_operation_duration_seconds_count", upstream="good", error_type="") == 3
    assert found.value("onemcp_sessions") == (1 if era == "legacy" else 0)
    assert found.value("onemcp_calls_in_flight") == 0


async def test_states_are_the_same_in_metrics_health_and_status(tmp_path: Path) -> None:
    async with GatewayProcess({"mcpServers": SERVERS}, folder=tmp_path) as gateway:
        await asyncio.to_thread(gateway.wait_settled)
        found = await asyncio.to_thread(scrape, gateway.base)
        told = json.loads((await asyncio.to_thread(gateway.command, "status", "--json")).stdout)
        async with httpx2.AsyncClient(base_url=gateway.base) as client:
            health = (await client.get("/health")).json()
    states = {
        each.labels["upstream"]: each.labels["state"]
        for each in found.of("onemcp_upstream_state")
        if each.value
    }
    assert states == {server["name"]: server["state"] for server in told["servers"]}
    assert states == {"good": "ready", "dies": "ready", "missing": "failed", "off": "disabled"}
    assert found.value("onemcp_upstream_up") == health["servers"]["healthy"]
    assert found.value("onemcp_health_status", status=health["status"]) == 1


@pytest.mark.parametrize("openmetrics", [False, True])
async def test_everything_that_is_said_is_in_the_table(tmp_path: Path, *, openmetrics: bool) -> None:
    async with GatewayProcess({"mcpServers": SERVERS}, folder=tmp_path) as gateway:
        await asyncio.to_thread(gateway.wait_settled)
        async with Client(gateway.url, mode="legacy") as client:
            await client.call_tool("good_1mcp_echo", {})
        found = await asyncio.to_thread(scrape, gateway.base, openmetrics=openmetrics)
    for metric in (*METRICS, *PROCESS):
        assert found.labels_of(metric.name) == {frozenset(metric.labels)}, metric.name
    table = {metric.name.removesuffix("_total") for metric in (*METRICS, *PROCESS)}
    assert {name.removesuffix("_total") for name in found.types} == table


async def test_a_scrape_under_load_loses_no_call_and_delays_none_for_long(tmp_path: Path) -> None:
    config = {"mcpServers": {"good": SERVERS["good"]}}
    async with GatewayProcess(config, folder=tmp_path) as gateway:
        await asyncio.to_thread(gateway.wait_settled)
        done = asyncio.Event()

        async def scrapes() -> list[float]:
            seen: list[float] = []
            while not done.is_set() or len(seen) < SCRAPES:
                found = await asyncio.to_thread(scrape, gateway.base)
                seen.append(found.value("onemcp_calls_total", upstream="good", outcome="ok"))
            return seen

        async def calls(number: int) -> None:
            async with Client(gateway.url, mode=ERAS[number % 2]) as client:
                for turn in range(CALLS):
                    answer = await client.call_tool("good_1mcp_echo", {"turn": turn, "caller": number})
                    assert answer.structured_content is not None
                    assert answer.structured_content["arguments"] == {"turn": turn, "caller": number}

        async with asyncio.timeout(4 * WAIT_LIMIT), asyncio.TaskGroup() as tasks:
            scraping = tasks.create_task(scrapes())
            async with asyncio.TaskGroup() as callers:
                for number in range(CALLERS):
                    callers.create_task(calls(number))
            done.set()
        counts = scraping.result()
        last = await asyncio.to_thread(scrape, gateway.base)
    assert counts == sorted(counts)
    total = last.value("onemcp_calls_total", upstream="good", method="tools/call", outcome="ok")
    assert total == CALLERS * CALLS
    assert last.value("onemcp_calls_total", upstream="good") == total
    assert last.value("onemcp_event_loop_lag_max_seconds") < 5


async def test_a_server_that_is_killed_is_down_restarted_and_up_again(tmp_path: Path) -> None:
    async with GatewayProcess({"mcpServers": {"good": SERVERS["good"]}}, folder=tmp_path) as gateway:
        await asyncio.to_thread(gateway.wait_settled)
        async with Client(gateway.url, mode="legacy") as client:
            answer = await client.call_tool("good_1mcp_echo", {})
            assert answer.structured_content is not None
            os.kill(answer.structured_content["pid"], signal.SIGKILL)
            await until(gateway.base, lambda it: it.value("onemcp_upstream_up", upstream="good") == 0)
            found = await until(gateway.base, lambda it: it.value("onemcp_upstream_up", upstream="good") == 1)
    assert found.value("onemcp_upstream_restarts_total", upstream="good") >= 1
    assert found.value("onemcp_health_status", status="healthy") == 1


async def test_reloads_are_counted_good_and_bad(tmp_path: Path) -> None:
    async with GatewayProcess({"mcpServers": {"good": SERVERS["good"]}}, folder=tmp_path) as gateway:
        await asyncio.to_thread(gateway.wait_settled)
        good = gateway.config_file.read_text()
        gateway.config_file.write_text("{ this is no JSON")
        gateway.signal(signal.SIGHUP)
        failed = await until(
            gateway.base, lambda it: it.value("onemcp_config_reloads_total", outcome="failed") == 1
        )
        gateway.config_file.write_text(good)
        gateway.signal(signal.SIGHUP)
        loaded = await until(
            gateway.base, lambda it: it.value("onemcp_config_reloads_total", outcome="ok") == 1
        )
    name = "onemcp_config_last_success_timestamp_seconds"
    assert loaded.value(name) > failed.value(name)


async def test_with_a_port_of_their_own_they_are_there_and_nowhere_else(tmp_path: Path) -> None:
    port = free_port()
    async with GatewayProcess({"mcpServers": {}}, "--metrics-port", str(port), folder=tmp_path) as gateway:
        own = f"http://127.0.0.1:{port}"
        assert (await asyncio.to_thread(scrape, own)).value("onemcp_build_info") == 1
        assert await status_of(f"{own}/mcp") == 404
        assert await status_of(f"{gateway.base}/metrics") == 404


async def test_switched_off_there_are_none(tmp_path: Path) -> None:
    async with GatewayProcess({"mcpServers": {}}, "--no-metrics", folder=tmp_path) as gateway:
        assert await status_of(f"{gateway.base}/metrics") == 404


def test_a_port_that_is_taken_is_an_error_that_says_which_option_to_change(tmp_path: Path) -> None:
    for name in ("first", "second"):
        (tmp_path / name).mkdir()
    with GatewayProcess({"mcpServers": {}}, folder=tmp_path / "first") as gateway:
        second = GatewayProcess(
            {"mcpServers": {}}, "--metrics-port", str(gateway.port), folder=tmp_path / "second"
        )
        with pytest.raises(AssertionError, match="--metrics-port"):
            second.start()
