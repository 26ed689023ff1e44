"""The released MCP revisions and the two eras they fall into."""

from enum import StrEnum
from typing import Final


class Era(StrEnum):
    """How a connection begins: with a handshake and a session, or not at all."""

    HANDSHAKE = "handshake"
    STATELESS = "stateless"


HANDSHAKE_REVISIONS: Final = ("2025-11-25", "2025-06-18", "2025-03-26", "2024-11-05")
STATELESS_REVISIONS: Final = ("2026-07-28",)
LATEST_HANDSHAKE: Final = HANDSHAKE_REVISIONS[0]
LATEST_STATELESS: Final = STATELESS_REVISIONS[0]
BATCH_REVISIONS: Final = frozenset({"2025-03-26", "2024-11-05"})
"""Revisions in whose sessions a JSON-RPC array is a message (removed by 2025-06-18)."""

ERAS: Final = {
    **dict.fromkeys(HANDSHAKE_REVISIONS, Era.HANDSHAKE),
    **dict.fromkeys(STATELESS_REVISIONS, Era.STATELESS),
}


def negotiate(offered: str) -> str:
    """The handshake revision to answer an `initialize` that offers `offered`: the same if known, else our latest.

    Source: lifecycle, version negotiation (2025-11-25).
    """
    return offered if offered in HANDSHAKE_REVISIONS else LATEST_HANDSHAKE
