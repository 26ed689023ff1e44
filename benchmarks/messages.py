"""The requests that are sent: bodies and HTTP requests in both eras, numbered by replacing one placeholder."""

import itertools
from dataclasses import dataclass
from typing import Final

import msgspec

NUMBER: Final = 1_234_567_890
"""Stands for a request's number in a `Template`; every number has ten digits, so lengths never change."""

TEXT: Final = f"echo-{NUMBER}-".ljust(64, "x")
HANDSHAKE_HEADERS: Final = {"mcp-protocol-version": "2025-06-18"}
CLIENT: Final = {"name": "benchmark", "version": "1"}
STATELESS_META: Final = {
    "io.modelcontextprotocol/protocolVersion": "2026-07-28",
    "io.modelcontextprotocol/clientInfo": CLIENT,
    "io.modelcontextprotocol/clientCapabilities": {},
}

numbers: Final = itertools.count(NUMBER + 1)
"""The numbers of this process's requests."""

_encode = msgspec.json.Encoder().encode
_PLACEHOLDER: Final = b"%d" % NUMBER


@dataclass(frozen=True, slots=True)
class Template:
    """A request and the bytes that its answer must contain, both with `NUMBER` where the number goes."""

    request: bytes
    proof: bytes

    def numbered(self, number: int) -> tuple[bytes, bytes]:
        """The request with this number, and what its answer must contain."""
        digits = b"%d" % number
        return self.request.replace(_PLACEHOLDER, digits), self.proof.replace(_PLACEHOLDER, digits)


def body(method: str, params: dict[str, object] | None = None, *, stateless: bool = False) -> bytes:
    """One JSON-RPC request on one line."""
    params = {**(params or {})}
    if stateless:
        params["_meta"] = STATELESS_META
    return _encode({"jsonrpc": "2.0", "id": NUMBER, "method": method, "params": params})


def initialize_body() -> bytes:
    """The first request of a 2025-06-18 session."""
    return body("initialize", {"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": CLIENT})


def call_body(tool: str, *, stateless: bool = False) -> bytes:
    """A call of an echo tool with 64 bytes of text that no other call has."""
    return body("tools/call", {"name": tool, "arguments": {"text": TEXT}}, stateless=stateless)


def proof_of(method: str) -> bytes:
    """What an answer to the method must contain: a call's own text, else the request's id."""
    return b'"text":"%b"' % TEXT.encode() if method == "tools/call" else b'"id":%d' % NUMBER


def post(data: bytes, headers: dict[str, str] | None = None) -> bytes:
    """The HTTP request that carries a message to `/mcp` on a connection that stays open."""
    lines = {
        "host": "127.0.0.1",
        "content-type": "application/json",
        "accept": "application/json, text/event-stream",
        "content-length": str(len(data)),
        **(headers or {}),
    }
    head = "".join(f"{name}: {value}\r\n" for name, value in lines.items())
    return b"POST /mcp HTTP/1.1\r\n" + head.encode() + b"\r\n" + data


def stateless_headers(method: str, tool: str = "") -> dict[str, str]:
    """The headers that mirror a 2026-07-28 request."""
    headers = {"mcp-protocol-version": "2026-07-28", "mcp-method": method}
    return {**headers, "mcp-name": tool} if tool else headers
