"""A trace context in the HTTP headers of a request reaches the upstream, in either era."""

import json
from typing import Any, Final

import pytest
from tests.support.channels import Upstreams, handshake, stateless
from tests.web.conftest import Serve, rpc

from onemcp.upstream.channel import Request

pytestmark = pytest.mark.anyio

PARENT: Final = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
OTHER: Final = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00"
SCRIPTS: Final = {"handshake": handshake, "stateless": stateless}
META: Final = {
    "io.modelcontextprotocol/protocolVersion": "2026-07-28",
    "io.modelcontextprotocol/clientCapabilities": {},
}


async def called(
    edge: Serve, upstream: str, client: str, headers: list[tuple[str, str]], **meta: object
) -> tuple[Any, Request]:
    """The `_meta` that the upstream got with a call, and the request that its channel was given."""
    upstreams = Upstreams(a=SCRIPTS[upstream]("echo"))
    async with edge(upstreams) as it:
        base = [("accept", "application/json, text/event-stream"), ("content-type", "application/json")]
        params: dict[str, object] = {"name": "a_1mcp_echo"}
        if client == "stateless":
            base += [
                ("mcp-protocol-version", "2026-07-28"),
                ("mcp-method", "tools/call"),
                ("mcp-name", "a_1mcp_echo"),
            ]
            params["_meta"] = {**META, **meta}
        else:
            base.append(("mcp-session-id", (await it.initialize())[0]))
            if meta:
                params["_meta"] = meta
        answer = await it.client.post("/mcp", headers=[*base, *headers], json=rpc("tools/call", **params))
        assert "result" in answer.json()
    request = upstreams.last("a").asked[-1]
    return json.loads(request.params).get("_meta", {}), request


@pytest.mark.parametrize("client", SCRIPTS)
@pytest.mark.parametrize("upstream", SCRIPTS)
async def test_headers_of_the_client_are_said_in_meta_and_in_headers(
    edge: Serve, upstream: str, client: str
) -> None:
    headers = [("traceparent", PARENT), ("tracestate", "a=1"), ("tracestate", "b=2")]
    meta, request = await called(edge, upstream, client, headers)
    assert (meta["traceparent"], meta["tracestate"]) == (PARENT, "a=1,b=2")
    assert request.trace == (("traceparent", PARENT), ("tracestate", "a=1,b=2"))


@pytest.mark.parametrize("client", SCRIPTS)
@pytest.mark.parametrize("upstream", SCRIPTS)
async def test_what_meta_says_passes_and_headers_do_not_overrule_it(
    edge: Serve, upstream: str, client: str
) -> None:
    headers = [("traceparent", PARENT), ("tracestate", "a=1")]
    meta, request = await called(edge, upstream, client, headers, traceparent=OTHER)
    assert (meta["traceparent"], "tracestate" in meta) == (OTHER, False)
    assert request.trace == ()


@pytest.mark.parametrize(
    "headers",
    [
        [],
        [("traceparent", "00-nonsense")],
        [("traceparent", PARENT), ("traceparent", OTHER)],
        [("tracestate", "a=1")],
    ],
)
async def test_what_is_malformed_or_said_twice_is_ignored(
    edge: Serve, headers: list[tuple[str, str]]
) -> None:
    meta, request = await called(edge, "handshake", "handshake", headers)
    assert meta == {}
    assert request.trace == ()


async def test_a_malformed_tracestate_costs_only_itself(edge: Serve) -> None:
    headers = [("traceparent", PARENT), ("tracestate", "no equals sign")]
    meta, request = await called(edge, "handshake", "handshake", headers)
    assert meta == {"traceparent": PARENT}
    assert request.trace == (("traceparent", PARENT),)


async def test_each_call_of_a_batch_has_the_trace_of_the_request(edge: Serve) -> None:
    upstreams = Upstreams(a=handshake("echo"))
    async with edge(upstreams) as it:
        session, _ = await it.initialize("2025-03-26")
        call = rpc("tools/call", name="a_1mcp_echo")
        answer = await it.post([call, {**call, "id": 2}], mcp_session_id=session, traceparent=PARENT)
        assert len(answer.json()) == 2
    for request in upstreams.last("a").asked[-2:]:
        assert json.loads(request.params)["_meta"] == {"traceparent": PARENT}
