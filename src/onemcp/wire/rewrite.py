"""Rewriting the URIs inside a result, where two upstreams have the same one."""

from collections.abc import Callable
from typing import Any, Final

import msgspec
from msgspec import Raw

from onemcp.wire.envelope import encode

_HOLDERS: Final = ("content", "contents", "messages")


def rewrite_uris(result: Raw, relist: Callable[[str], str]) -> Raw:
    """The result with the URIs of its resource links, embedded resources and contents as clients know them.

    Source: the content blocks of tools, prompts and resources (2025-11-25).
    """
    members = msgspec.json.decode(result, type=dict[str, Raw])
    for holder in _HOLDERS:
        if holder in members:
            blocks = msgspec.json.decode(members[holder])
            for block in blocks if isinstance(blocks, list) else []:
                _rewrite_block(block, relist)
            members[holder] = Raw(encode(blocks))
    return Raw(encode(members))


def uris_in(result: Raw) -> list[str]:
    """The URIs that a result gives its reader: resource links and embedded resources."""
    found: list[str] = []

    def note(uri: str) -> str:
        found.append(uri)
        return uri

    rewrite_uris(result, note)
    return found


def _rewrite_block(block: Any, relist: Callable[[str], str]) -> None:
    if not isinstance(block, dict):
        return
    if isinstance(block.get("uri"), str):
        block["uri"] = relist(block["uri"])
    for inner in ("resource", "content"):
        _rewrite_block(block.get(inner), relist)
