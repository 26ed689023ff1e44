"""An MCP server's answers, without a transport: it echoes, in either era, for a few microseconds a call."""

import argparse
from typing import Final

import msgspec
from msgspec import Raw

HANDSHAKE: Final = "handshake"
STATELESS: Final = "stateless"
SCHEMA: Final = {"type": "object", "properties": {"text": {"type": "string"}}, "required": ["text"]}
UNKNOWN_METHOD: Final = b'{"code":-32601,"message":"the echo server has no such method"}'
NO_ID: Final = Raw()


class _Arguments(msgspec.Struct):
    text: Raw = Raw(b'""')


class _Params(msgspec.Struct):
    arguments: _Arguments = msgspec.field(default_factory=_Arguments)
    protocolVersion: str = "2025-06-18"  # noqa: N815 -- the name on the wire


class _Message(msgspec.Struct):
    method: str = ""
    id: Raw = NO_ID
    params: _Params = msgspec.field(default_factory=_Params)


_decode = msgspec.json.Decoder(_Message).decode
_encode = msgspec.json.Encoder().encode


class Echo:
    """A server of `tools` tools, `echo`, `echo_1`, ..., that all return their `text` argument.

    `era` is what it speaks: `handshake` refuses `server/discover`, `stateless` answers it and marks its results.
    It answers `initialize` in both, so that a load generator can talk to either.
    """

    def __init__(self, tools: int, era: str) -> None:
        mark = b'"resultType":"complete",' if era == STATELESS else b""
        fresh = mark and mark + b'"ttlMs":3600000,"cacheScope":"public",'
        self._call = (
            b'{"jsonrpc":"2.0","id":%b,"result":{' + mark + b'"content":[{"type":"text","text":%b}]}}'
        )
        self._results = {
            "ping": b"{}",
            "tools/list": b"{"
            + fresh
            + b'"tools":'
            + _encode([_tool(index) for index in range(tools)])
            + b"}",
        }
        if era == STATELESS:
            identity = b'"_meta":{"io.modelcontextprotocol/serverInfo":{"name":"echo","version":"1"}}'
            versions = b'"supportedVersions":["2026-07-28"],"capabilities":{"tools":{}},'
            self._results["server/discover"] = b"{" + fresh + versions + identity + b"}"

    def answer(self, message: bytes) -> bytes:
        """The response to one request, without a line break; empty for a notification.

        Raises:
            msgspec.DecodeError: the text is not a JSON-RPC message.
        """
        parsed = _decode(message)
        if parsed.method == "tools/call":
            return self._call % (bytes(parsed.id), bytes(parsed.params.arguments.text))
        if not bytes(parsed.id):
            return b""
        result = self._results.get(parsed.method)
        if parsed.method == "initialize":
            result = _initialize(parsed.params.protocolVersion)
        member = b'"error":' + UNKNOWN_METHOD if result is None else b'"result":' + result
        return b'{"jsonrpc":"2.0","id":' + bytes(parsed.id) + b"," + member + b"}"


def _tool(index: int) -> dict[str, object]:
    return {
        "name": f"echo_{index}" if index else "echo",
        "description": f"Returns the text that it is given, unchanged (number {index} of its kind).",
        "inputSchema": SCHEMA,
    }


def _initialize(revision: str) -> bytes:
    server = {"name": "echo", "version": "1"}
    return _encode({"protocolVersion": revision, "capabilities": {"tools": {}}, "serverInfo": server})


def arguments(description: str | None) -> argparse.ArgumentParser:
    """The command line that the servers of both transports share."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--tools", type=int, default=1, help="how many tools to offer")
    parser.add_argument("--era", choices=[HANDSHAKE, STATELESS], default=HANDSHAKE)
    return parser
