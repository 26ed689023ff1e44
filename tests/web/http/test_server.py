"""Binding and stopping."""

import asyncio
import json
import socket
import stat
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest
from tests.support.channels import until
from tests.web.http.conftest import Open, Wire

from onemcp.errors import StartError
from onemcp.web.exchange import KEEP_ALIVE
from onemcp.web.forwarded import Client, Trust
from onemcp.web.http.request import Request
from onemcp.web.http.response import Response
from onemcp.web.http.server import bind, bind_unix, serving

pytestmark = pytest.mark.anyio

GET = b"GET / HTTP/1.1\r\nHost: h\r\n\r\n"


def test_a_port_in_use_is_told_with_the_way_out() -> None:
    with bind("127.0.0.1", 0) as first:
        port = first.getsockname()[1]
        with pytest.raises(StartError, match=f"port {port} on 127.0.0.1 is in use; .*--port"):
            bind("127.0.0.1", port)


@pytest.mark.parametrize("host", ["256.1.1.1", "192.0.2.1", "no such host"])
def test_a_foreign_address_is_told(host: str) -> None:
    with pytest.raises(StartError, match=f"{host} is no address of this machine"):
        bind(host, 0)


def test_a_unix_socket_is_private_and_replaces_a_dead_one(tmp_path: Path) -> None:
    path = tmp_path / "control.sock"
    for _ in range(2):
        with bind_unix(path) as sock:
            assert sock.family is socket.AF_UNIX
            assert stat.S_IMODE(path.stat().st_mode) == 0o600
    with pytest.raises(StartError, match="--state-dir"):
        bind_unix(tmp_path / "missing" / "control.sock")


async def test_stopping_finishes_what_is_in_flight_and_closes_what_is_idle(site: Open) -> None:
    gate, began = asyncio.Event(), asyncio.Event()

    async def slow(request: Request, response: Response) -> None:
        began.set()
        await gate.wait()
        response.send(200, b"done")

    async with site(slow) as it, it.connect() as idle, it.connect() as busy:
        busy.send(GET)
        await began.wait()
        stopping = asyncio.ensure_future(it.server.stop())
        assert await idle.closed() == b""
        gate.set()
        assert (await busy.answer())[2] == b"done"
        await stopping
        assert not it.server.connections


POST = b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 10\r\n\r\n"


@pytest.mark.parametrize("half", [b"GET / HT", POST, POST + b"12345"])
async def test_a_request_that_is_half_way_when_it_stops_is_told_that_nothing_was_done(
    half: bytes, site: Open
) -> None:
    whole = (GET if half.startswith(b"GET") else POST + b"1234567890")[len(half) :]
    async with site() as it, it.connect() as wire, it.connect() as other:
        for one in (wire, other):
            one.send(half)
        await until(lambda: sum(c.is_half_way for c in it.server.connections) == 2)
        it.server.grace = 0.3
        stopping = asyncio.ensure_future(it.server.stop())
        await asyncio.sleep(0)
        wire.send(whole)
        for one in (wire, other):
            status, headers, body = await one.answer()
            assert (status, headers["retry-after"], headers["connection"]) == (503, "5", "close")
            assert "nothing was done" in json.loads(body)["error"]["message"]
            assert await one.closed() == b""
            one.writer.close()
        await stopping
        assert not it.seen
        assert not it.server.connections


async def test_a_request_that_never_becomes_whole_does_not_hold_up_the_end(site: Open) -> None:
    async with site() as it, it.connect() as wire:
        wire.send(POST)
        await until(lambda: any(c.is_half_way for c in it.server.connections))
        it.server.grace = 0.05
        async with asyncio.timeout(5):
            await it.server.stop()
        assert not it.server.connections


async def test_what_never_finishes_is_cut() -> None:
    began, cancelled = asyncio.Event(), asyncio.Event()

    async def never(request: Request, response: Response) -> None:
        began.set()
        try:
            await asyncio.Event().wait()
        finally:
            cancelled.set()

    sock = bind("127.0.0.1", 0)
    port = sock.getsockname()[1]
    async with serving(never, sock, 1000, grace=0.01):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(GET)
        async with asyncio.timeout(5):
            await began.wait()
    assert cancelled.is_set()
    assert await Wire(reader, writer).closed() == b""
    writer.close()
    with suppress(OSError):
        await writer.wait_closed()


async def test_after_the_end_nobody_is_let_in(site: Open) -> None:
    async with site() as it:
        port = it.port
    with pytest.raises(ConnectionError):
        await asyncio.open_connection("127.0.0.1", port)


async def test_once_discouraged_every_answer_ends_its_connection(site: Open) -> None:
    """Those that are idle are left alone, so that no client loses a request which it is just sending."""
    async with site() as it, it.connect() as used, it.connect() as idle:
        used.send(GET)
        assert "connection" not in (await used.answer())[1]
        idle.send(GET)
        await idle.answer()
        it.server.discourage()
        used.send(GET)
        status, headers, _ = await used.answer()
        assert (status, headers["connection"]) == (200, "close")
        assert await used.closed() == b""
        assert len(it.server.connections) == 1
        idle.send(GET)
        assert (await idle.answer())[0] == 200


async def test_an_answer_that_is_awaited_when_it_is_discouraged_says_so_too(site: Open) -> None:
    asked, go = asyncio.Event(), asyncio.Event()

    async def slow(_request: Request, response: Response) -> None:
        asked.set()
        await go.wait()
        response.send(200)

    async with site(slow) as it, it.connect() as wire:
        wire.send(GET)
        await asked.wait()
        it.server.discourage()
        go.set()
        assert (await wire.answer())[1]["connection"] == "close"


async def test_a_stream_that_has_begun_goes_on_and_so_does_its_connection(site: Open) -> None:
    begun, go = asyncio.Event(), asyncio.Event()

    async def stream(request: Request, response: Response) -> None:
        response.begin(200, b"")
        begun.set()
        await go.wait()
        response.end()

    async with site(stream) as it, it.connect() as wire:
        wire.send(GET)
        await begun.wait()
        it.server.discourage()
        go.set()
        assert "connection" not in (await wire.answer())[1]
        wire.send(GET)
        assert (await wire.answer())[1]["connection"] == "close"


async def test_what_a_request_says_of_its_client_is_believed_of_trusted_peers_only() -> None:
    seen: list[Client] = []

    async def note(request: Request, response: Response) -> None:
        seen.append(request.client)
        response.send(200)

    for trust in (Trust.parse(["loopback"]), Trust.parse(["none"])):
        sock = bind("127.0.0.1", 0)
        async with serving(note, sock, 1000, trust=trust):
            reader, writer = await asyncio.open_connection("127.0.0.1", sock.getsockname()[1])
            writer.write(b"GET / HTTP/1.1\r\nhost: a\r\nx-forwarded-for: 203.0.113.7\r\n\r\n")
            await Wire(reader, writer).answer()
            writer.close()
    assert seen == [Client("203.0.113.7", "http", "a"), Client("127.0.0.1", "http", "a")]


@pytest.mark.skipif(not hasattr(socket, "TCP_USER_TIMEOUT"), reason="this system has no TCP_USER_TIMEOUT")
async def test_a_peer_that_vanished_is_given_up_by_the_machine_within_a_minute(site: Open) -> None:
    async with site() as it, it.connect() as wire:
        wire.send(GET)
        await wire.answer()
        (connection,) = it.server.connections
        accepted = connection._transport.get_extra_info("socket")
        assert accepted.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE) == 1
        unacknowledged = accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT) / 1000
        assert unacknowledged + KEEP_ALIVE <= 60


LIMITED = """
import asyncio, resource, select, sys
import uvloop
from onemcp.web.http.server import bind, serving

async def main():
    async def answer(request, response):
        response.send(200, b"%d" % len(select.select([sock], [], [], 0)[0]))
    sock = bind("127.0.0.1", 0)
    async with serving(answer, sock, 1000):
        print(sock.getsockname()[1], flush=True)
        await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)

resource.setrlimit(resource.RLIMIT_NOFILE, (40, 40))
uvloop.run(main())
"""
"""A server with few descriptors, which answers how many listening sockets have somebody waiting."""


async def test_without_descriptors_it_serves_whom_it_has_and_sends_the_others_away() -> None:
    """A connection that nobody accepts would wake the loop again at once, for as long as it waits."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", LIMITED, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert process.stdin is not None
    assert process.stdout is not None
    opened: list[Wire] = []
    try:
        port = int(await process.stdout.readline())
        first = Wire(*await asyncio.open_connection("127.0.0.1", port))
        opened = [Wire(*await asyncio.open_connection("127.0.0.1", port)) for _ in range(80)]
        served = [await waiting(wire) for wire in opened]
        assert None in served  # those beyond the limit are sent away
        assert await waiting(first) == 0
        for wire in opened:
            wire.writer.close()
        async with asyncio.timeout(10):
            while await waiting(again := Wire(*await asyncio.open_connection("127.0.0.1", port))) is None:
                again.writer.close()
        again.writer.close()
        first.writer.close()
    finally:
        process.stdin.close()
        await process.wait()


async def waiting(wire: Wire) -> int | None:
    """Whether somebody waits to be accepted, as the server says; None if it has hung up."""
    try:
        wire.send(GET)
        return int((await wire.answer())[2])
    except (ConnectionError, asyncio.IncompleteReadError):
        return None
