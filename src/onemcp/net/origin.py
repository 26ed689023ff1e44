"""Where an HTTP server is: `Origin`, and how a URL is taken apart."""

from dataclasses import dataclass
from typing import Final
from urllib.parse import quote, urlsplit

MAX_NAME: Final = 253
MAX_LABEL: Final = 63
DEFAULT_PORTS: Final = {"http": 80, "https": 443}
_KEPT: Final = "%/:=&?~+!$,;'@()*[]"
"""What stays as it is in path and query: reserved characters, and what is percent-encoded already."""


@dataclass(frozen=True, slots=True)
class Origin:
    """One server: scheme, host and port (RFC 6454), or a unix socket that is spoken to in its name."""

    scheme: str
    host: str
    """A name in ASCII or an address; an IPv6 address without its brackets."""
    port: int
    uds: str = ""
    """The path of a unix socket to connect to instead."""
    address: str = ""
    """The address to connect to, where the name was looked up before; the certificate is still that of the host."""

    @property
    def authority(self) -> str:
        """The `Host` header: the port only where it is not the scheme's own (RFC 9110, 7.2)."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == DEFAULT_PORTS[self.scheme] else f"{host}:{self.port}"

    def __str__(self) -> str:
        """For a person."""
        return self.uds or f"{self.scheme}://{self.authority}"


def is_host(host: str) -> bool:
    """Whether a resolver takes this as a name, or it may be an address: RFC 1035, 2.3.4, on lengths and empty labels."""
    if ":" in host:
        return True
    name = host.removesuffix(".")
    return len(name) <= MAX_NAME and all(0 < len(label) <= MAX_LABEL for label in name.split("."))


def split_url(url: str, uds: str = "") -> tuple[Origin, str]:
    """The origin of an absolute http(s) URL and the request target on it; a fragment is dropped.

    Raises:
        ValueError: not such a URL, or one with credentials in it (its text never repeats them).
    """
    parts = urlsplit(url)
    if parts.scheme not in DEFAULT_PORTS or not parts.hostname:
        raise ValueError("not an absolute http:// or https:// URL")
    if parts.username is not None or parts.password is not None:
        raise ValueError("a URL must not carry credentials; put them into a header")
    try:
        host = parts.hostname if parts.hostname.isascii() else parts.hostname.encode("idna").decode()
    except UnicodeError:
        raise ValueError(f"{parts.hostname!r} is not a host name") from None
    if not host.isprintable() or " " in host or not is_host(host):
        raise ValueError(f"{host!r} is not a host name")
    port = DEFAULT_PORTS[parts.scheme] if parts.port is None else parts.port
    target = quote(parts.path or "/", safe=_KEPT)
    if parts.query:
        target += "?" + quote(parts.query, safe=_KEPT)
    return Origin(parts.scheme, host, port, uds), target
