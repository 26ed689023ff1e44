"""Which addresses may be connected to on the word of a configuration."""

import ipaddress
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.http_peer import Peer, Received, Wire, answer

from onemcp.net.fault import Fault, HttpError
from onemcp.net.http1 import HttpClient
from onemcp.net.origin import split_url
from onemcp.net.reach import is_public, look_up

pytestmark = pytest.mark.anyio

REFUSED = {
    "this network": ["0.0.0.0", "0.255.255.255"],
    "private": ["10.0.0.1", "172.16.0.1", "172.31.255.255", "192.168.1.1"],
    "shared": ["100.64.0.1", "100.127.255.255"],
    "loopback": ["127.0.0.1", "127.255.255.254", "::1"],
    "link-local": ["169.254.169.254", "fe80::1", "fe80::1%eth0", "febf::1"],
    "protocols of the IETF": ["192.0.0.0", "192.0.0.9", "192.0.0.192", "192.0.0.255", "2001:1::1"],
    "documentation": ["192.0.2.1", "198.51.100.1", "203.0.113.1", "2001:db8::1", "3fff::1", "3fff:fff::1"],
    "relays of 6to4": ["192.88.99.0", "192.88.99.255"],
    "benchmarks": ["198.18.0.1", "198.19.255.255", "2001:2::1"],
    "multicast": ["224.0.0.1", "239.255.255.255", "ff02::1", "ff0e::1"],
    "reserved": ["240.0.0.1", "255.255.255.255", "4000::1", "fe00::1"],
    "unspecified": ["::"],
    "discard": ["100::1", "100:0:0:1::1"],
    "segments": ["5f00::1", "5f00:ffff::1"],
    "site-local": ["fec0::1", "feff::1"],
    "unique local": ["fc00::1", "fd00:ec2::254"],
    "mapped": ["::ffff:127.0.0.1", "::ffff:10.0.0.1", "::ffff:169.254.169.254", "::ffff:192.0.0.192"],
    "translated": ["::ffff:0:127.0.0.1", "::ffff:0:1.1.1.1"],
    "compatible": ["::127.0.0.1", "::10.0.0.1", "::1.1.1.1"],
    "NAT64": ["64:ff9b::7f00:1", "64:ff9b::a9fe:a9fe", "64:ff9b::c000:c0"],
    "NAT64 of one's own": ["64:ff9b:1::1", "64:ff9b:1:ffff::1.1.1.1"],
    "6to4": ["2002:7f00:1::", "2002:a9fe:a9fe::1", "2002:101:101::1"],
    "Teredo": ["2001::1", "2001:0:4136:e378:8000:63bf:3fff:fdd2"],
    "no address": ["localhost", "", "1.1.1", "1.1.1.1.1", "[::1]"],
}

TAKEN = [
    "1.1.1.1",
    "93.184.216.34",
    "100.63.255.255",
    "172.32.0.1",
    "192.0.1.1",
    "192.88.98.1",
    "198.17.255.255",
    "223.255.255.255",
    "2606:4700:4700::1111",
    "2001:4860:4860::8888",
    "2003::1",
    "2400::1",
    "::ffff:1.1.1.1",
    "64:ff9b::101:101",
]


@pytest.mark.parametrize("address", [each for addresses in REFUSED.values() for each in addresses])
def test_what_is_not_of_the_internet_at_large_is_not_public(address: str) -> None:
    assert not is_public(address)


@pytest.mark.parametrize("address", TAKEN)
def test_what_is_is(address: str) -> None:
    assert is_public(address)


@given(st.ip_addresses(v=4) | st.ip_addresses(network="2000::/3"))
def test_nothing_is_public_that_python_does_not_call_global(
    address: ipaddress.IPv4Address | ipaddress.IPv6Address,
) -> None:
    assert address.is_global or not is_public(str(address))


@given(st.ip_addresses(v=4))
def test_an_ipv4_address_is_as_public_inside_an_ipv6_one(address: ipaddress.IPv4Address) -> None:
    mapped = ipaddress.IPv6Address(f"::ffff:{address}")
    assert is_public(str(mapped)) == is_public(str(address))


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "localhost", "::1", "169.254.169.254", "2130706433", "0x7f.1", "0"]
)
async def test_a_host_that_leads_into_the_own_network_is_refused_however_it_is_written(host: str) -> None:
    with pytest.raises(HttpError) as raised:
        await look_up(host, 80)
    assert raised.value.fault is Fault.REFUSED
    assert not raised.value.sent


async def test_it_is_found_where_that_is_allowed() -> None:
    assert await look_up("127.0.0.1", 80, allow_private=True) == "127.0.0.1"
    assert await look_up("1.1.1.1", 443) == "1.1.1.1"


async def test_a_host_that_is_not_there_is_unreachable() -> None:
    with pytest.raises(HttpError) as raised:
        await look_up("nowhere.invalid", 443)
    assert raised.value.fault is Fault.UNREACHABLE


async def test_an_address_that_was_looked_up_is_what_is_connected_to() -> None:
    async def handler(_: Received, wire: Wire) -> None:
        await wire.send(answer(b"{}"))

    async with Peer(handler) as peer:
        origin = split_url(f"http://no-such-host.invalid:{peer.port}/")[0]
        async with HttpClient(replace(origin, address="127.0.0.1")) as client:
            response = await client.request("POST", "/", body=b"{}", timeout=5)
        assert response.status == 200
        assert peer.requests[0].headers["host"] == f"no-such-host.invalid:{peer.port}"
