"""The guard against DNS rebinding: only names that the operator knows may be in Host, only their pages in Origin.

Source: security best practices (MCP 2025-11-25), transports, "Security warning".
"""

from collections.abc import Iterable
from ipaddress import IPv4Address, IPv6Address
from string import ascii_lowercase, digits
from typing import Final
from urllib.parse import urlsplit

from onemcp.web.http.request import Request

LOOPBACK: Final = frozenset({"localhost", "127.0.0.1", "[::1]"})
_ITSELF: Final = b"localhost"
_REMEMBERED: Final = 256
_LONG: Final = 1024
_IN_NAMES: Final = frozenset(ascii_lowercase + digits + "-._~%!$&'()*+,;=")
"""What a name may consist of, in lower case (RFC 3986, section 3.2.2)."""


class Guard:
    """Judges the Host and Origin headers of requests."""

    def __init__(self, hosts: Iterable[str], origins: Iterable[str]) -> None:
        self._judged: dict[tuple[bytes, bytes], str] = {}
        self.adopt(hosts, origins)

    def adopt(self, hosts: Iterable[str], origins: Iterable[str]) -> None:
        """Allow these and no others from now on, beside this machine's own names."""
        self._hosts = frozenset(host.lower() for host in hosts) | LOOPBACK
        self._origins = frozenset(origin.lower().rstrip("/") for origin in origins)
        self._judged.clear()

    def objection(self, host: bytes, origin: bytes) -> str:
        """Why the request is refused; empty if it is not."""
        verdict = self._judged.get((host, origin))
        if verdict is None:
            verdict = self._judge(host.decode("latin-1").lower(), origin.decode("latin-1").lower())
            if len(host) + len(origin) > _LONG:
                return verdict
            if len(self._judged) >= _REMEMBERED:
                self._judged.clear()
            self._judged[host, origin] = verdict
        return verdict

    def objection_to_page(self, origin: bytes) -> str:
        """The same for what is served under any Host: a page still has to be a known one."""
        return self.objection(_ITSELF, origin)

    def _judge(self, host: str, origin: str) -> str:
        if host and not host_name(host):
            return f"Host {host} is none"
        if not self._knows(host):
            return f"Host {host or '(none)'} is not allowed here; start with --allowed-hosts {host_name(host) or 'NAME'} to allow it"
        if origin and origin.rstrip("/") not in self._origins and not self._is_own(origin):
            return f"Origin {origin} is not allowed here; start with --allowed-origins {origin} to allow it"
        return ""

    def _knows(self, host: str) -> bool:
        return "*" in self._hosts or host in self._hosts or host_name(host) in self._hosts

    def _is_own(self, origin: str) -> bool:
        """A page that came from a host which is allowed is the operator's own."""
        try:
            parts = urlsplit(origin)
        except ValueError:  # brackets around what is no address
            return False
        return parts.scheme in ("http", "https") and "*" not in self._hosts and self._knows(parts.netloc)


def host_name(host: str) -> str:
    """The host without its port, in lower case; IPv6 addresses keep their brackets. Empty if it is none.

    Source: RFC 9110, section 7.2; RFC 3986, section 3.2.
    """
    host = host.lower()
    if host.startswith("["):
        address, bracket, port = host.partition("]")
        name = address + bracket if bracket and _is_ipv6(address[1:]) else ""
    else:
        name, colon, port = host.partition(":")
        port = colon + port
        if not _IN_NAMES.issuperset(name):
            return ""
    number = port.removeprefix(":")
    is_port = not port or (port != number and number.isascii() and (number.isdigit() or not number))
    return name if is_port else ""


def twice(request: Request) -> str:
    """Host or Origin if it is there more than once: whoever stands in front may have judged the other one."""
    names = [name for name, _ in request.header_lines]
    return next((name.decode() for name in (b"host", b"origin") if names.count(name) > 1), "")


def is_address(host: str) -> bool:
    """Whether it is an IPv4 address, or an IPv6 address in brackets, with or without a port."""
    name = host_name(host)
    return name.startswith("[") or _is_ipv4(name)


def _is_ipv6(text: str) -> bool:
    try:
        IPv6Address(text)
    except ValueError:
        return False
    return True


def _is_ipv4(text: str) -> bool:
    try:
        IPv4Address(text)
    except ValueError:
        return False
    return True
