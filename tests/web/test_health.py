"""The pages under /health on a real port: statuses, headers, and who may ask."""

import pytest
from tests.support.channels import Upstreams, handshake, until
from tests.support.channels import spec as plain_spec
from tests.web.conftest import Serve
from tests.web.test_app import raw_status

from onemcp.core.lifecycle import State
from onemcp.core.spec import RestartPolicy
from onemcp.errors import Reason, UpstreamError
from onemcp.ops.health.probes import Level, Saying

pytestmark = pytest.mark.anyio

PAGES = ("/health", "/health/live", "/health/ready", "/health/mcp", "/health/mcp/a")
FRESH = "no-cache, no-store, must-revalidate"


async def test_health_has_the_headers_of_1mcp(edge: Serve) -> None:
    async with edge(Upstreams(a=handshake())) as it:
        answer = await it.client.get("/health")
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["cache-control"] == FRESH
    assert answer.headers["x-health-status"] == "healthy"
    assert answer.headers["x-service-version"] == answer.json()["version"]
    assert answer.headers["x-uptime-seconds"] == str(answer.json()["system"]["uptime"])


async def test_loading_has_the_headers_of_1mcp(edge: Serve) -> None:
    gone = UpstreamError("b", Reason.UNFIT, "was not found")
    async with edge(Upstreams(a=handshake(), b=gone)) as it:
        everything = await it.client.get("/health/mcp")
        one = await it.client.get("/health/mcp/b")
    assert everything.headers["x-loading-complete"] == "true"
    assert everything.headers["x-success-rate"] == "50.0"
    assert (one.status_code, one.headers["x-server-state"]) == (503, "failed")


@pytest.mark.parametrize("page", PAGES)
@pytest.mark.parametrize("host", ["10.1.2.3:3050", "[fd00::1]:3050", "pod.example"])
async def test_a_probe_may_come_with_any_host(edge: Serve, page: str, host: str) -> None:
    async with edge(Upstreams(a=handshake())) as it:
        strange = {"host": host}
        answer = await it.client.get(page, headers=strange)
        assert answer.status_code == 200
        assert answer.headers["cache-control"] == FRESH
        assert (await it.client.get("/mcp", headers=strange)).status_code == 403
        without = f"GET {page} HTTP/1.0\r\n\r\n"
        assert await raw_status(it.port, without) == 200


@pytest.mark.parametrize("page", PAGES)
async def test_a_page_of_somebody_else_and_what_is_no_host_are_refused(edge: Serve, page: str) -> None:
    async with edge(Upstreams(a=handshake())) as it:
        foreign = {"host": "10.1.2.3:3050", "origin": "https://elsewhere.example"}
        answer = await it.client.get(page, headers=foreign)
        assert answer.status_code == 403
        assert "access-control-allow-origin" not in answer.headers
        own = {"host": "10.1.2.3:3050", "origin": "https://app.example"}
        assert (await it.client.get(page, headers=own)).status_code == 200
        for head in ("Host: [::evil", "Host: a:x", "Host: a\r\nHost: b"):
            assert await raw_status(it.port, f"GET {page} HTTP/1.1\r\n{head}\r\n\r\n") == 400


@pytest.mark.parametrize("page", PAGES)
async def test_the_head_of_a_page_can_be_asked_for_and_nothing_else(edge: Serve, page: str) -> None:
    async with edge(Upstreams(a=handshake())) as it:
        head = await it.client.head(page)
        assert (head.status_code, head.content) == (200, b"")
        refused = await it.client.post(page)
        assert (refused.status_code, refused.headers["allow"]) == (405, "GET, HEAD")


@pytest.mark.parametrize(
    "path", ["/health/", "/health/x", "/health/mcp/", "/health/mcp/x", "/health/mcp/a/b"]
)
async def test_what_is_not_there_is_not_found(edge: Serve, path: str) -> None:
    async with edge(Upstreams(a=handshake())) as it:
        answer = await it.client.get(path)
        assert answer.status_code == 404
        assert "error" in answer.json()


async def test_a_server_is_found_by_any_name(edge: Serve) -> None:
    async with edge(Upstreams(**{"caf\u00e9 1": handshake()})) as it:
        answer = await it.client.get("/health/mcp/caf%C3%A9%201")
        assert answer.json()["name"] == "caf\u00e9 1"


async def test_a_drain_shows_at_once_in_health_and_readiness_and_not_in_liveness(edge: Serve) -> None:
    async with edge(Upstreams(a=handshake())) as it:
        it.readiness.draining = True
        statuses = [(await it.client.get(page)).status_code for page in PAGES]
    assert statuses == [503, 200, 503, 200, 200]


async def test_an_upstream_never_changes_liveness_and_readiness(edge: Serve) -> None:
    broken = UpstreamError("a", Reason.UNREACHABLE, "refused the connection", ran=False)
    never = plain_spec("a", restart=RestartPolicy(first_delay=600))
    async with edge(Upstreams(a=broken), specs=[never], settle=False) as it:
        supervisor = it.runtime.pool.get("a")
        assert supervisor is not None
        await until(lambda: supervisor.life.state is State.BACKOFF)
        statuses = [(await it.client.get(page)).status_code for page in PAGES]
    assert statuses == [503, 200, 200, 202, 202]


async def test_at_the_lowest_level_no_server_is_told(edge: Serve) -> None:
    async with edge(Upstreams(a=handshake()), saying=Saying("0.1.0", level=Level.MINIMAL)) as it:
        for page in PAGES[:4]:
            assert '"a"' not in (await it.client.get(page)).text
        assert (await it.client.get("/health/mcp/a")).status_code == 404
