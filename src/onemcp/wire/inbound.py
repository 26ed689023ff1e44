"""The stateless ladder: what a 2026-07-28 request must satisfy before anybody acts on it.

In the order in which failures are reported; and the HTTP status of each JSON-RPC error.

Source: basic/transports/streamable-http and basic/versioning (2026-07-28).
"""

from collections.abc import Mapping
from typing import Final

import msgspec
from msgspec import Raw

from onemcp.errors import RpcError
from onemcp.wire.envelope import (
    ABSENT,
    INVALID_PARAMS,
    INVALID_REQUEST,
    METHOD_NOT_FOUND,
    PARSE_ERROR,
    Envelope,
    open_object,
)
from onemcp.wire.headers import decode_value
from onemcp.wire.loglevel import LogLevel
from onemcp.wire.revisions import STATELESS_REVISIONS
from onemcp.wire.translate import CAPABILITIES_KEY, LOG_LEVEL_KEY, VERSION_KEY

HEADER_MISMATCH: Final = -32020
MISSING_CAPABILITY: Final = -32021
UNSUPPORTED_VERSION: Final = -32022

STATUS: Final = {
    PARSE_ERROR: 400,
    INVALID_REQUEST: 400,
    INVALID_PARAMS: 400,
    HEADER_MISMATCH: 400,
    MISSING_CAPABILITY: 400,
    UNSUPPORTED_VERSION: 400,
    METHOD_NOT_FOUND: 404,
}
"""The HTTP status that carries an error in the stateless era; 200 for any other."""

NAMING_MEMBER: Final = {"tools/call": "name", "prompts/get": "name", "resources/read": "uri"}
"""The member of params that `Mcp-Name` repeats."""

_LOG_LEVEL: Final = LOG_LEVEL_KEY.encode()

_decode_text = msgspec.json.Decoder(str).decode


def check_request(method: str, params: dict[str, Raw], headers: Mapping[bytes, bytes]) -> None:
    """Pass a request whose `_meta` and headers say what they must, and agree.

    `headers` have lower-case names and each name once (see `repeated`).

    Raises:
        RpcError: with its status: -32602 for a missing `_meta` member, -32020 for a header that is missing or says
            something else than the body, -32022 for a revision that is not spoken here.
    """
    version = check_meta(params)
    if headers.get(b"mcp-protocol-version", b"") != version.encode():
        raise _mismatch("MCP-Protocol-Version", "_meta")
    if headers.get(b"mcp-method", b"") != method.encode():
        raise _mismatch("Mcp-Method", "the method")
    member = NAMING_MEMBER.get(method)
    if member is not None and _named(headers.get(b"mcp-name")) != _text(params.get(member)):
        raise _mismatch("Mcp-Name", f"params.{member}")
    if version not in STATELESS_REVISIONS:
        raise unsupported(version)


def check_meta(params: dict[str, Raw]) -> str:
    """The revision that the request's `_meta` names.

    Raises:
        RpcError: -32602 where the revision or the client's capabilities are not there.
    """
    try:
        meta = open_object(params.get("_meta", ABSENT))
    except RpcError:
        meta = {}
    version = _text(meta.get(VERSION_KEY))
    if version is None:
        raise RpcError(INVALID_PARAMS, f'params._meta must have "{VERSION_KEY}"', status=400)
    if bytes(meta.get(CAPABILITIES_KEY, b""))[:1] != b"{":
        raise RpcError(INVALID_PARAMS, f'params._meta must have "{CAPABILITIES_KEY}"', status=400)
    return version


def log_level(body: bytes, envelope: Envelope) -> str:
    """The log messages that a request asks for with `logLevel`; empty for none, as the era has it.

    Raises:
        RpcError: -32602 for a level that there is not.
    """
    if body.find(_LOG_LEVEL) < 0:
        return ""
    meta = open_object(open_object(envelope.params).get("_meta", ABSENT))
    if LOG_LEVEL_KEY not in meta:
        return ""
    level = _text(meta[LOG_LEVEL_KEY])
    if level not in tuple(LogLevel):
        what = f'"{LOG_LEVEL_KEY}" must be one of {", ".join(LogLevel)}'
        raise RpcError(INVALID_PARAMS, what, status=400)
    return str(level)


def unsupported(version: str) -> RpcError:
    """The answer to a revision that nobody here speaks."""
    data = {"supported": list(STATELESS_REVISIONS), "requested": version}
    return RpcError(UNSUPPORTED_VERSION, f"Unsupported protocol version: {version}", data, status=400)


def repeated(headers: list[tuple[bytes, bytes]]) -> str:
    """A routing header that is there twice, or empty: two readers could take different ones for the true one."""
    seen: set[bytes] = set()
    for name, _ in headers:
        if name.startswith(b"mcp-"):
            if name in seen:
                return name.decode("latin-1")
            seen.add(name)
    return ""


def _mismatch(header: str, body: str) -> RpcError:
    return RpcError(
        HEADER_MISMATCH, f"the {header} header is missing or does not agree with {body}", status=400
    )


def _named(value: bytes | None) -> str | None:
    if value is None:
        return None
    try:
        return decode_value(value.decode("ascii"))
    except ValueError:
        return None


def _text(raw: Raw | None) -> str | None:
    try:
        return _decode_text(raw) if raw is not None else None
    except msgspec.DecodeError:
        return None
