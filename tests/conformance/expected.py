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

UNNAMED: Final = (
    "a question of the handshake era carries no key, and the suite asks for the one of its own fixture"
)
UNPARKED: Final = "answers without a requestState belong to no call that waits for them"

_PARKED: Final[Reasons] = {
    "input-required-result-basic-elicitation": UNNAMED,
    "input-required-result-ignore-extra-params": UNPARKED,
}

EXPECTED: Final[Mapping[Cell, Reasons]] = {
    Cell(HANDSHAKE, HANDSHAKE, "stdio"): {},
    Cell(HANDSHAKE, HANDSHAKE, "http"): {},
    Cell(STATELESS, STATELESS, "stdio"): {},
    Cell(STATELESS, STATELESS, "http"): {},
    Cell(STATELESS, HANDSHAKE, "stdio"): _PARKED,
    Cell(STATELESS, HANDSHAKE, "http"): _PARKED,
}

EXPECTED_OF_CLIENT: Final[Mapping[str, Reasons]] = {HANDSHAKE: {}, STATELESS: {}}
"""The same for the scenarios that test a client, by the revision that the suite speaks as the upstream."""
