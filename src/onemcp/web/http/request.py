"""A request as its handler sees it: complete."""

from typing import Final, Protocol

from msgspec import Struct

from onemcp.web.forwarded import NOBODY, Client, Trust


class Line(Protocol):
    """What a request knows of its connection."""

    @property
    def peer(self) -> str:
        """The address of its other end."""

    @property
    def trust(self) -> Trust:
        """Whose word about other clients is believed."""


class _Nowhere:
    peer = ""
    trust = NOBODY


_NOWHERE: Final = _Nowhere()


class Request(Struct, eq=False):
    """One HTTP request with its body; read only.

    Of repeated headers the last one stands in `headers`; `header_lines` has them all, as they came.
    """

    method: str
    path: str
    """Percent-decoded; never trusted to be normalised."""
    query: bytes
    headers: dict[bytes, bytes]
    """By lower-case name."""
    header_lines: list[tuple[bytes, bytes]]
    body: bytes
    line: Line = _NOWHERE
    """The connection that it came on."""

    @property
    def client(self) -> Client:
        """Who asks, and what they asked for, by the word of the proxies that are trusted.

        It is worked out anew each time, because few want to know.
        """
        return self.line.trust.client(self.line.peer, self.header_lines)
