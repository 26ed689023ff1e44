"""Both HTTP channels against servers of the `mcp` 2.3 SDK."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager

import msgspec
import pytest
from tests.support.channels import IDENTITY, until
from tests.support.mcp_http import SdkServer

from onemcp.core.spec import HttpTransport
from onemcp.errors import Reason, RpcError, UpstreamError
from onemcp.net.http1 import HttpClient
from onemcp.net.origin import split_url
from onemcp.upstream.channel import Channel, Request
from onemcp.upstream.connection import Connection
from onemcp.upstream.http import HttpChannel
from onemcp.upstream.negotiate import Manner, negotiate
from onemcp.upstream.sse import SseChannel
from onemcp.wire.envelope import Envelope, encode
from onemcp.wire.revisions import Era
from onemcp.wire.translate import stateless_meta

pytestmark = pytest.mark.anyio

META = encode(stateless_meta(IDENTITY.client_info()))


@pytest.fixture(scope="module", params=["sse answers", "json answers"])
def server(request: pytest.FixtureRequest) -> Iterator[SdkServer]:
    flags = ["--json"] if request.param == "json answers" else ["--events"]
    with SdkServer(*flags) as running:
        yield running


@pytest.fixture(scope="module")
def resumable() -> Iterator[SdkServer]:
    with SdkServer("--events") as running:
        yield running


@pytest.fixture(scope="module")
def old() -> Iterator[SdkServer]:
    with SdkServer("--sse") as running:
        yield running


class Heard(list[Envelope]):
    """What came on its own."""

    def methods(self) -> list[str]:
        return [envelope.method for envelope in self]


@asynccontextmanager
async def connected(url: str, pinned: str = "") -> AsyncIterator[tuple[Connection, HttpChannel, Heard]]:
    heard = Heard()
    channel = HttpChannel("sdk", HttpTransport(url), heard.append, meta=META)
    try:
        connection = await negotiate(channel, Manner("sdk", 20, pinned), IDENTITY)
        yield connection, channel, heard
    finally:
        await channel.aclose()


async def call(connection: Connection, tool: str, /, **arguments: object) -> str:
    params: dict[str, object] = {"name": tool, "arguments": arguments}
    if connection.own_meta is not None:
        params["_meta"] = connection.own_meta
    reply = await connection.channel.request(Request("tools/call", encode(params), 10, tool))
    assert reply.result, bytes(reply.error)
    text: str = msgspec.json.decode(reply.result)["content"][0]["text"]
    return text


ERAS = pytest.mark.parametrize(
    ("pinned", "era"), [("", Era.STATELESS), ("2025-11-25", Era.HANDSHAKE), ("2025-03-26", Era.HANDSHAKE)]
)


@ERAS
async def test_calls_are_answered_in_either_era(server: SdkServer, pinned: str, era: Era) -> None:
    async with connected(server.url, pinned) as (connection, channel, _):
        assert connection.era is era
        texts = await asyncio.gather(*(call(connection, "echo", text=f"ä{number}") for number in range(30)))
        assert texts == [f"ä{number}" for number in range(30)]
        tools = await connection.ask("tools/list", {}, 10)
        assert b'"echo"' in bytes(tools["tools"])
        assert channel.strays == 0


@ERAS
async def test_an_error_is_handed_on_as_it_is(server: SdkServer, pinned: str, era: Era) -> None:
    async with connected(server.url, pinned) as (connection, _, _):
        assert connection.era is era
        with pytest.raises(RpcError) as refused:
            await connection.ask("no/such", {}, 10)
        assert refused.value.code == -32601


@pytest.mark.parametrize("pinned", ["", "2025-11-25"])
async def test_a_changed_list_is_announced_on_the_listening_stream(server: SdkServer, pinned: str) -> None:
    async with connected(server.url, pinned) as (connection, _, heard):
        async with asyncio.timeout(10):
            while "notifications/tools/list_changed" not in heard.methods():
                assert await call(connection, "grow") == "grown"
                await asyncio.sleep(0.02)


async def test_what_belongs_to_a_request_comes_with_it(resumable: SdkServer) -> None:
    async with connected(resumable.url, "2025-11-25") as (connection, channel, heard):
        mine = Heard()
        params = {"name": "talk", "arguments": {}, "_meta": {"progressToken": "p"}}
        reply = await channel.request(Request("tools/call", encode(params), 10, sink=mine.append))
        assert b"done" in bytes(reply.result)
        assert mine.methods() == ["notifications/progress", "notifications/message"]
        assert heard.methods() == []
        assert connection.revision == "2025-11-25"


async def test_a_stream_that_the_server_closes_is_resumed(resumable: SdkServer) -> None:
    async with connected(resumable.url, "2025-11-25") as (connection, _, _):
        texts = await asyncio.gather(*(call(connection, "poll") for _ in range(5)))
        assert texts == ["polled"] * 5


async def test_a_session_that_was_ended_is_begun_anew_once(server: SdkServer) -> None:
    async with connected(server.url, "2025-11-25") as (connection, channel, _):
        renewals: list[str] = []
        channel.on_reinitialized = lambda: renewals.append(channel._session.id)
        lost = channel._session.id
        origin, target = split_url(server.url)
        async with HttpClient(origin) as other:
            headers = [("mcp-session-id", lost), ("mcp-protocol-version", "2025-11-25")]
            assert (await other.request("DELETE", target, headers)).status == 200
        texts = await asyncio.gather(*(call(connection, "echo", text=str(number)) for number in range(20)))
        assert texts == [str(number) for number in range(20)]
        assert renewals == [channel._session.id]
        assert channel._session.id != lost
        assert not channel.closed.done()


@pytest.mark.parametrize("pinned", ["2026-07-28", "2025-11-25"])
async def test_a_call_that_is_given_up_is_cancelled_on_the_server(resumable: SdkServer, pinned: str) -> None:
    async with connected(resumable.url, pinned) as (connection, _, _):
        before = int(await call(connection, "cancelled"))
        giving_up = asyncio.create_task(call(connection, "hang"))
        await call(connection, "echo", text="the call is on its way by now")
        giving_up.cancel()
        with pytest.raises(asyncio.CancelledError):
            await giving_up
        async with asyncio.timeout(10):
            while int(await call(connection, "cancelled")) == before:
                await asyncio.sleep(0.02)


async def test_the_session_is_ended_with_the_channel(server: SdkServer) -> None:
    async with connected(server.url, "2025-11-25") as (_, channel, _):
        session_id = channel._session.id
    origin, target = split_url(server.url)
    async with HttpClient(origin) as other:
        headers = [
            ("mcp-session-id", session_id),
            ("content-type", "application/json"),
            ("accept", "application/json, text/event-stream"),
        ]
        body = b'{"jsonrpc":"2.0","id":1,"method":"ping"}'
        assert (await other.request("POST", target, headers, body)).status == 404
    assert channel.closed.result() == "was disconnected"
    with pytest.raises(UpstreamError) as refused:
        await channel.request(Request("ping"))
    assert (refused.value.reason, refused.value.ran) == (Reason.STOPPING, False)


async def test_the_old_transport_works_too(old: SdkServer) -> None:
    heard = Heard()
    channel: Channel = await SseChannel.open("sdk", HttpTransport(old.url, "sse"), heard.append)
    try:
        connection = await negotiate(channel, Manner("sdk", 20, known=Era.HANDSHAKE), IDENTITY)
        texts = await asyncio.gather(*(call(connection, "echo", text=str(number)) for number in range(20)))
        assert texts == [str(number) for number in range(20)]
        assert await call(connection, "grow") == "grown"
        await until(lambda: "notifications/tools/list_changed" in heard.methods())
        with pytest.raises(UpstreamError) as late:
            await channel.request(Request("tools/call", b'{"name":"hang","arguments":{}}', 0.1))
        assert late.value.reason is Reason.TIMEOUT
        async with asyncio.timeout(10):
            while await call(connection, "cancelled") == "0":
                await asyncio.sleep(0.02)
    finally:
        await channel.aclose()
    assert channel.closed.result() == "was disconnected"
