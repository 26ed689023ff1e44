import asyncio
import random
import ssl
import subprocess
from collections.abc import Awaitable, Callable
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.support.channels import until
from tests.support.http_peer import END, Handler, Peer, Received, Wire, answer, chunk, event_stream

from onemcp.net.connection import HEAD_LIMIT, Connection
from onemcp.net.fault import Fault, HttpError
from onemcp.net.http1 import HttpClient, field_lines
from onemcp.net.origin import split_url
from onemcp.net.pool import Limits
from onemcp.net.response import Response

pytestmark = pytest.mark.anyio

LIMIT = 5.0


def client_of(peer: Peer, limits: Limits | None = None, tls: ssl.SSLContext | None = None) -> HttpClient:
    return HttpClient(split_url(peer.url)[0], limits, tls)


def sending(*parts: bytes, then: Callable[[Wire], object] = lambda _: None) -> Handler:
    """A handler that always sends these parts."""

    async def handler(_: Received, wire: Wire) -> None:
        await wire.send(*parts)
        then(wire)

    return handler


async def post(client: HttpClient, body: bytes = b"{}", timeout: float = LIMIT) -> Response:
    return await client.request("POST", "/mcp", [("content-type", "application/json")], body, timeout=timeout)


async def fails(waiting: Awaitable[object]) -> HttpError:
    with pytest.raises(HttpError) as raised:
        async with asyncio.timeout(LIMIT):
            await waiting
    return raised.value


async def test_a_request_arrives_as_it_was_meant() -> None:
    async with Peer(sending(answer(b'{"a":1}'))) as peer, client_of(peer) as client:
        response = await post(client, b'{"q":2}')
        assert (response.status, response.body, response.stream) == (200, b'{"a":1}', None)
        assert response.header(b"content-type") == "application/json"
        request = peer.requests[0]
        assert (request.method, request.target, request.body) == ("POST", "/mcp", b'{"q":2}')
        assert request.headers == {
            "host": f"127.0.0.1:{peer.port}",
            "accept-encoding": "identity",
            "content-type": "application/json",
            "content-length": "7",
        }


async def test_requests_one_after_another_share_a_connection() -> None:
    async with Peer(sending(answer())) as peer, client_of(peer) as client:
        for _ in range(5):
            await post(client)
        assert peer.connections == 1


async def test_a_large_body_goes_both_ways() -> None:
    async def echo(request: Received, wire: Wire) -> None:
        await wire.send(answer(request.body))

    body = bytes(range(256)) * 20_000
    async with Peer(echo) as peer, client_of(peer) as client:
        assert (await post(client, body)).body == body
        assert (await post(client, b"")).body == b""


async def test_a_body_without_a_length_ends_with_its_connection() -> None:
    head = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n\r\n"
    async with Peer(sending(head, b'{"a"', b":1}", then=Wire.close)) as peer, client_of(peer) as client:
        assert (await post(client)).body == b'{"a":1}'


async def test_interim_responses_are_skipped() -> None:
    early = b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n"
    async with Peer(sending(early + answer(b"[1]"))) as peer, client_of(peer) as client:
        response = await post(client)
        assert (response.status, response.body, response.header(b"link")) == (200, b"[1]", "")
        await post(client)
        assert peer.connections == 1


async def test_a_redirect_is_an_answer_and_not_followed() -> None:
    moved = answer(b"", "307 Temporary Redirect", "location: http://127.0.0.1:1/other")
    async with Peer(sending(moved)) as peer, client_of(peer) as client:
        response = await post(client)
        assert (response.status, response.header(b"location")) == (307, "http://127.0.0.1:1/other")
        assert len(peer.requests) == 1


async def test_repeated_headers_are_joined() -> None:
    twice = answer(b"{}", "401 Unauthorized", "WWW-Authenticate: Basic", "www-authenticate: Bearer")
    async with Peer(sending(twice)) as peer, client_of(peer) as client:
        assert (await post(client)).header(b"www-authenticate") == "Basic, Bearer"


async def test_a_server_that_asks_for_it_gets_a_new_connection_each_time() -> None:
    async with Peer(sending(answer(b"{}", "200 OK", "connection: close"))) as peer, client_of(peer) as client:
        await post(client)
        await post(client)
        assert peer.connections == 2


async def test_a_server_that_keeps_connections_for_no_time_gets_a_new_one() -> None:
    async with (
        Peer(sending(answer(b"{}", "200 OK", "keep-alive: timeout=1"))) as peer,
        client_of(peer) as client,
    ):
        await post(client)
        await post(client)
        assert peer.connections == 2


async def test_a_connection_that_was_closed_while_idle_is_not_used() -> None:
    async with Peer(sending(answer())) as peer, client_of(peer) as client:
        await post(client)
        peer.hang_up()
        await until(lambda: "open=0" in repr(client))
        await post(client)
        assert peer.connections == 2


async def test_idle_connections_are_closed_by_us_in_time() -> None:
    async with (
        Peer(sending(answer(b"{}", "200 OK", "keep-alive: timeout=1"))) as peer,
        client_of(peer) as client,
    ):
        await post(client)
        await until(lambda: "open=0" in repr(client) and not peer.open)


@pytest.mark.parametrize(
    ("wire", "fault"),
    [
        (b"", Fault.LOST),
        (b"HTTP/1.1 200 OK\r\ncontent-le", Fault.LOST),
        (b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\n{}", Fault.LOST),
        (b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\n{}\r\n", Fault.LOST),
        (b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nxyz\r\n{}\r\n", Fault.MALFORMED),
        (b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\ncontent-length: 3\r\n\r\n{}!", Fault.MALFORMED),
        (b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\ntransfer-encoding: chunked\r\n\r\n{}", Fault.MALFORMED),
        (b"HTTP/1.1 200 OK\r\ncontent-length: -2\r\n\r\n{}", Fault.MALFORMED),
        (b"HTTP/1.1 101 Switching\r\nupgrade: x\r\nconnection: upgrade\r\n\r\nxx", Fault.MALFORMED),
        (b"SSH-2.0-OpenSSH_9\r\n", Fault.MALFORMED),
        (answer(b"\x1f\x8b", "200 OK", "content-encoding: gzip"), Fault.MALFORMED),
        (b"HTTP/1.1 200 OK\r\ncontent-length: 1073741824\r\n\r\n", Fault.TOO_LARGE),
        (b"HTTP/1.1 200 OK\r\nx: " + b"a" * 2 * HEAD_LIMIT, Fault.TOO_LARGE),
        (b"HTTP/1.1 100 Continue\r\n\r\n" * 4000, Fault.TOO_LARGE),
    ],
)
async def test_a_faulty_answer_is_an_error_of_its_kind(wire: bytes, fault: Fault) -> None:
    async with Peer(sending(wire, then=Wire.close)) as peer, client_of(peer) as client:
        error = await fails(post(client))
        assert (error.fault, error.sent) == (fault, True)
        await until(lambda: "open=0" in repr(client))


async def test_a_chunked_body_is_cut_off_at_the_limit() -> None:
    async def endless(_: Received, wire: Wire) -> None:
        await wire.send(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n")
        while not wire.gone.is_set():
            await wire.send(chunk(b"x" * 1000))

    async with Peer(endless) as peer, client_of(peer, Limits(max_body=10_000)) as client:
        assert (await fails(post(client))).fault is Fault.TOO_LARGE


async def test_endless_trailers_are_cut_off() -> None:
    async def trailing(_: Received, wire: Wire) -> None:
        await wire.send(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n")
        while not wire.gone.is_set():
            await wire.send(b"x: %b\r\n" % (b"a" * 1000))

    async with Peer(trailing) as peer, client_of(peer) as client:
        assert (await fails(post(client))).fault is Fault.TOO_LARGE


@pytest.mark.parametrize(
    "surplus", [b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nevil", b"HTTP/1.1 2", b"x"]
)
async def test_what_follows_an_answer_is_never_taken_for_the_next(surplus: bytes) -> None:
    async def handler(request: Received, wire: Wire) -> None:
        await wire.send(answer(request.body) + surplus)

    async with Peer(handler) as peer, client_of(peer) as client:
        for body in (b"1", b"2", b"3"):
            assert (await post(client, body)).body == body
        assert peer.connections == 3


async def test_a_request_is_never_sent_twice() -> None:
    async def handler(request: Received, wire: Wire) -> None:
        if request.body == b"first":
            await wire.send(answer())
        else:
            wire.close()

    async with Peer(handler) as peer, client_of(peer) as client:
        await post(client, b"first")
        error = await fails(post(client, b"second"))
        assert (error.fault, error.sent) == (Fault.LOST, True)
        assert [(request.body, request.connection) for request in peer.requests] == [
            (b"first", 0),
            (b"second", 0),
        ]


@pytest.mark.parametrize("seed", range(5))
async def test_under_cancellation_at_any_moment_nothing_is_mixed_up_or_leaked(seed: int) -> None:
    dice = random.Random(seed)

    async def handler(request: Received, wire: Wire) -> None:
        for _ in range(dice.randrange(6)):
            await asyncio.sleep(0)
        if dice.random() < 0.3:
            await wire.send(event_stream() + chunk(request.body[:1]), chunk(request.body[1:]), END)
        else:
            await wire.send(answer(request.body))

    async def ask(body: bytes) -> bytes:
        response = await post(client, body)
        if response.stream is None:
            return response.body
        return b"".join([part async for part in response.stream])

    async with Peer(handler) as peer, client_of(peer, Limits(connections=3, streams=2)) as client:
        tasks = [asyncio.create_task(ask(b"%03d" % number)) for number in range(200)]
        while not all(task.done() for task in tasks):
            if dice.random() < 0.2:
                dice.choice(tasks).cancel()
            await asyncio.sleep(0)
        for number, task in enumerate(tasks):
            assert task.cancelled() or task.result() == b"%03d" % number
        await until(lambda: "streams=0 connecting=0 waiting=0" in repr(client))
        assert await asyncio.gather(*(ask(b"%03d" % number) for number in range(9))) == [
            b"%03d" % number for number in range(9)
        ]
        assert len(client._pool._open) <= 5


async def test_bytes_that_nobody_asked_for_end_an_idle_connection() -> None:
    async with Peer(sending(answer())) as peer, client_of(peer) as client:
        await post(client)
        for wire in peer.open:
            await wire.send(answer(b"evil"))
        await until(lambda: "open=0" in repr(client))
        assert (await post(client)).body == b"{}"


async def test_a_silent_server_is_given_up() -> None:
    async def silent(_: Received, wire: Wire) -> None:
        await wire.gone.wait()

    async with Peer(silent) as peer, client_of(peer) as client:
        error = await fails(post(client, timeout=0.05))
        assert (error.fault, error.sent) == (Fault.TIMEOUT, True)
        await until(lambda: not peer.open)


async def test_cancelling_the_wait_closes_the_connection() -> None:
    async def silent(_: Received, wire: Wire) -> None:
        await wire.gone.wait()

    async with Peer(silent) as peer, client_of(peer) as client:
        waiting = asyncio.create_task(post(client))
        await until(lambda: bool(peer.requests))
        waiting.cancel()
        await until(lambda: not peer.open and waiting.cancelled())


async def test_nobody_listening_is_unreachable_and_nothing_was_sent() -> None:
    async with Peer(sending(answer())) as peer:
        origin = split_url(peer.url)[0]
    async with HttpClient(origin) as client:
        error = await fails(post(client))
        assert (error.fault, error.sent) == (Fault.UNREACHABLE, False)
        assert "refuses connections" in error.what


async def test_a_name_that_does_not_resolve_is_unreachable() -> None:
    async with HttpClient(split_url("http://no-such-host.invalid/")[0]) as client:
        error = await fails(post(client))
        assert (error.fault, error.sent) == (Fault.UNREACHABLE, False)


async def test_no_more_connections_than_allowed_and_the_rest_wait_in_line() -> None:
    release = asyncio.Event()

    async def held(request: Received, wire: Wire) -> None:
        await release.wait()
        await wire.send(answer(request.body))

    async with Peer(held) as peer, client_of(peer, Limits(connections=3, queue=7)) as client:
        waiting = [asyncio.create_task(post(client, b"%d" % number)) for number in range(10)]
        await until(lambda: len(peer.requests) == 3 and "waiting=7" in repr(client))
        error = await fails(post(client))
        assert (error.fault, error.sent) == (Fault.BUSY, False)
        release.set()
        bodies = [response.body for response in await asyncio.gather(*waiting)]
        assert bodies == [b"%d" % number for number in range(10)]
        assert peer.connections == 3


async def test_a_wait_in_line_is_bounded_and_can_be_cancelled() -> None:
    async def silent(_: Received, wire: Wire) -> None:
        await wire.gone.wait()

    async with Peer(silent) as peer, client_of(peer, Limits(connections=1)) as client:
        holding = asyncio.create_task(post(client))
        await until(lambda: bool(peer.requests))
        error = await fails(post(client, timeout=0.05))
        assert (error.fault, error.sent) == (Fault.BUSY, False)
        queued = asyncio.create_task(post(client))
        await until(lambda: "waiting=1" in repr(client))
        queued.cancel()
        holding.cancel()
        peer.handler = sending(answer())
        assert (await post(client)).status == 200
        assert "connecting=0 waiting=0" in repr(client)


async def test_a_failed_connect_lets_the_next_in_line_try() -> None:
    async with Peer(sending(answer())) as peer:
        origin = split_url(peer.url)[0]
    async with HttpClient(origin, Limits(connections=1)) as client:
        errors = await asyncio.gather(*(fails(post(client)) for _ in range(5)))
        assert {error.fault for error in errors} == {Fault.UNREACHABLE}
        assert "connecting=0 waiting=0" in repr(client)


async def test_an_event_stream_is_there_as_soon_as_its_head_is() -> None:
    more = asyncio.Event()

    async def streaming(_: Received, wire: Wire) -> None:
        await wire.send(event_stream())
        await more.wait()
        await wire.send(chunk(b"data: 1\n"), chunk(b"\n") + END)

    async with Peer(streaming) as peer, client_of(peer) as client:
        response = await post(client)
        assert response.stream is not None
        more.set()
        assert b"".join([part async for part in response.stream]) == b"data: 1\n\n"
        await post(client)
        assert peer.connections == 1


async def test_closing_a_stream_early_closes_its_connection() -> None:
    async def streaming(_: Received, wire: Wire) -> None:
        await wire.send(event_stream(), chunk(b"data: 1\n\n"))
        await wire.gone.wait()

    async with Peer(streaming) as peer, client_of(peer) as client:
        response = await post(client)
        response.close()
        await until(lambda: not peer.open)
        response = await post(client)
        assert response.stream is not None
        reading = asyncio.create_task(anext(response.stream))
        assert await reading == b"data: 1\n\n"
        second = asyncio.create_task(anext(response.stream))
        await asyncio.sleep(0)
        second.cancel()
        await until(lambda: not peer.open)


async def test_a_stream_that_is_left_gives_its_connection_back_when_it_ends() -> None:
    more = asyncio.Event()

    async def streaming(_: Received, wire: Wire) -> None:
        await wire.send(event_stream() + chunk(b"data: 1\n\n"))
        await more.wait()
        await wire.send(chunk(b": bye\n\n") + END)

    async with Peer(streaming) as peer, client_of(peer) as client:
        response = await post(client)
        assert response.stream is not None
        assert await anext(response.stream) == b"data: 1\n\n"
        response.stream.leave()
        more.set()
        await until(lambda: "idle=1 streams=0" in repr(client))
        (await post(client)).close()
        assert peer.connections == 1


async def test_a_stream_that_is_left_and_does_not_end_is_closed() -> None:
    async def streaming(_: Received, wire: Wire) -> None:
        await wire.send(event_stream() + chunk(b"data: 1\n\n"))
        await wire.gone.wait()

    async with Peer(streaming) as peer, client_of(peer) as client:
        response = await post(client)
        assert response.stream is not None
        response.stream.leave()
        await until(lambda: not peer.open)
        await until(lambda: "open=0 idle=0 streams=0" in repr(client))


async def test_a_stream_that_breaks_off_says_so() -> None:
    async with Peer(sending(event_stream(), chunk(b"a"), then=Wire.close)) as peer, client_of(peer) as client:
        response = await post(client)
        assert response.stream is not None
        assert await anext(response.stream) == b"a"
        assert (await fails(anext(response.stream))).fault is Fault.LOST


async def test_a_stream_ends_at_the_deadline_or_when_it_is_silent_for_too_long() -> None:
    async def streaming(_: Received, wire: Wire) -> None:
        await wire.send(event_stream())
        await wire.gone.wait()

    async with Peer(streaming) as peer, client_of(peer) as client:
        head = client.prepare("GET", "/mcp")
        for timeout, idle in ((0.1, 0.0), (LIMIT, 0.1)):
            response = await client.send(head, timeout=timeout, idle=idle)
            assert response.stream is not None
            assert (await fails(anext(response.stream))).fault is Fault.TIMEOUT
        await until(lambda: not peer.open)


async def test_long_streams_leave_the_places_of_calls_free() -> None:
    async def handler(request: Received, wire: Wire) -> None:
        if request.method == "POST":
            await wire.send(answer())
        else:
            await wire.send(event_stream())
            await wire.gone.wait()

    async with Peer(handler) as peer, client_of(peer, Limits(connections=1, streams=2)) as client:
        streams = [await client.request("GET", "/") for _ in range(2)]
        await post(client)
        streams.append(await client.request("GET", "/"))
        assert (await fails(post(client, timeout=0.05))).fault is Fault.BUSY
        streams.pop().close()
        await post(client)
        for response in streams:
            response.close()


async def test_a_reader_that_is_slow_holds_the_server_back_and_loses_nothing() -> None:
    total = 64
    sent: list[int] = []

    async def flood(_: Received, wire: Wire) -> None:
        await wire.send(event_stream())
        for number in range(total):
            await wire.send(chunk(bytes([number]) * 262_144))
            sent.append(number)
        await wire.send(END)

    async with Peer(flood) as peer, client_of(peer) as client:
        response = await post(client)
        assert response.stream is not None
        first = await anext(response.stream)
        for _ in range(200):
            await asyncio.sleep(0)
        assert len(sent) < total
        size = len(first)
        async for part in response.stream:
            size += len(part)
        assert size == total * 262_144


async def test_closing_the_client_fails_what_is_under_way() -> None:
    async def silent(_: Received, wire: Wire) -> None:
        await wire.gone.wait()

    async with Peer(silent) as peer:
        client = client_of(peer, Limits(connections=1))
        waiting = [asyncio.create_task(fails(post(client))) for _ in range(2)]
        await until(lambda: bool(peer.requests) and "waiting=1" in repr(client))
        await client.aclose()
        assert [error.sent for error in await asyncio.gather(*waiting)] == [True, False]
        assert (await fails(post(client))).fault is Fault.LOST
        await client.aclose()


async def test_a_unix_socket_is_reached_by_its_path(tmp_path: Path) -> None:
    path = str(tmp_path / "s")
    async with Peer(sending(answer(b"[]")), uds=path) as peer:
        async with HttpClient(split_url("http://localhost/status", path)[0]) as client:
            assert (await client.request("GET", "/status")).body == b"[]"
            assert peer.requests[0].headers["host"] == "localhost"
        async with HttpClient(split_url("http://localhost/", str(tmp_path / "none"))[0]) as client:
            assert (await fails(client.request("GET", "/"))).fault is Fault.UNREACHABLE


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A key and a self-signed certificate for 127.0.0.1, in one file."""
    folder = tmp_path_factory.mktemp("tls")
    command = (
        "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=peer"
    )
    subprocess.run(
        [
            *command.split(),
            "-addext",
            "subjectAltName=IP:127.0.0.1",
            "-keyout",
            folder / "key",
            "-out",
            folder / "crt",
        ],
        check=True,
        capture_output=True,
        timeout=30,
    )
    both = folder / "both"
    both.write_bytes((folder / "key").read_bytes() + (folder / "crt").read_bytes())
    return both


async def test_https_needs_a_certificate_that_is_trusted(certificate: Path) -> None:
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(certificate)
    trusting = ssl.create_default_context(cafile=certificate)

    async def echo(request: Received, wire: Wire) -> None:
        await wire.send(answer(request.body))

    body = b"x" * 1_000_000
    async with Peer(echo, tls=server) as peer:
        async with client_of(peer, tls=trusting) as client:
            assert (await post(client, body)).body == body
            assert (await post(client)).status == 200
            assert peer.connections == 1
        async with client_of(peer) as client:
            error = await fails(post(client))
            assert (error.fault, error.sent) == (Fault.UNREACHABLE, False)
            assert "certificate" in error.what


@pytest.mark.parametrize("value", ["a\r\nx: y", "a\nb", "a\rb", "a\0b", "a\x85b", "€"])
def test_a_header_value_that_would_break_its_line_is_refused(value: str) -> None:
    with pytest.raises(ValueError, match="the header x-a"):
        field_lines([("x-a", value)])


@pytest.mark.parametrize("name", ["", "a b", "a:", "ä", "a\r\nb"])
def test_a_header_name_that_is_none_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="not the name of a header"):
        field_lines([(name, "x")])


@given(st.text(), st.text())
def test_header_lines_are_one_line_each(name: str, value: str) -> None:
    try:
        line = field_lines([(name, value)])
    except ValueError:
        return
    assert line.endswith(b"\r\n")
    assert len(line.splitlines()) == 1


class _Keeper:
    """What a pool hears."""

    def __init__(self) -> None:
        self.heard: list[str] = []

    def released(self, connection: Connection) -> None:
        self.heard.append("released")

    def streaming(self, connection: Connection) -> None:
        self.heard.append("streaming")

    def lost(self, connection: Connection) -> None:
        self.heard.append("lost")


class _Sink(asyncio.Transport):
    """A transport that goes nowhere."""

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Forget."""

    def abort(self) -> None:
        """Nothing to end."""

    def is_closing(self) -> bool:
        return False


async def _read_in_parts(parts: list[bytes]) -> tuple[int, dict[bytes, bytes], bytes, list[str]]:
    keeper = _Keeper()
    connection = Connection(keeper, 1_000_000)
    connection.connection_made(_Sink())
    waiter = connection.start(b"", b"", 1e9, 0)
    for part in parts:
        connection.data_received(part)
    response = await asyncio.wait_for(waiter, LIMIT)
    body = response.body
    if response.stream is not None:
        body = b"".join([data async for data in response.stream])
    return response.status, response.headers, body, keeper.heard


def _chunked(body: bytes, sizes: list[int]) -> bytes:
    wire = b""
    for size in sizes:
        piece, body = body[:size], body[size:]
        wire += chunk(piece) if piece else b""
    return wire + (chunk(body) if body else b"") + b"0\r\nx-trailer: 1\r\n\r\n"


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    body=st.binary(max_size=300),
    sizes=st.lists(st.integers(1, 50), max_size=5),
    kind=st.sampled_from(["application/json", "text/event-stream"]),
    framing=st.sampled_from(["length", "chunked"]),
    interim=st.booleans(),
    cuts=st.lists(st.integers(0, 700), max_size=12),
)
async def test_a_response_cut_anywhere_reads_the_same(  # noqa: PLR0917 - one for each strategy
    body: bytes,
    sizes: list[int],
    kind: str,
    framing: str,
    interim: bool,
    cuts: list[int],
) -> None:
    wire = b"HTTP/1.1 103 Early Hints\r\nlink: a\r\n\r\n" if interim else b""
    wire += b"HTTP/1.1 200 OK\r\ncontent-type: %b\r\nx-a: 1\r\n" % kind.encode()
    if framing == "length":
        wire += b"content-length: %d\r\n\r\n%b" % (len(body), body)
    else:
        wire += b"transfer-encoding: chunked\r\n\r\n" + _chunked(body, sizes)
    edges = sorted({0, len(wire), *(cut for cut in cuts if cut < len(wire))})
    parts = [wire[start:end] for start, end in pairwise(edges)]
    whole = await _read_in_parts([wire])
    assert await _read_in_parts(parts) == whole
    assert whole[0] == 200
    assert whole[2] == body
    assert whole[3][-1] == "released"


@given(st.binary(max_size=200), st.lists(st.integers(0, 200), max_size=5))
async def test_no_bytes_at_all_break_the_reader(noise: bytes, cuts: list[int]) -> None:
    keeper = _Keeper()
    connection = Connection(keeper, 1000)
    connection.connection_made(_Sink())
    waiter = connection.start(b"", b"", 1e9, 0)
    wire = b"HTTP/1.1 200 OK\r\n" + noise
    edges = sorted({0, len(wire), *(cut for cut in cuts if cut < len(wire))})
    for start, end in pairwise(edges):
        if connection.is_open:
            connection.data_received(wire[start:end])
    connection.connection_lost(None)
    assert waiter.done()
    assert waiter.exception() is None or isinstance(waiter.exception(), HttpError)
    assert keeper.heard[-1] == "lost"
