"""A request as its handler sees it: complete."""

from dataclasses import dataclass


@dataclass(slots=True)
class Request:
    """One HTTP request with its body; read only, though not frozen (that would cost each one 2 us).

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
