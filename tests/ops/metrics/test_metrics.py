"""What is read off a gateway, and how it is written."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final

import pytest
from msgspec import Raw
from tests.support.channels import IDENTITY, Failure, Upstreams, handshake, spec, until
from tests.support.metrics import Scrape

from onemcp.core.access import View
from onemcp.core.events import ConfigReloaded, Events
from onemcp.core.spec import RestartPolicy, UpstreamSpec
from onemcp.errors import Reason, RpcError, UpstreamError
from onemcp.gateway.context import CallContext
from onemcp.gateway.dispatch import Dispatcher
from onemcp.gateway.meter import Meter
from onemcp.gateway.runtime import Options, Runtime
from onemcp.ops.health.probes import Probes, Saying
from onemcp.ops.health.readiness import Readiness
from onemcp.ops.metrics.lag import LoopLag
from onemcp.ops.metrics.metric import METRICS, PROCESS, Kind
from onemcp.ops.metrics.metrics import Metrics
from onemcp.store.memory import MemoryStore
from onemcp.wire.envelope import Envelope, encode
from onemcp.wire.revisions import Era

pytestmark = pytest.mark.anyio

FAST: Final = RestartPolicy(first_delay=0.001, max_delay=0.002)
DURATION: Final = "mcp_server_operation_duration_seconds"


@dataclass
class Measured:
    """A runtime whose metrics are read."""

    runtime: Runtime
    metrics: Metrics
    upstreams: Upstreams

    async def scrape(self, *, openmetrics: bool = False) -> Scrape:
        return Scrape((await self.metrics.text(openmetrics=openmetrics)).decode(), openmetrics=openmetrics)

    async def call(self, name: str, method: str = "tools/call") -> None:
        """One request, whatever becomes of it."""
        context = CallContext(Era.HANDSHAKE, "2025-11-25", View())
        context.task = asyncio.current_task()
        envelope = Envelope("2.0", Raw(b"1"), method, Raw(encode({"name": name})))
        try:
            await Dispatcher(self.runtime).dispatch(context, envelope)
        except RpcError:
            return


@asynccontextmanager
async def measured(upstreams: Upstreams, *specs: UpstreamSpec) -> AsyncIterator[Measured]:
    events = Events()
    options = Options(async_loading=True, batch_delay=0.0, call_wait=0.05)
    async with Runtime(options, upstreams.open, IDENTITY, events=events) as runtime:
        with LoopLag() as lag:
            runtime.meter = Meter()
            metrics = Metrics(runtime, MemoryStore(), lag, runtime.meter)
            metrics.probes = Probes(runtime, Readiness(loaded=True), Saying("0"))
            metrics.listen(events)
            await runtime.apply(specs or [spec(name, restart=FAST) for name in upstreams.scripts])
            await runtime.settled()
            yield Measured(runtime, metrics, upstreams)


def kept_waiting(_: object) -> asyncio.Future[object]:
    return asyncio.get_running_loop().create_future()


@pytest.mark.parametrize("openmetrics", [False, True])
async def test_both_formats_have_every_metric_with_its_type_and_its_labels(*, openmetrics: bool) -> None:
    async with measured(Upstreams(a=handshake("echo"))) as it:
        await it.call("a_1mcp_echo")
        scrape = await it.scrape(openmetrics=openmetrics)
    types = {
        metric.name.removesuffix("_total") if metric.kind is Kind.COUNTER else metric.name: metric.kind.value
        for metric in (*METRICS, *PROCESS)
    }
    assert scrape.types == types
    for metric in (*METRICS, *PROCESS):
        assert scrape.labels_of(metric.name) == {frozenset(metric.labels)}, metric.name


async def test_each_call_is_counted_by_upstream_method_and_outcome() -> None:
    tools = ("fine", "bad", "refuses", "dies", "slow")
    answers = {
        "fine": {"content": []},
        "bad": {"content": [], "isError": True},
        "refuses": Failure(-32000),
        "dies": UpstreamError("a", Reason.EXITED, "exited"),
        "slow": UpstreamError("a", Reason.TIMEOUT, "did not answer"),
    }
    script = handshake(*tools, **{"tools/call": lambda request: answers[request.name]})
    async with measured(Upstreams(a=script)) as it:
        for tool in tools:
            await it.call(f"a_1mcp_{tool}")
        await it.call("nobody_1mcp_knows")
        await it.call("", "tools/list")
        await it.call("", "made/up")
        scrape = await it.scrape()
    found = {
        (each.labels["upstream"], each.labels["method"], each.labels["outcome"]): each.value
        for each in scrape.of("onemcp_calls_total")
    }
    expected = {
        "fine": "ok",
        "bad": "tool_error",
        "refuses": "error",
        "dies": "unavailable",
        "slow": "timeout",
    }
    assert found == {
        **{("a", "tools/call", outcome): 1.0 for outcome in expected.values()},
        ("", "tools/call", "refused"): 1.0,
        ("", "tools/list", "ok"): 1.0,
        ("", "_other", "refused"): 1.0,
    }
    assert scrape.value(f"{DURATION}_count") == sum(found.values())
    assert scrape.value(f"{DURATION}_count", error_type="", upstream="a") == 1
    assert scrape.value(f"{DURATION}_bucket", le="+Inf") == sum(found.values())


async def test_a_call_that_its_client_gives_up_is_cancelled_and_in_flight_until_then() -> None:
    async with measured(Upstreams(a=handshake("echo", **{"tools/call": kept_waiting}))) as it:
        call = asyncio.create_task(it.call("a_1mcp_echo"))
        await until(lambda: len(it.runtime.backchannel) == 1)
        assert (await it.scrape()).value("onemcp_calls_in_flight", upstream="a") == 1
        call.cancel()
        await asyncio.wait([call])
        scrape = await it.scrape()
    assert scrape.value("onemcp_calls_total", outcome="cancelled", upstream="a") == 1


async def test_a_call_that_waits_for_its_upstream_is_seen_waiting() -> None:
    slow = handshake("echo", initialize=kept_waiting)
    async with measured(
        Upstreams(b=handshake("echo"), a=slow), spec("b"), spec("a", connection_timeout=0.01)
    ) as it:
        call = asyncio.create_task(it.call("a_1mcp_echo"))
        supervisor = it.runtime.pool.get("a")
        assert supervisor is not None
        await until(lambda: supervisor.waiting == 1)
        scrape = await it.scrape()
        await call
    assert scrape.value("onemcp_calls_waiting", upstream="a") == 1
    assert scrape.value("onemcp_calls_waiting", upstream="b") == 0


async def test_an_upstream_is_in_one_state_and_only_a_ready_one_is_up() -> None:
    refused = UpstreamError("b", Reason.UNFIT, "no such command", ran=False)
    async with measured(Upstreams(a=handshake("echo"), b=refused)) as it:
        scrape = await it.scrape()
    states = {
        (each.labels["upstream"], each.labels["state"])
        for each in scrape.of("onemcp_upstream_state")
        if each.value
    }
    assert states == {("a", "ready"), ("b", "failed")}
    assert [scrape.value("onemcp_upstream_up", upstream=name) for name in "ab"] == [1, 0]
    assert scrape.value("onemcp_health_status", status="unhealthy") == 1
    assert scrape.value("onemcp_ready") == 1
    assert scrape.value("onemcp_catalog_entries", upstream="a", kind="tools") == 1


async def test_each_attempt_to_connect_again_is_a_restart() -> None:
    async with measured(Upstreams(a=handshake("echo"))) as it:
        assert (await it.scrape()).value("onemcp_upstream_restarts_total", upstream="a") == 0
        it.upstreams.last("a").die()
        await until(lambda: len(it.upstreams.channels["a"]) == 2)
        await it.runtime.settled()
        assert (await it.scrape()).value("onemcp_upstream_restarts_total", upstream="a") == 1


async def test_changes_are_counted_before_and_after_they_are_gathered() -> None:
    async with measured(Upstreams(a=handshake("echo"), b=handshake("echo"))) as it:
        await until(lambda: it.runtime.notifier.sent >= 1)
        scrape = await it.scrape()
    assert scrape.value("onemcp_changes_total") >= scrape.value("onemcp_notices_total") >= 1


async def test_reloads_are_counted_and_the_last_good_one_is_dated() -> None:
    async with measured(Upstreams(a=handshake("echo"))) as it:
        first = (await it.scrape()).value("onemcp_config_last_success_timestamp_seconds")
        it.runtime.events.emit(ConfigReloaded("mcp.json", "no JSON"))
        failed = await it.scrape()
        it.runtime.events.emit(ConfigReloaded("mcp.json"))
        reloaded = await it.scrape()
    assert failed.value("onemcp_config_reloads_total", outcome="failed") == 1
    assert failed.value("onemcp_config_last_success_timestamp_seconds") == first
    assert reloaded.value("onemcp_config_reloads_total", outcome="ok") == 1
    assert reloaded.value("onemcp_config_last_success_timestamp_seconds") > first


async def test_an_upstream_that_was_taken_out_is_not_spoken_of() -> None:
    async with measured(Upstreams(a=handshake("echo"), b=handshake("echo"))) as it:
        await it.call("a_1mcp_echo")
        await it.call("b_1mcp_echo")
        await it.runtime.apply([spec("b", restart=FAST)])
        scrape = await it.scrape()
    assert {each.labels["upstream"] for each in scrape.samples if each.labels.get("upstream")} == {"b"}


async def test_clients_cannot_make_the_number_of_series_grow() -> None:
    async with measured(Upstreams(a=handshake("echo"))) as it:
        await it.call("x")
        await it.call("", "x/y")
        before = (await it.scrape()).series
        for number in range(50):
            await it.call(f"a_1mcp_{number}")
            await it.call("", f"x/{number}")
        assert (await it.scrape()).series == before


async def test_scrapes_that_wait_for_the_same_text_share_it_and_none_gets_an_old_one() -> None:
    async with measured(Upstreams(a=handshake("echo"))) as it:
        texts = await asyncio.gather(*(it.metrics.text() for _ in range(20)))
        assert len({id(text) for text in texts}) <= 2
        await it.call("a_1mcp_echo")
        assert (await it.scrape()).value("onemcp_calls_total") == 1


async def test_what_was_read_does_not_change_any_more() -> None:
    async with measured(Upstreams(a=handshake("echo"))) as it:
        await it.call("a_1mcp_echo")
        readings = it.metrics.read()
        (duration,) = [each.value for each in readings if each.metric.name == DURATION]
        await it.call("a_1mcp_echo")
    assert not isinstance(duration, int | float)
    assert duration.count == 1
