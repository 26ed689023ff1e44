"""Which addresses may be connected to on somebody's word: a URL from outside must not lead into the own network.

Source: IANA's registries of special-purpose addresses (RFC 6890), written out because what Python's `is_global` says
of them differs between its versions.
"""

from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from typing import Final

from onemcp.net.fault import Fault, HttpError
from onemcp.net.names import addresses_of

_SPECIAL_4: Final = tuple(
    IPv4Network(network)
    for network in (
        "0.0.0.0/8",  # this network
        "10.0.0.0/8",  # private
        "100.64.0.0/10",  # shared by the customers of a provider
        "127.0.0.0/8",  # loopback
        "169.254.0.0/16",  # link-local, with the metadata services of clouds
        "172.16.0.0/12",  # private
        "192.0.0.0/24",  # protocols of the IETF; 192.0.0.192 is a metadata service as well
        "192.0.2.0/24",  # documentation
        "192.88.99.0/24",  # relays of 6to4
        "192.168.0.0/16",  # private
        "198.18.0.0/15",  # benchmarks
        "198.51.100.0/24",  # documentation
        "203.0.113.0/24",  # documentation
        "224.0.0.0/4",  # multicast
        "240.0.0.0/4",  # reserved, and broadcast
    )
)
_UNICAST_6: Final = IPv6Network("2000::/3")
"""All that is given out of IPv6. Outside are loopback, link-local, site-local, unique local, multicast, the discard
prefix, the identifiers of segments (5f00::/16), and IPv4 addresses in the forms that nobody uses any more."""
_SPECIAL_6: Final = tuple(
    IPv6Network(network)
    for network in (
        "2001::/23",  # protocols of the IETF, with Teredo, which has an IPv4 address inside
        "2001:db8::/32",  # documentation
        "2002::/16",  # 6to4, which has an IPv4 address inside
        "3fff::/20",  # documentation
    )
)
_NAT64: Final = IPv6Network("64:ff9b::/96")
"""IPv4 addresses behind a translator (RFC 6052): how a network without IPv4 reaches them."""


def is_public(address: str) -> bool:
    """Whether an address is one of the internet at large.

    No loopback, link-local (with the metadata services of clouds), private, shared, reserved or multicast address is,
    however it is written inside an IPv6 one. What is no address is not public either.
    """
    try:
        found = ip_address(address.partition("%")[0])
    except ValueError:
        return False
    meant = _meant(found)
    if isinstance(meant, IPv4Address):
        return not any(meant in network for network in _SPECIAL_4)
    return meant in _UNICAST_6 and not any(meant in network for network in _SPECIAL_6)


def _meant(address: IPv4Address | IPv6Address) -> IPv4Address | IPv6Address:
    """The address, or the IPv4 address that is reached by it."""
    if isinstance(address, IPv4Address):
        return address
    if address in _NAT64:
        return IPv4Address(int(address) & 0xFFFFFFFF)
    return address.ipv4_mapped or address


async def look_up(host: str, port: int, *, allow_private: bool = False) -> str:
    """The address of a host, to be connected to as it is: a second look could find another one.

    Raises:
        HttpError: it has none, or one of them is not public and that is not allowed; nothing was sent.
    """
    try:
        addresses = await addresses_of(host, port)
    except OSError as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise HttpError(Fault.UNREACHABLE, f"has a host that cannot be found: {reason}", sent=False) from None
    if not addresses:
        raise HttpError(Fault.UNREACHABLE, "has a host that has no address", sent=False)
    if not allow_private and not all(map(is_public, addresses)):
        raise HttpError(Fault.REFUSED, "has an address that is not public", sent=False)
    return addresses[0]
