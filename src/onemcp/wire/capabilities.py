"""What a client must have declared so that a server may ask it something, and whether it has.

Source: client features (2025-11-25; 2026-07-28 as `clientCapabilities`): elicitation without modes is the form mode
alone, and sampling with tools has a capability of its own.
"""

from collections.abc import Collection, Mapping
from typing import Final

import msgspec
from msgspec import Raw

from onemcp.errors import RpcError
from onemcp.wire.envelope import ABSENT, encode, open_object

CAPABILITY: Final = {
    "sampling/createMessage": "sampling",
    "elicitation/create": "elicitation",
    "roots/list": "roots",
}
"""The requests that a server may send to a client, and what the client must have declared for each."""

Required = dict[str, dict[str, dict[str, object]]]
"""Capabilities in the shape in which they are declared; `data.requiredCapabilities` of an error."""

_TOOLS: Final = ("tools", "toolChoice")

_decode_text = msgspec.json.Decoder(str).decode


def required(method: str, params: Raw) -> Required:
    """What a client needs to be asked this; empty for what no client is asked."""
    members = _opened(params)
    if method == "elicitation/create":
        return {"elicitation": {_mode(members): {}}}
    if method == "sampling/createMessage":
        return {"sampling": {"tools": {}} if any(name in members for name in _TOOLS) else {}}
    return {CAPABILITY[method]: {}} if method in CAPABILITY else {}


def lacking(declared: Mapping[str, Raw], method: str, params: Raw) -> Required:
    """What of it a client with these capabilities has not declared; empty if it can be asked."""
    needed = required(method, params)
    return {name: parts for name, parts in needed.items() if not _covers(declared, name, parts)}


def words(capabilities: Required) -> str:
    """These capabilities for a person: `sampling.tools, roots`."""
    return ", ".join(
        f"{name}.{part}" if part else name for name, parts in capabilities.items() for part in parts or ("",)
    )


def without(capabilities: Raw, names: Collection[str]) -> Raw:
    """The same capabilities less these; as they are if none of them is declared."""
    members = _opened(capabilities)
    left = {name: value for name, value in members.items() if name not in names}
    return Raw(encode(left)) if len(left) < len(members) else capabilities


def declared_in(capabilities: Raw) -> dict[str, Raw]:
    """The members of a client's capabilities; none of what is no object."""
    return _opened(capabilities)


def _covers(declared: Mapping[str, Raw], name: str, parts: Mapping[str, object]) -> bool:
    if name not in declared:
        return False
    stated = _opened(declared[name])
    if name == "elicitation" and "url" not in stated:
        stated.setdefault("form", ABSENT)
    return parts.keys() <= stated.keys()


def _mode(members: Mapping[str, Raw]) -> str:
    """The mode of an elicitation; what names none, or nothing that is a name, is a form."""
    try:
        return _decode_text(members["mode"]) if "mode" in members else "form"
    except msgspec.DecodeError:
        return "form"


def _opened(raw: Raw) -> dict[str, Raw]:
    try:
        return open_object(raw)
    except RpcError:
        return {}
