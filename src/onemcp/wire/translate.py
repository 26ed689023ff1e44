"""Carrying requests and results between the eras: which members one side has and the other must not see."""

from collections.abc import Mapping
from typing import Final

from msgspec import Raw

from onemcp.errors import RpcError
from onemcp.wire.envelope import ABSENT, INTERNAL_ERROR, INVALID_PARAMS, encode, open_object
from onemcp.wire.inputs import RESPONSES, STATE, URL_REQUIRED
from onemcp.wire.revisions import LATEST_STATELESS, Era

VERSION_KEY: Final = "io.modelcontextprotocol/protocolVersion"
CLIENT_KEY: Final = "io.modelcontextprotocol/clientInfo"
CAPABILITIES_KEY: Final = "io.modelcontextprotocol/clientCapabilities"
LOG_LEVEL_KEY: Final = "io.modelcontextprotocol/logLevel"
SERVER_KEY: Final = "io.modelcontextprotocol/serverInfo"

_HANDSHAKE: Final = Era.HANDSHAKE
_STATELESS: Final = (
    Era.STATELESS
)  # Python takes as long for a member of an enumeration as for all the rest of a test.
_PER_REQUEST: Final = (VERSION_KEY, CLIENT_KEY, CAPABILITIES_KEY, LOG_LEVEL_KEY)
_STATELESS_ONLY: Final = ("resultType", "ttlMs", "cacheScope")
_ANSWERED: Final = ("sampling", "elicitation", "roots")
_CONTINUATION: Final = (RESPONSES, STATE)
_NONE: Final = b"{}"
_CACHEABLE: Final = frozenset({"resources/read"})
_UNKNOWN_RESOURCE: Final = -32002
_URL_REQUIRED: Final = b"%d" % URL_REQUIRED


def stateless_meta(client_info: Raw) -> dict[str, Raw]:
    """The `_meta` members that every request to a stateless upstream carries, without any client capability."""
    return {
        VERSION_KEY: Raw(encode(LATEST_STATELESS)),
        CLIENT_KEY: client_info,
        CAPABILITIES_KEY: Raw(b"{}"),
    }


def adapt_params(
    params: dict[str, Raw], source: Era, target: Era, own: Mapping[str, Raw], log_level: str = ""
) -> None:
    """Make the `_meta` of relayed params speak for the gateway, in the era of the upstream; the rest stays.

    `own` are the members of `stateless_meta`; `log_level` is what the client asked for, empty for nothing. No more is
    claimed than the client can do, and its identity is never ours.
    """
    if target is _HANDSHAKE and source is _HANDSHAKE:
        return
    meta = open_object(params["_meta"]) if "_meta" in params else {}
    declared = meta.get(CAPABILITIES_KEY, ABSENT)
    for key in _PER_REQUEST:
        meta.pop(key, None)
    if target is _STATELESS:
        meta.update(own)
        if source is _STATELESS:
            meta[CAPABILITIES_KEY] = carried(declared)
        if log_level:
            meta[LOG_LEVEL_KEY] = Raw(encode(log_level))
    else:
        for key in _CONTINUATION:
            params.pop(key, None)
    if meta:
        params["_meta"] = Raw(encode(meta))
    else:
        params.pop("_meta", None)


def carried(capabilities: Raw) -> Raw:
    """Of a stateless client's capabilities those whose use passes through the gateway; never any of our own.

    What an upstream asks because of them comes as a result, and the client's answers go back with its next request.
    """
    if bytes(capabilities) == _NONE:
        return capabilities
    try:
        declared = open_object(capabilities)
    except RpcError:
        declared = {}
    return Raw(encode({name: declared[name] for name in _ANSWERED if name in declared}))


def adapt_result(result: Raw, method: str, source: Era, target: Era) -> Raw:
    """An upstream's result (era `source`) as a client of era `target` must see it; untouched within one era."""
    if source is target:
        return result
    members = open_object(result)
    if target is _HANDSHAKE:
        for key in _STATELESS_ONLY:
            members.pop(key, None)
    else:
        members["resultType"] = Raw(b'"complete"')
        if method in _CACHEABLE:
            members.setdefault("ttlMs", Raw(b"0"))
            members.setdefault("cacheScope", Raw(b'"private"'))
    return Raw(encode(members))


def adapt_error(error: Raw, method: str, source: Era, target: Era) -> Raw:
    """An upstream's error object as a client of the other era expects it: some have another code there.

    Raises:
        RpcError: it is no object.

    Source: resources, error handling (2025-11-25: -32002; 2026-07-28: -32602 with the URI in `data`); -32042 has no
    meaning in the stateless era.
    """
    if bytes(error)[:1] != b"{":
        raise RpcError(INTERNAL_ERROR, "not an error object")
    if source is target:
        return error
    if target is _STATELESS and _URL_REQUIRED in bytes(error):
        members = open_object(error)
        if bytes(members.get("code", b"")) == _URL_REQUIRED:
            members["code"] = Raw(b"%d" % INTERNAL_ERROR)
            return Raw(encode(members))
    if method != "resources/read":
        return error
    members = open_object(error)
    code = bytes(members.get("code", b""))
    if target is _STATELESS and code == b"%d" % _UNKNOWN_RESOURCE:
        members["code"] = Raw(b"%d" % INVALID_PARAMS)
    elif (
        target is _HANDSHAKE
        and code == b"%d" % INVALID_PARAMS
        and "uri" in open_object(members.get("data", b""))
    ):
        members["code"] = Raw(b"%d" % _UNKNOWN_RESOURCE)
    return Raw(encode(members))
