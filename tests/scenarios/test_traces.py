"""A trace context goes through a real gateway to real servers on stdio and on HTTP."""

import asyncio
import json
from pathlib import Path
from typing import Any, Final

import httpx2
import pytest
from tests.support.gateway import WAIT_LIMIT, GatewayProcess
from tests.support.http_peer import Peer, Received, Wire, answer

from onemcp.wire.envelope import encode

pytestmark = pytest.mark.anyio

PARENT: Final = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
OTHER: Final = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00"
HELLO: Final = {
    "protocolVersion": "2025-11-25",
    "capabilities": {"tools": {}},
    "serverInfo": {"name": "peer", "version": "1"},
}
RESULTS: Final = {
    "initialize": HELLO,
    "tools/list": {"tools": [{"name": "echo", "inputSchema": {"type": "object"}}]},
    "tools/call": {"content": []},
}


async def server(request: Received, wire: Wire) -> None:
    """A server of the handshake era that answers every call with nothing."""
    message = request.message if request.method == "POST" else {}
    result = RESULTS.get(message.get("method", ""))
    if result is None:
        await wire.send(answer(b"", "404 Not Found" if "id" in message else "202 Accepted"))
    else:
        await wire.send(answer(encode({"jsonrpc": "2.0", "id": message["id"], "result": result})))


async def call(url: str, headers: dict[str, str], meta: dict[str, object]) -> Any:
    """The answer to one call of a session of its own."""
    base = {"accept": "application/json, text/event-stream", "content-type": "application/json"}
    hello = {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "x", "version": "1"}}
    async with httpx2.AsyncClient(timeout=WAIT_LIMIT, headers=base) as client:
        opened = await client.post(
            url, json={"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": hello}
        )
        params = {"name": "peer_1mcp_echo", **({"_meta": meta} if meta else {})}
        message = {"jsonrpc": "2.0", "id": 2, "method": "tools/call", "params": params}
        session = {"mcp-session-id": opened.headers["mcp-session-id"]}
        return (await client.post(url, json=message, headers={**session, **headers})).json()


@pytest.mark.parametrize(
    ("headers", "meta", "seen_in_headers", "seen_in_meta"),
    [
        ({"traceparent": PARENT, "tracestate": "a=1"}, {}, (PARENT, "a=1"), (PARENT, "a=1")),
        ({"traceparent": PARENT}, {"traceparent": OTHER}, (None, None), (OTHER, None)),
        ({}, {"traceparent": OTHER, "tracestate": "b=2"}, (None, None), (OTHER, "b=2")),
        ({"traceparent": "00-0-0-0", "tracestate": "a=1"}, {}, (None, None), (None, None)),
        ({}, {}, (None, None), (None, None)),
    ],
)
async def test_a_server_on_http_gets_the_trace_of_the_client(
    tmp_path: Path,
    headers: dict[str, str],
    meta: dict[str, object],
    seen_in_headers: tuple[str | None, str | None],
    seen_in_meta: tuple[str | None, str | None],
) -> None:
    async with Peer(server) as peer:
        config = {"mcpServers": {"peer": {"type": "http", "url": peer.url}}}
        async with GatewayProcess(config, folder=tmp_path) as gateway:
            await asyncio.to_thread(gateway.wait_settled)
            assert "result" in await call(gateway.url, headers, meta)
        (called,) = [
            r for r in peer.requests if r.method == "POST" and r.message.get("method") == "tools/call"
        ]
    names = ("traceparent", "tracestate")
    said = json.loads(called.body)["params"].get("_meta", {})
    assert tuple(called.headers.get(name) for name in names) == seen_in_headers
    assert tuple(said.get(name) for name in names) == seen_in_meta
