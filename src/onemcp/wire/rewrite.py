"""Rewriting the URIs inside a result, where two upstreams have the same one."""

from collections.abc import Callable
from typing import Final

import msgspec
from msgspec import Raw

from onemcp.errors import RpcError
from onemcp.wire.envelope import encode, open_object

_HOLDERS: Final = ("content", "contents", "messages")
_INNER: Final = ("resource", "content")

_decode_list = msgspec.json.Decoder(list[Raw]).decode
_decode_text = msgspec.json.Decoder(str).decode


def rewrite_uris(result: Raw, relist: Callable[[str], str]) -> Raw:
    """The result with the URIs of its resource links, embedded resources and contents as clients know them.

    Everything else keeps its tokens; what is not shaped as a result is left as it is.

    Source: the content blocks of tools, prompts and resources (2025-11-25).
    """
    members = _opened(result)
    is_changed = False
    for holder in _HOLDERS:
        if holder in members:
            is_changed |= _rewrite_list(members, holder, relist)
    return Raw(encode(members)) if is_changed else result


def uris_in(result: Raw) -> list[str]:
    """The URIs that a result gives its reader: resource links and embedded resources."""
    found: list[str] = []

    def note(uri: str) -> str:
        found.append(uri)
        return uri

    rewrite_uris(result, note)
    return found


def _rewrite_list(members: dict[str, Raw], holder: str, relist: Callable[[str], str]) -> bool:
    try:
        blocks = _decode_list(members[holder])
    except msgspec.DecodeError:
        return False
    rewritten = [_rewrite_block(block, relist) for block in blocks]
    is_changed = any(new is not old for new, old in zip(rewritten, blocks, strict=True))
    if is_changed:
        members[holder] = Raw(encode(rewritten))
    return is_changed


def _rewrite_block(block: Raw, relist: Callable[[str], str]) -> Raw:
    """The block, or another one in its place if a URI in it is another one."""
    fields = _opened(block)
    changed: dict[str, Raw] = {
        name: _rewrite_block(fields[name], relist) for name in _INNER if name in fields
    }
    if "uri" in fields:
        changed["uri"] = _rewrite_uri(fields["uri"], relist)
    if all(value is fields[name] for name, value in changed.items()):
        return block
    fields.update(changed)
    return Raw(encode(fields))


def _rewrite_uri(raw: Raw, relist: Callable[[str], str]) -> Raw:
    try:
        uri = _decode_text(raw)
    except msgspec.DecodeError:
        return raw
    listed = relist(uri)
    return raw if listed == uri else Raw(encode(listed))


def _opened(raw: Raw) -> dict[str, Raw]:
    """The members of an object; none of what is no object."""
    try:
        return open_object(raw)
    except RpcError:
        return {}
