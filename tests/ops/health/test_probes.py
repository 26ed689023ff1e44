"""What the probes say in every state of the gateway: golden documents, and rules that hold for all of them."""

import asyncio
import json
import re
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.channels import IDENTITY, Script, Upstreams, handshake, until
from tests.support.channels import spec as plain_spec
from tests.support.golden import compare

from onemcp.core.events import UpstreamChanged
from onemcp.core.lifecycle import State
from onemcp.core.spec import RestartPolicy, UpstreamSpec
from onemcp.core.timestamps import utc
from onemcp.errors import Problem, Reason, UpstreamError
from onemcp.gateway.runtime import Options, Runtime
from onemcp.ops.health.loading import Loading
from onemcp.ops.health.probes import Level, Probes, Saying
from onemcp.ops.health.readiness import Readiness
from onemcp.wire.envelope import encode

pytestmark = pytest.mark.anyio

GOLDEN: Final = Path(__file__).parent / "golden"
GUIDE: Final = Path(__file__).parents[2] / "docs" / "guide.md"
SECRETIVE: Final = (
    "POST http://ada:pw@10.0.0.7:80/mcp?key=1 with token=abc123 failed, see /var/log/tickets.log"
)
FAULT: Final = Problem("the variable TOKEN is not set", "set it", "/srv/mcp.json", 3, 5, "mcpServers.s.env")

READY: Final = handshake("a")
HANGS: Final = {"initialize": lambda _: asyncio.get_running_loop().create_future()}
BREAKS: Final = UpstreamError("s", Reason.UNREACHABLE, SECRETIVE, ran=False)
DENIES: Final = UpstreamError("s", Reason.UNAUTHORIZED, "answers 401 Unauthorized", ran=False)
UNFIT: Final = UpstreamError("s", Reason.UNFIT, 'command "no-such-program" was not found', ran=False)
EXPECTED: Final = {
    "ready": State.READY,
    "hangs": State.CONNECTING,
    "breaks": State.BACKOFF,
    "denies": State.AWAITING_AUTH,
    "unfit": State.FAILED,
    "faulty": State.FAILED,
    "off": State.DISABLED,
}
SCRIPTS: Final[dict[str, Script | Exception]] = {
    "ready": READY,
    "hangs": HANGS,
    "breaks": BREAKS,
    "denies": DENIES,
    "unfit": UNFIT,
}


def spec(name: str) -> UpstreamSpec:
    """The entry of a server: how it behaves, and maybe a number and `!` for one that is required."""
    kind = name.rstrip("0123456789!")
    found = plain_spec(name, tags=frozenset({"web", kind}), restart=RestartPolicy(first_delay=600))
    fault = FAULT if kind == "faulty" else None
    return replace(found, disabled=kind == "off", required=name.endswith("!"), fault=fault)


@dataclass(frozen=True)
class Case:
    """A gateway with these servers, and what else is known of it."""

    servers: tuple[str, ...] = ()
    readiness: Mapping[str, Any] = field(default_factory=dict)
    saying: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Gateway:
    runtime: Runtime
    upstreams: Upstreams
    readiness: Readiness
    probes: Probes
    loading: Loading


@asynccontextmanager
async def gateway(case: Case) -> AsyncIterator[Gateway]:
    """The gateway, every server in the state that it is to be in."""
    kinds = {name: name.rstrip("0123456789!") for name in case.servers}
    scripts = {name: SCRIPTS.get(kind, READY) for name, kind in kinds.items()}
    upstreams = Upstreams(**scripts)
    readiness = Readiness(**{"loaded": True, **case.readiness})
    saying = Saying("0.1.0", **case.saying)
    async with Runtime(Options(async_loading=True, batch_delay=0.0), upstreams.open, IDENTITY) as runtime:
        await runtime.apply([spec(name) for name in case.servers])
        await until(lambda: all(s.life.state is EXPECTED[kinds[s.spec.name]] for s in runtime.pool))
        probes, loading = Probes(runtime, readiness, saying), Loading(runtime, saying, 0.0)
        yield Gateway(runtime, upstreams, readiness, probes, loading)
        runtime.notifier.close()


HALF: Final = ("ready", "breaks")
CASES: Final = {
    "healthy": Case(("ready", "ready2")),
    "healthy-beside-one-switched-off": Case(("ready", "off")),
    "degraded-restarting": Case(("ready", "ready2", "breaks")),
    "degraded-awaiting-oauth": Case(("ready", "ready2", "denies")),
    "degraded-failed": Case(("ready", "ready2", "ready3", "unfit", "faulty")),
    "degraded-starting": Case(("ready", "hangs", "unfit")),
    "degraded-none-enabled": Case(("off",)),
    "degraded-none-configured": Case(),
    "degraded-by-choice": Case(HALF, saying={"unhealthy_below": 0.4}),
    "unhealthy-half": Case(HALF),
    "unhealthy-required": Case(("ready", "ready2", "ready3", "denies!")),
    "degraded-required-starting": Case(("ready", "hangs!")),
    "unhealthy-draining": Case(("ready",), {"draining": True}),
    "unhealthy-not-loaded": Case((), {"loaded": False}),
    "healthy-after-a-failed-reload": Case(("ready",), {"reload_error": "/srv/mcp.json:2:3: not JSON"}),
    "minimal": Case(HALF, saying={"level": Level.MINIMAL}),
    "full": Case(
        (*HALF, "faulty"),
        {"reload_error": "/srv/mcp.json:2:3: token=abc is no key"},
        {"level": Level.FULL, "auth_enabled": True, "transport": "stdio"},
    ),
    "store-away": Case(("ready",), {"store_error": "/srv/state/store.db: disk I/O error"}),
    "waits-for-a-server": Case(("ready", "breaks"), saying={"ready_requires": ("ready", "breaks", "x")}),
}


def shown(answer: Any) -> dict[str, Any]:
    """An answer as a client has it, times and measures replaced."""
    text = encode(answer.document).decode()
    text = re.sub(r'"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z"', '"TIME"', text)
    text = re.sub(r'"(duration|startTime|endTime|averageLoadTime)":\d+', r'"\1":"N"', text)
    document: dict[str, Any] = json.loads(text)
    system = document.get("system", {})
    if system:
        assert type(system["uptime"]) is int
        assert all(type(value) is float for value in system["memory"].values())
        system.update(uptime="N", memory=dict.fromkeys(system["memory"], "N"))
    if "process" in system:
        assert system["process"]["pid"] > 0
        system["process"] = dict.fromkeys(system["process"], "X")
    return {"http": answer.http, **document}


@pytest.mark.parametrize("name", CASES)
async def test_every_state_has_its_documents(name: str) -> None:
    async with gateway(CASES[name]) as it:
        pages = {
            "/health": shown(it.probes.health()),
            "/health/ready": shown(it.probes.ready()),
            "/health/mcp": shown(it.loading.all()),
        }
    compare(GOLDEN / f"{name}.json", json.dumps(pages, indent=2) + "\n")


@pytest.mark.parametrize("name", CASES)
async def test_the_counts_add_up(name: str) -> None:
    async with gateway(CASES[name]) as it:
        document = shown(replace_level(it, Level.FULL).health())
    servers, configuration = document["servers"], document["configuration"]
    assert servers["healthy"] + servers["unhealthy"] == servers["total"] == len(servers["details"])
    assert servers["total"] == configuration["enabledCount"]
    counted = configuration["enabledCount"] + configuration["disabledCount"]
    assert configuration["serverCount"] == counted == len(CASES[name].servers)


def replace_level(it: Gateway, level: Level) -> Probes:
    """Probes of the same gateway that tell more."""
    return Probes(it.runtime, it.readiness, replace(it.probes.saying, level=level))


@pytest.mark.parametrize("name", sorted(CASES.keys() - {"full"}))
async def test_nothing_secret_is_told(name: str) -> None:
    async with gateway(CASES[name]) as it:
        answers = [it.probes.health(), it.probes.ready(), it.loading.all()]
        answers += [one for server in CASES[name].servers if (one := it.loading.one(server))]
        told = " ".join(encode(answer.document).decode() for answer in answers)
    for secret in ("abc123", "10.0.0.7", "ada", "/var", "/srv", "tickets.log", "mcp.json"):
        assert secret not in told


@pytest.mark.parametrize("name", CASES)
async def test_who_is_not_trusted_is_told_no_name_and_no_number(name: str) -> None:
    async with gateway(CASES[name]) as it:
        health, ready = it.probes.health(trusted=False), it.probes.ready(trusted=False)
        assert health.document.keys() <= {"status", "timestamp", "version", "draining"}
        assert ready.document.keys() == {"status", "timestamp"}
        assert "servers" not in it.loading.all(trusted=False).document
        for server in CASES[name].servers:
            assert it.loading.one(server, trusted=False) is None
        trusted = it.probes.health(), it.probes.ready()
    assert [a.http for a in (health, ready)] == [a.http for a in trusted]


async def test_the_highest_level_keeps_paths_and_hides_credentials() -> None:
    async with gateway(CASES["full"]) as it:
        told = encode(it.probes.health().document).decode()
    assert "/var/log/tickets.log" in told
    assert "/srv/mcp.json:3:5" in told
    assert "10.0.0.7" in told
    assert "abc123" not in told
    assert "ada:pw" not in told


async def test_what_is_told_follows_each_change() -> None:
    async with gateway(Case(("ready",))) as it:
        told: list[str] = []

        def note(event: UpstreamChanged) -> None:
            it.probes.note(event.upstream)
            told.append(details(it)[0]["status"])

        it.runtime.events.listen(UpstreamChanged, note)
        (before,) = details(it)
        assert "lastError" not in before
        it.upstreams.last("ready").die("exited with status 7")
        await until(lambda: details(it)[0]["status"] == "restarting")
        (away,) = details(it)
        assert (away["healthy"], away["lastError"]) == (False, "exited with status 7")
        assert away["lastConnected"] == before["lastConnected"]
        supervisor = it.runtime.pool.get("ready")
        assert supervisor is not None
        supervisor.retry()
        await until(lambda: details(it)[0]["status"] == "connected")
        (back,) = details(it)
        assert back["lastError"] == "exited with status 7"
        assert back["lastConnected"] > before["lastConnected"]
        assert told == ["restarting", "connecting", "connected"]


def details(it: Gateway) -> list[dict[str, Any]]:
    """The servers as they are told now."""
    found: list[dict[str, Any]] = json.loads(encode(it.probes.health().document))["servers"]["details"]
    return found


async def test_a_change_of_tags_or_of_what_is_required_is_told_without_a_restart() -> None:
    async with gateway(Case(("ready",))) as it:
        channel = it.upstreams.last("ready")
        await it.runtime.apply([replace(spec("ready"), tags=frozenset({"new"}), required=True)])
        assert details(it)[0]["tags"] == ["new"]
        assert it.probes.servers()[0].required
        assert it.upstreams.last("ready") is channel


async def test_a_server_that_is_gone_is_told_no_more() -> None:
    async with gateway(Case(("ready", "breaks"))) as it:
        assert len(details(it)) == 2
        await it.runtime.apply([spec("ready")])
        assert [server["name"] for server in details(it)] == ["ready"]
        assert it.loading.one("breaks") is None


LOADED: Final = {"ready": 200, "hangs": 202, "breaks": 202, "denies": 401, "unfit": 503, "faulty": 503}


@pytest.mark.parametrize(("name", "status"), LOADED.items())
async def test_one_server_is_told_by_its_status(name: str, status: int) -> None:
    async with gateway(Case((name,))) as it:
        one = it.loading.one(name)
        assert one is not None
        assert one.http == status
        assert it.loading.all().http == (202 if status == 202 else 200)
    compare(GOLDEN / f"one-{name}.json", json.dumps(shown(one), indent=2) + "\n")


async def test_a_server_that_is_switched_off_or_unknown_does_not_load() -> None:
    async with gateway(Case(("off",))) as it:
        assert it.loading.one("off") is None
        assert it.loading.one("other") is None


async def test_a_server_that_went_away_after_it_was_ready_does_not_load_again() -> None:
    async with gateway(Case(("ready",))) as it:
        it.upstreams.last("ready").die()
        await until(lambda: details(it)[0]["status"] == "restarting")
        one = it.loading.one("ready")
        assert one is not None
        assert (one.http, one.document["state"]) == (503, "failed")
        assert it.loading.all().http == 200


async def test_liveness_looks_at_nothing() -> None:
    async with gateway(CASES["unhealthy-not-loaded"]) as it:
        live = it.probes.live()
    assert (live.http, live.document["status"]) == (200, "alive")
    assert live.document.keys() == {"status", "timestamp"}


@given(st.integers(0, 4_000_000_000_000))
def test_moments_are_in_utc_with_milliseconds(milliseconds: int) -> None:
    text = utc(milliseconds / 1000)
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", text)


def test_a_moment_of_the_guide_is_written_as_there() -> None:
    assert utc(1_738_238_400) == "2025-01-30T12:00:00.000Z"
