"""Binding and stopping."""

import asyncio
import socket
import stat
from pathlib import Path

import pytest
from tests.web.http.conftest import Open, Wire

from onemcp.errors import StartError
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


async def test_what_never_finishes_is_cut() -> None:
    cancelled = asyncio.Event()

    async def never(request: Request, response: Response) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            cancelled.set()

    sock = bind("127.0.0.1", 0)
    port = sock.getsockname()[1]
    async with serving(never, sock, 1000, grace=0.01) as server:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(GET)
        async with asyncio.timeout(5):
            while not server.connections or next(iter(server.connections)).is_idle:
                await asyncio.sleep(0)
    assert cancelled.is_set()
    assert await Wire(reader, writer).closed() == b""
    writer.close()


async def test_after_the_end_nobody_is_let_in(site: Open) -> None:
    async with site() as it:
        port = it.port
    with pytest.raises(ConnectionError):
        await asyncio.open_connection("127.0.0.1", port)
