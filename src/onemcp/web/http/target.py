"""Request targets: path and query of what a client asks for, remembered for those that came lately."""

from typing import Final
from urllib.parse import unquote_to_bytes

_REMEMBERED: Final = 256
_LONG: Final = 256

TARGETS: Final[dict[bytes, tuple[str, bytes]]] = {}
"""The latest ones, each as `split` has it."""


def split(target: bytes) -> tuple[str, bytes]:
    """The path, percent-decoded, and the query of a request target."""
    path, _, query = target.partition(b"?")
    parts = (unquote_to_bytes(path) if b"%" in path else path).decode(errors="replace"), query
    if len(target) <= _LONG:
        if len(TARGETS) >= _REMEMBERED:
            TARGETS.clear()
        TARGETS[target] = parts
    return parts
