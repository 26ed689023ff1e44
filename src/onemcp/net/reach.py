"""Which addresses may be connected to on somebody's word: a URL from outside must not lead into the own network."""

import asyncio
import socket
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address
from typing import Final

from onemcp.net.fault import Fault, HttpError

_NAT64: Final = IPv6Network("64:ff9b::/96")
"""IPv4 addresses behind a translator (RFC 6052)."""


def is_public(address: str) -> bool:
    """Whether an address is one of the internet at large.

    No loopback, link-local (with the metadata services of clouds), private, shared, reserved or multicast address is,
    however it is written inside an IPv6 one. What is no address is not public either.
    """
    try:
        found = ip_address(address.partition("%")[0])
    except ValueError:
        return False
    return all(
        part.is_global and not (part.is_multicast or part.is_reserved or part.is_unspecified)
        for part in _parts(found)
    )


def _parts(address: IPv4Address | IPv6Address) -> list[IPv4Address | IPv6Address]:
    """The address, or what is really meant by one that has an IPv4 address inside."""
    if isinstance(address, IPv4Address):
        return [address]
    if address.ipv4_mapped is not None:
        return [address.ipv4_mapped]
    if address in _NAT64:
        return [IPv4Address(int(address) & 0xFFFFFFFF)]
    teredo = address.teredo or ()
    six_to_four = (address.sixtofour,) if address.sixtofour is not None else ()
    return [address, *teredo, *six_to_four]


async def look_up(host: str, port: int, *, allow_private: bool = False) -> str:
    """The address of a host, to be connected to as it is: a second look could find another one.

    Raises:
        HttpError: it has none, or one of them is not public and that is not allowed; nothing was sent.
    """
    loop = asyncio.get_running_loop()
    try:
        found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise HttpError(Fault.UNREACHABLE, f"has a host that cannot be found: {reason}", sent=False) from None
    addresses = [str(info[4][0]) for info in found]
    if not addresses:
        raise HttpError(Fault.UNREACHABLE, "has a host that has no address", sent=False)
    if not allow_private and not all(map(is_public, addresses)):
        raise HttpError(Fault.REFUSED, "has an address that is not public", sent=False)
    return addresses[0]
