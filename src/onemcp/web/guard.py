"""The guard against DNS rebinding: only names that the operator knows may be in Host, only their pages in Origin.

Source: security best practices (MCP 2025-11-25), transports, "Security warning".
"""

from collections.abc import Iterable
from typing import Final
from urllib.parse import urlsplit

LOOPBACK: Final = frozenset({"localhost", "127.0.0.1", "[::1]"})
_REMEMBERED: Final = 256
_LONG: Final = 1024


class Guard:
    """Judges the Host and Origin headers of every request but those for health."""

    def __init__(self, hosts: Iterable[str], origins: Iterable[str]) -> None:
        self._hosts = frozenset(host.lower() for host in hosts) | LOOPBACK
        self._origins = frozenset(origin.lower().rstrip("/") for origin in origins)
        self._judged: dict[tuple[bytes, bytes], str] = {}

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

    def _judge(self, host: str, origin: str) -> str:
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
    """The host without its port; IPv6 addresses keep their brackets."""
    if host.startswith("["):
        return host.partition("]")[0] + "]"
    return host.partition(":")[0]
