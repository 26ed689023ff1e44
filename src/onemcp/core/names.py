"""Names of tools and prompts as clients see them: the server's name in front, within what clients accept."""

import hashlib
import re
from typing import Final

_ODD: Final = re.compile(r"[^A-Za-z0-9_.-]")
_DIGITS: Final = 8


def prefixed(server: str, name: str, separator: str, limit: int = 64) -> str:
    """`<server><separator><name>`, the same at every start.

    Where the server's name has characters that no client takes in a tool's name, they become `_`; where the whole is
    longer than `limit`, its end goes. In both cases a digest of the full name makes up for what is lost, so that
    different tools keep different names. The upstream's own name is never judged.
    """
    readable = _ODD.sub("_", server)
    full = server + separator + name
    if readable == server:
        return shortened(full, limit)
    return _digested(readable + separator + name, full, limit)


def shortened(name: str, limit: int) -> str:
    """The name itself if it has at most `limit` (10 or more) characters, else its beginning and a digest of it all."""
    return name if len(name) <= limit else _digested(name, name, limit)


def _digested(readable: str, full: str, limit: int) -> str:
    digest = hashlib.sha256(full.encode(errors="surrogatepass")).hexdigest()[:_DIGITS]
    return f"{readable[: limit - _DIGITS - 1]}_{digest}"
