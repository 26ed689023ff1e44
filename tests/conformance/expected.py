"""What the conformance suite is expected to find, by cell: scenarios that fall short, each with its reason.

A cell is an era of the client, one of the upstream, and the transport to it. The table is stricter than the suite's
score: warnings count, and scenarios that the suite runs without scoring them.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

HANDSHAKE: Final = "2025-11-25"
STATELESS: Final = "2026-07-28"


@dataclass(frozen=True, slots=True)
class Cell:
    """Who talks to whom: the revision of the client, that of the upstream, and how the upstream is reached."""

    client: str
    upstream: str
    transport: str

    def __str__(self) -> str:
        return f"{self.client}-on-{self.upstream}-{self.transport}"


Reasons = Mapping[str, str]

EXPECTED: Final[Mapping[Cell, Reasons]] = {
    Cell(client, upstream, transport): {}
    for client, upstream in ((HANDSHAKE, HANDSHAKE), (STATELESS, STATELESS), (STATELESS, HANDSHAKE))
    for transport in ("stdio", "http")
}
