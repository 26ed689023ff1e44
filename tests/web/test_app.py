"""Which path and which headers lead where, on a real port."""

import asyncio
from dataclasses import replace

import pytest
from tests.support.channels import Upstreams, handshake, until
from tests.web.conftest import ACCEPT, Serve, rpc

from onemcp.core.features import Features

pytestmark = pytest.mark.anyio


async def raw_status(port: int, head: str) -> int:
    """The status of the answer to a request that no client library would send."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(head.encode())
        async with asyncio.timeout(5):
            return int((await reader.readline()).split(b" ")[1])
    finally:
        writer.close()


@pytest.mark.parametrize("path", ["/servers/mcp", "/servers//mcp", "//mcp", "/mcp/", "/servers/%2e%2e/mcp"])
async def test_only_the_endpoint_and_the_servers_have_a_path(edge: Serve, path: str) -> None:
    async with edge(Upstreams(a=handshake())) as it:
        answer = await it.client.post(
            f"http://127.0.0.1:{it.port}{path}",
            json=rpc("initialize", protocolVersion="2025-11-25", capabilities={}),
        )
        assert answer.status_code == 404


async def test_without_routes_of_single_servers_all_but_the_endpoint_is_not_found(edge: Serve) -> None:
    async with edge(Upstreams(a=handshake("x")), features=Features(single_server_routes=False)) as it:
        one = await it.post(
            rpc("initialize", protocolVersion="2025-11-25", capabilities={}), "/servers/a/mcp"
        )
        stateless = await it.stateless("tools/list", path="/servers/a/mcp")
        for answer in (one, stateless):
            assert answer.status_code == 404
            assert "features.singleServerRoutes" in answer.json()["error"]["message"]
        session, _ = await it.initialize()
        assert len((await it.ask(session, "tools/list"))["result"]["tools"]) == 1


async def test_when_they_are_switched_off_their_streams_end_and_their_sessions_are_gone(edge: Serve) -> None:
    async with edge(Upstreams(a=handshake("x"))) as it:
        session, _ = await it.initialize(path="/servers/a/mcp")
        headers = {"accept": "text/event-stream", "mcp-session-id": session}
        async with asyncio.timeout(10), it.client.stream("GET", "/servers/a/mcp", headers=headers) as stream:
            assert stream.status_code == 200
            await until(lambda: len(it.runtime.notifier) == 1)
            it.runtime.adopt(replace(it.runtime.options, features=Features(single_server_routes=False)))
            async for _ in stream.aiter_lines():
                pass
        gone = await it.post(rpc("tools/list"), "/servers/a/mcp", mcp_session_id=session)
        assert gone.status_code == 404
        it.runtime.adopt(replace(it.runtime.options, features=Features()))
        again = await it.post(rpc("tools/list"), "/servers/a/mcp", mcp_session_id=session)
        assert len(again.json()["result"]["tools"]) == 1


async def test_a_server_is_found_by_any_name_in_percent_encoding(edge: Serve) -> None:
    async with edge(Upstreams(**{"caf\u00e9 1": handshake()})) as it:
        _, result = await it.initialize(path="/servers/caf%C3%A9%201/mcp")
        assert result["protocolVersion"] == "2025-11-25"


@pytest.mark.parametrize("name", ["Host", "Origin"])
async def test_a_header_that_is_judged_may_not_be_there_twice(edge: Serve, name: str) -> None:
    async with edge(Upstreams(a=handshake())) as it:
        value = "localhost" if name == "Host" else "https://app.example"
        head = f"GET /mcp HTTP/1.1\r\nHost: localhost\r\n{name}: {value}\r\n{name}: {value}\r\n\r\n"
        assert await raw_status(it.port, head) == 400


async def test_an_origin_that_is_no_url_is_refused(edge: Serve) -> None:
    async with edge(Upstreams(a=handshake())) as it:
        assert (
            await raw_status(it.port, "GET /mcp HTTP/1.1\r\nHost: localhost\r\nOrigin: http://[\r\n\r\n")
            == 403
        )


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"x-forwarded-host": "localhost"}, 200),
        ({"x-forwarded-host": "evil.example"}, 403),
        ({"forwarded": "for=1.1.1.1;host=evil.example"}, 403),
        ({"forwarded": "for=1.1.1.1;host=localhost"}, 200),
        ({"x-forwarded-host": "localhost", "host": "evil.example"}, 403),
        ({"x-forwarded-host": "localhost", "origin": "https://evil.example"}, 403),
    ],
)
async def test_the_name_that_a_proxy_was_asked_for_has_to_be_allowed_beside_that_in_host(
    edge: Serve, headers: dict[str, str], status: int
) -> None:
    """Never in its place: a page of another name, on this machine, could send these headers itself."""
    async with edge(Upstreams()) as it:
        hello = rpc("initialize", protocolVersion="2025-11-25", capabilities={})
        answer = await it.client.post("/mcp", json=hello, headers={**ACCEPT, **headers})
        assert answer.status_code == status
