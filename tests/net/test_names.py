"""Names are found, and those that are not hold up nothing."""

import asyncio
import os
import subprocess
import sys
from pathlib import Path

import pytest

from onemcp.net.names import MOST, addresses_of

pytestmark = pytest.mark.anyio

STUCK = """
import asyncio, socket, sys, uvloop
from onemcp.net.names import addresses_of

async def main():
    silent = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    silent.bind(("127.0.0.9", 53))
    lost = [asyncio.ensure_future(addresses_of(f"lost-{number}.example.com", 80)) for number in range(8)]
    async with asyncio.timeout(3):
        assert "127.0.0.1" in await addresses_of("localhost", 80)
        await asyncio.get_running_loop().getaddrinfo("localhost", 80)
    for task in lost:
        task.cancel()
    outcomes = await asyncio.gather(*lost, return_exceptions=True)
    assert all(isinstance(outcome, asyncio.CancelledError) for outcome in outcomes), outcomes

uvloop.run(main())
print("done")
"""
"""Run where the only name server says nothing; the resolver takes ten seconds and more to give a name up."""
STUCK_SERVERS = """
import asyncio, socket, uvloop
from contextlib import AsyncExitStack
from onemcp.net.fault import HttpError
from onemcp.net.http1 import HttpClient
from onemcp.net.origin import Origin
from onemcp.net.pool import Limits

async def serve(reader, writer):
    await reader.readuntil(b"\\r\\n\\r\\n")
    writer.write(b"HTTP/1.1 204 No Content\\r\\nconnection: close\\r\\n\\r\\n")
    writer.close()

async def main():
    silent = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    silent.bind(("127.0.0.9", 53))
    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with AsyncExitStack() as stack:
        lost = []
        for number in range(8):
            client = HttpClient(Origin("http", f"lost-{number}.example.com", 80), Limits(connect_timeout=2))
            await stack.enter_async_context(client)
            lost.append(asyncio.ensure_future(client.request("GET", "/", timeout=2)))
        well = await stack.enter_async_context(HttpClient(Origin("http", "localhost", port)))
        await asyncio.sleep(0)
        assert (await well.request("GET", "/", timeout=1.5)).status == 204
        assert not any(task.done() for task in lost)
        outcomes = await asyncio.gather(*lost, return_exceptions=True)
    assert all("accept connections in time" in outcome.what for outcome in outcomes), outcomes
    server.close()

uvloop.run(main())
print("done")
"""


async def test_an_address_is_its_own_address() -> None:
    assert await addresses_of("127.0.0.1", 80) == ["127.0.0.1"]
    assert await addresses_of("::1", 80) == ["::1"]


async def test_a_name_that_is_none_is_an_error() -> None:
    with pytest.raises(OSError, match=r"not known|No address|failure"):
        await addresses_of("nowhere.invalid", 80)
    with pytest.raises(OSError, match="its host is no name"):
        await addresses_of("a..b", 80)


async def test_more_names_than_places_are_all_found() -> None:
    asked = [addresses_of("localhost", port) for port in range(1, 3 * MOST)]
    async with asyncio.timeout(10):
        answers = await asyncio.gather(*asked)
    assert all("127.0.0.1" in answer for answer in answers)


async def test_whoever_wants_the_same_name_shares_its_lookup_and_may_leave_it() -> None:
    asked = [asyncio.ensure_future(addresses_of("localhost", 80)) for _ in range(3 * MOST)]
    await asyncio.sleep(0)
    asked[0].cancel()
    async with asyncio.timeout(10):
        answers = await asyncio.gather(*asked, return_exceptions=True)
    assert isinstance(answers[0], asyncio.CancelledError)
    assert all(isinstance(answer, list) and "127.0.0.1" in answer for answer in answers[1:])


def with_a_silent_name_server(program: str, folder: Path) -> tuple[int, str, str]:
    """What becomes of a Python program on a machine of its own, whose name server is 127.0.0.9."""
    servers = folder / "resolv.conf"
    servers.write_text("nameserver 127.0.0.9\n")
    lay = 'ip link set lo up && mount --bind "$1" /etc/resolv.conf && exec "$2" -c "$3"'
    unshare = ["unshare", *(["--map-root-user"] if os.getuid() != 0 else []), "--mount", "--net"]
    try:
        may = subprocess.run([*unshare, "ip", "link"], capture_output=True, text=True, timeout=9, check=False)
    except FileNotFoundError as error:
        pytest.skip(f"this machine has no {error.filename}")
    if may.returncode:
        pytest.skip(f"this machine gives no namespaces: {may.stderr.strip()}")
    argv = [*unshare, "sh", "-c", lay, "sh", str(servers), sys.executable, program]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=9, check=False)
    return done.returncode, done.stdout, done.stderr


def test_names_that_nobody_answers_for_hold_up_neither_others_nor_the_end(tmp_path: Path) -> None:
    assert with_a_silent_name_server(STUCK, tmp_path) == (0, "done\n", "")


def test_servers_whose_names_nobody_answers_for_hold_up_no_other_server(tmp_path: Path) -> None:
    assert with_a_silent_name_server(STUCK_SERVERS, tmp_path) == (0, "done\n", "")
