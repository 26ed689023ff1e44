"""Names are found, and those that are not hold up nothing."""

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


async def test_an_address_is_its_own_address() -> None:
    assert await addresses_of("127.0.0.1", 80) == ["127.0.0.1"]
    assert await addresses_of("::1", 80) == ["::1"]


async def test_a_name_that_is_none_is_an_error() -> None:
    with pytest.raises(OSError, match=r"not known|No address|failure"):
        await addresses_of("nowhere.invalid", 80)
    with pytest.raises(OSError, match="its host is no name"):
        await addresses_of("a..b", 80)


async def test_each_lookup_gives_its_place_back() -> None:
    for _ in range(MOST + 1):
        await addresses_of("127.0.0.1", 80)


def test_names_that_nobody_answers_for_hold_up_neither_others_nor_the_end(tmp_path: Path) -> None:
    servers = tmp_path / "resolv.conf"
    servers.write_text("nameserver 127.0.0.9\n")
    lay = 'ip link set lo up && mount --bind "$1" /etc/resolv.conf && exec "$2" -c "$3"'
    argv = ["unshare", "--mount", "--net", "sh", "-c", lay, "sh", str(servers), sys.executable, STUCK]
    if os.getuid() != 0:
        argv.insert(1, "--map-root-user")
    done = subprocess.run(argv, capture_output=True, text=True, timeout=9, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "done\n", "")
