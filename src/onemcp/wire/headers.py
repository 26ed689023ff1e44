"""Values that travel in an HTTP header and in the body: how `Mcp-Name` and `Mcp-Param-*` carry any text.

Source: basic/transports/streamable-http, "Value Encoding" (2026-07-28).
"""

import base64
from typing import Final

_PREFIX: Final = "=?base64?"
_SUFFIX: Final = "?="


def encode_value(text: str) -> str:
    """The header value for `text`: itself if it survives as one, else its UTF-8 in base64 between markers."""
    plain = text.isascii() and text.isprintable() and text == text.strip(" ")
    if plain and not (text.startswith(_PREFIX) and text.endswith(_SUFFIX)):
        return text
    return _PREFIX + base64.b64encode(text.encode()).decode() + _SUFFIX


def decode_value(text: str) -> str:
    """The text that a header value stands for; the markers count only in lower case and only as a pair.

    Raises:
        ValueError: broken or ambiguous base64, base64 of what is not UTF-8, or a character that a header value
            cannot have.
    """
    if not text.isascii() or not text.replace("\t", " ").isprintable():
        raise ValueError("a header value has printable ASCII characters only")
    if not text.startswith(_PREFIX) or not text.endswith(_SUFFIX) or len(text) < len(_PREFIX) + len(_SUFFIX):
        return text
    payload = text[len(_PREFIX) : -len(_SUFFIX)].encode()
    data = base64.b64decode(payload, validate=True)
    if base64.b64encode(data) != payload:
        # Of the texts that decode to the same bytes only one is right, so that no two readers can disagree.
        raise ValueError("base64 in a header value with stray bits at its end")
    return data.decode()
