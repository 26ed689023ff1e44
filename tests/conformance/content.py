"""Content blocks as they stand on the wire."""

import base64
import struct
import zlib
from collections.abc import Mapping
from typing import Any, Final


def png() -> str:
    """A red picture of one pixel, in base64."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    parts = ((b"IHDR", struct.pack(">IIBBBBB", 1, 1, 8, 2, 0, 0, 0)), (b"IDAT", zlib.compress(b"\0\xff\0\0")))
    body = b"".join(chunk(kind, data) for kind, data in (*parts, (b"IEND", b"")))
    return base64.b64encode(b"\x89PNG\r\n\x1a\n" + body).decode()


def wav() -> str:
    """Silence of one sample, in base64."""
    kind = struct.pack("<4sIHHIIHH", b"fmt ", 16, 1, 1, 8000, 8000, 1, 8)
    data = struct.pack("<4sI2s", b"data", 1, b"\x80\0")
    return base64.b64encode(
        b"RIFF" + struct.pack("<I", 4 + len(kind + data)) + b"WAVE" + kind + data
    ).decode()


Content = Mapping[str, Any]
IMAGE: Final[Content] = {"type": "image", "data": png(), "mimeType": "image/png"}
AUDIO: Final[Content] = {"type": "audio", "data": wav(), "mimeType": "audio/wav"}


def text(words: str) -> Content:
    """A text block."""
    return {"type": "text", "text": words}


def embedded(uri: str, kind: str, words: str) -> Content:
    """An embedded resource."""
    return {"type": "resource", "resource": {"uri": uri, "mimeType": kind, "text": words}}
