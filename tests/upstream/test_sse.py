"""The HTTP+SSE channel against an upstream that does what it is told."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from tests.support.channels import until
from tests.support.http_peer import END, Peer, Received, Wire, answer, chunk, event_stream

from onemcp.core.spec import HttpTransport
from onemcp.errors import Reason, UpstreamError
from onemcp.upstream.channel import Request
from onemcp.upstream.sse import SseChannel
from onemcp.upstream.status import HttpStatusError
from onemcp.wire.envelope import Envelope, encode

pytestmark = pytest.mark.anyio

LIMIT = 5.0
ACCEPTED = answer(b"Accepted", "202 Accepted", kind="text/plain")


def message(value: object) -> bytes:
    """A chunk with one message event."""
    return chunk(b"event: message\ndata: %b\n\n" % encode(value))


class OldServer:
    """Answers every request with `ok` on the stream; the fields say what it does otherwise."""

    def __init__(self) -> None:
        self.endpoint = "/messages?sid=1"
        self.opening = event_stream()
        self.acknowledgement = ACCEPTED
        self.answers_first = False
        self.silent = False
        self.stream: Wire | None = None

    async def __call__(self, request: Received, wire: Wire) -> None:
        if request.method == "GET":
            self.stream = wire
            await wire.send(self.opening)
            if self.endpoint:
                await wire.send(chunk(f"event: endpoint\ndata: {self.endpoint}\n\n".encode()))
            await wire.gone.wait()
            return
        if not self.answers_first:
            await wire.send(self.acknowledgement)
        assert self.stream is not None
        if "id" in request.message and "method" in request.message and not self.silent:
            await self.stream.send(message({"jsonrpc": "2.0", "id": request.message["id"], "result": "ok"}))
        if self.answers_first:
            await wire.send(self.acknowledgement)


@asynccontextmanager
async def channel_to(server: OldServer) -> AsyncIterator[tuple[SseChannel, Peer, list[Envelope]]]:
    heard: list[Envelope] = []
    async with Peer(server) as peer:
        transport = HttpTransport(peer.url, "sse", (("x-key", "k"),))
        channel = await asyncio.wait_for(SseChannel.open("old", transport, heard.append), LIMIT)
        try:
            yield channel, peer, heard
        finally:
            await channel.aclose()


async def opening_fails(server: OldServer) -> UpstreamError:
    async with Peer(server) as peer:
        with pytest.raises(UpstreamError) as raised:
            await asyncio.wait_for(SseChannel.open("old", HttpTransport(peer.url, "sse"), print), LIMIT)
        await until(lambda: not peer.open)
    return raised.value


async def fails(channel: SseChannel, timeout: float = LIMIT) -> UpstreamError:
    with pytest.raises(UpstreamError) as raised:
        await channel.request(Request("tools/call", timeout=timeout))
    return raised.value


@pytest.mark.parametrize("answers_first", [False, True])
async def test_messages_go_where_the_server_says_and_answers_come_on_the_stream(answers_first: bool) -> None:
    server = OldServer()
    server.answers_first = answers_first
    async with channel_to(server) as (channel, peer, _):
        channel.adopt("2024-11-05")
        replies = await asyncio.gather(*(channel.request(Request("tools/call")) for _ in range(20)))
        assert {bytes(reply.result) for reply in replies} == {b'"ok"'}
        await channel.notify("notifications/initialized")
        channel.respond(b'{"jsonrpc":"2.0","id":"s","result":{}}')
        await until(lambda: b'"s"' in peer.requests[-1].body)
        posts = [request for request in peer.requests if request.method == "POST"]
        assert {request.target for request in posts} == {"/messages?sid=1"}
        assert {request.headers["x-key"] for request in peer.requests} == {"k"}
        assert (
            len(
                {
                    request.message["id"]
                    for request in posts
                    if "method" in request.message and "id" in request.message
                }
            )
            == 20
        )


@pytest.mark.parametrize("relative", ["messages", "/messages", "?sid=1"])
async def test_a_relative_place_is_understood(relative: str) -> None:
    server = OldServer()
    server.endpoint = relative
    async with channel_to(server) as (channel, _, _):
        assert bytes((await channel.request(Request("ping"))).result) == b'"ok"'


@pytest.mark.parametrize(
    "place", ["http://127.0.0.1:1/messages", "//evil.test/messages", "https://127.0.0.1/", "http://["]
)
async def test_another_origin_is_refused(place: str) -> None:
    server = OldServer()
    server.endpoint = place
    error = await opening_fails(server)
    assert (error.reason, error.ran) == (Reason.PROTOCOL, False)
    assert "must not go" in error.what


async def test_a_server_that_is_something_else_is_refused() -> None:
    server = OldServer()
    server.opening = answer(b"", "404 Not Found")
    error = await opening_fails(server)
    assert isinstance(error, HttpStatusError)
    assert error.status == 404


async def test_a_stream_that_ends_before_it_says_anything_is_an_error() -> None:
    server = OldServer()
    server.opening, server.endpoint = event_stream() + END, ""
    assert (await opening_fails(server)).reason is Reason.STREAM_LOST


async def test_what_comes_on_its_own_is_heard_and_nonsense_counted() -> None:
    async with channel_to(server := OldServer()) as (channel, _, heard):
        assert server.stream is not None
        await server.stream.send(
            chunk(b": ping\n\ndata: {oops\n\nevent: endpoint\ndata: http://evil.test/\n\n")
        )
        await server.stream.send(message({"jsonrpc": "2.0", "id": "1", "result": 1}))
        await server.stream.send(
            message([{"jsonrpc": "2.0", "method": "a"}, {"jsonrpc": "2.0", "method": "b"}])
        )
        await until(lambda: len(heard) == 2)
        assert [envelope.method for envelope in heard] == ["a", "b"]
        assert channel.strays == 2
        await channel.request(Request("ping"))


async def test_a_stream_that_ends_closes_the_channel_and_fails_what_waits() -> None:
    server = OldServer()
    server.silent = True
    async with channel_to(server) as (channel, peer, _):
        waiting = [asyncio.create_task(fails(channel)) for _ in range(3)]
        await until(lambda: len(peer.requests) == 4)
        assert server.stream is not None
        server.stream.close()
        errors = await asyncio.gather(*waiting)
        assert {(error.reason, error.ran) for error in errors} == {(Reason.STREAM_LOST, True)}
        assert channel.closed.done()
        late = await fails(channel)
        assert (late.reason, late.ran) == (Reason.STREAM_LOST, False)


async def test_a_refused_message_fails_its_request_alone() -> None:
    async with channel_to(server := OldServer()) as (channel, _, _):
        server.acknowledgement, server.silent = answer(b"", "429 Too Many Requests"), True
        error = await fails(channel)
        assert (error.reason, error.ran) == (Reason.UNREACHABLE, False)
        server.acknowledgement, server.silent = ACCEPTED, False
        await channel.request(Request("ping"))
        assert "0 in flight" in repr(channel)


async def test_a_call_that_is_given_up_is_cancelled() -> None:
    server = OldServer()
    server.silent = True
    async with channel_to(server) as (channel, peer, _):
        channel.adopt("2024-11-05")
        assert (await fails(channel, 0.05)).reason is Reason.TIMEOUT
        await until(lambda: peer.methods()[-1] == "notifications/cancelled")
        waiting = asyncio.create_task(fails(channel))
        await until(lambda: peer.methods().count("tools/call") == 2)
        waiting.cancel()
        await until(lambda: peer.methods().count("notifications/cancelled") == 2)
        assert [
            request.message["params"]["requestId"]
            for request in peer.requests
            if b"cancelled" in request.body
        ] == [1, 2]


async def test_the_trace_of_a_request_is_in_its_headers_and_in_those_of_no_other() -> None:
    trace = (("traceparent", "00-" + "1" * 32 + "-" + "2" * 16 + "-01"), ("tracestate", "a=1"))
    async with channel_to(OldServer()) as (channel, peer, _):
        await channel.request(Request("tools/call", trace=trace))
        await channel.request(Request("tools/call"))
        traced, other = (request.headers for request in peer.requests[-2:])
    assert dict(trace).items() <= traced.items()
    assert not dict(trace).keys() & other.keys()
