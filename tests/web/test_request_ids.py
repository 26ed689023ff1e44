"""Where request ids are at the HTTP edge: batches, streams, and what is no HTTP request."""

import asyncio
import json

import pytest
from tests.support.channels import Upstreams, handshake
from tests.web.conftest import Serve, rpc

pytestmark = pytest.mark.anyio


async def test_all_errors_of_a_batch_carry_the_id_of_its_request(edge: Serve) -> None:
    async with edge(Upstreams(a=handshake())) as it:
        session, _ = await it.initialize("2025-03-26")
        batch = [rpc("tools/call", name="nope"), {"jsonrpc": "1.0"}, rpc("initialize")]
        answer = await it.post(batch, mcp_session_id=session, x_request_id="b-1")
    assert answer.headers.get_list("x-request-id") == ["b-1"]
    assert [error["error"]["data"]["requestId"] for error in answer.json()] == ["b-1"] * 3


async def test_an_answer_that_may_yet_be_an_error_has_the_id_in_its_head(edge: Serve) -> None:
    async with edge(Upstreams(a=handshake())) as it:
        session, _ = await it.initialize()
        answer = await it.post(
            rpc("tools/call", name="nope"), mcp_session_id=session, accept="text/event-stream"
        )
    assert answer.headers["content-type"] == "text/event-stream"
    assert answer.headers["x-request-id"] in answer.text


async def test_what_is_no_request_is_told_an_id_too(edge: Serve) -> None:
    async with edge(Upstreams(a=handshake())) as it:
        reader, writer = await asyncio.open_connection("127.0.0.1", it.port)
        writer.write(b"what is this\r\n\r\n")
        async with asyncio.timeout(10):
            head, _, body = (await reader.read()).partition(b"\r\n\r\n")
        writer.close()
        await writer.wait_closed()
    name = json.loads(body)["error"]["data"]["requestId"]
    assert f"x-request-id: {name}".encode() in head
