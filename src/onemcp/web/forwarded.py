"""Who really asks, when a proxy stands in front: X-Forwarded-For, -Proto and -Host, or Forwarded (RFC 7239).

Anybody can write these headers. So they count only when the peer is trusted, and the list of addresses is read from
its right end, where the nearest proxy wrote: the first address that is not trusted is the client, and what stands to
the left of it is that client's own word. Where the X- headers are there, Forwarded is ignored: a proxy that sets the
ones passes the other on as the client sent it.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from typing import Final, Self

TAKES: Final = (
    "none, loopback, linklocal, uniquelocal, addresses and networks (10.1.2.3, 10.0.0.0/8), or alone a number of "
    "proxies in a row"
)
"""The words of `--trust-proxy`, for a person."""
MAX_HOPS: Final = 32

_Network = IPv4Network | IPv6Network
_Lines = Sequence[tuple[bytes, bytes]]

_NETWORKS: Final = {
    "loopback": ("127.0.0.0/8", "::1/128"),
    "linklocal": ("169.254.0.0/16", "fe80::/10"),
    "uniquelocal": ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7"),
}
_NOBODY: Final = frozenset({"none", "false"})
_SCHEMES: Final = frozenset({"http", "https"})
_REMEMBERED: Final = 1024
_LONGEST: Final = 64
"""Characters of an address with its port."""


@dataclass(frozen=True, slots=True)
class Client:
    """Who asks, and what they asked for."""

    address: str
    """Without a port; empty if nobody can tell."""
    scheme: str
    host: str
    """As the Host header has it: with the port, if one was named."""


class Trust:
    """Whose word about other clients is believed: those in some networks, or so many proxies in a row."""

    def __init__(self, networks: Iterable[_Network] = (), hops: int = 0) -> None:
        self._networks = tuple(networks)
        self._hops = hops
        self._judged: dict[str, bool] = {}

    @classmethod
    def parse(cls, words: Sequence[str]) -> Self:
        """The trust that the words of `--trust-proxy` mean.

        Raises:
            ValueError: one of them means none (`TAKES`); its text is that word.
        """
        if len(words) == 1 and words[0].isascii() and words[0].isdigit():
            if not 1 <= int(words[0][:4]) <= MAX_HOPS:
                raise ValueError(words[0])
            return cls(hops=int(words[0]))
        if len(words) == 1 and words[0].lower() in _NOBODY:
            return cls()
        return cls([network for word in words for network in _networks(word)])

    def trusts(self, peer: str) -> bool:
        """Whether the headers of this peer are believed; `peer` is an address as `ip_address` prints it."""
        if self._hops:
            return True
        known = self._judged.get(peer)
        if known is None:
            address = to_address(peer)
            known = bool(address) and any(ip_address(address) in network for network in self._networks)
            if len(self._judged) >= _REMEMBERED:
                self._judged.clear()
            self._judged[peer] = known
        return known

    def client(self, peer: str, lines: _Lines) -> Client:
        """Who asks, by the peer's address and all header lines (names in lower case)."""
        host = _last(lines, b"host")
        if not self.trusts(peer):
            return Client(peer, "http", host)
        senders, schemes, hosts = (
            _listed(lines, b"x-forwarded-" + name) for name in (b"for", b"proto", b"host")
        )
        if not (senders or schemes or hosts):
            elements = list(_elements(lines))
            senders, schemes, hosts = (
                [element.get(name, "") for element in elements] for name in ("for", "proto", "host")
            )
        address, depth = self._walk(to_address(peer) or peer, senders)
        scheme = _said(schemes, depth).lower()
        return Client(address, scheme if scheme in _SCHEMES else "http", _said(hosts, depth) or host)

    def _walk(self, peer: str, senders: Sequence[str]) -> tuple[str, int]:
        """The client's address, and how many proxies are between it and here."""
        found, depth = peer, 1
        for sender in reversed(senders):
            address = to_address(sender)
            if not address:
                break  # hidden, or nonsense: what is to the left of it has no author either
            found = address
            if not (depth < self._hops if self._hops else self.trusts(address)):
                break
            depth += 1
        return found, depth


NOBODY: Final = Trust()
"""No peer is believed."""


def to_address(text: str) -> str:
    """The address in `1.2.3.4:80`, `[::1]:80` or `::ffff:1.2.3.4`, in its usual form; empty if there is none."""
    text = text.strip(" \t")
    if len(text) > _LONGEST:
        return ""
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        address = ip_address(text.partition("%")[0])
    except ValueError:
        return ""
    mapped = getattr(address, "ipv4_mapped", None)
    return str(mapped or address)


def _networks(word: str) -> Iterator[_Network]:
    try:
        for text in _NETWORKS.get(word.lower(), (word,)):
            yield ip_network(text)
    except ValueError:
        raise ValueError(word) from None


def _said(values: Sequence[str], depth: int) -> str:
    """What the proxy in front of the client said; one that wrote over the words of others counts for all."""
    return values[-min(depth, len(values))].strip(" \t") if values else ""


def _last(lines: _Lines, wanted: bytes) -> str:
    return next((value.decode("latin-1") for name, value in reversed(lines) if name == wanted), "")


def _listed(lines: _Lines, wanted: bytes) -> list[str]:
    """The values of a header that is a list; a repeated one goes on where the one before ended."""
    joined = b",".join(value for name, value in lines if name == wanted)
    return joined.decode("latin-1").split(",") if joined else []


def _elements(lines: _Lines) -> Iterator[dict[str, str]]:
    """The elements of all Forwarded headers, in order."""
    joined = b",".join(value for name, value in lines if name == b"forwarded").decode("latin-1")
    for element in _split(joined, ",") if joined else ():
        pairs = (pair.partition("=") for pair in _split(element, ";"))
        yield {name.strip(" \t").lower(): _unquoted(value.strip(" \t")) for name, _, value in pairs}


def _split(text: str, separator: str) -> Iterator[str]:
    """The parts of a text between separators that are not in a quoted string."""
    begin, is_quoted, skips = 0, False, False
    for place, character in enumerate(text):
        if skips:
            skips = False
        elif is_quoted and character == "\\":
            skips = True
        elif character == '"':
            is_quoted = not is_quoted
        elif character == separator and not is_quoted:
            yield text[begin:place]
            begin = place + 1
    yield text[begin:]


def _unquoted(text: str) -> str:
    """The text of a token or a quoted string (RFC 9110, section 5.6.4)."""
    if len(text) < 2 or not (text[0] == text[-1] == '"'):
        return text
    plain, skips = "", False
    for character in text[1:-1]:
        skips = character == "\\" and not skips
        if not skips:
            plain += character
    return plain
