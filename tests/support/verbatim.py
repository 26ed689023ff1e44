"""A server that writes down every message as it came and answers with bytes that it was given, on stdio or HTTP.

`python verbatim.py FOLDER ERA [http]`: `FOLDER/tool` is its tool, `FOLDER/result` the members of the result of every
call, `FOLDER/received` gets the messages, one a line. Over HTTP the first line of stdout is its address. Standard
library only; the tests read and write the folder through `Verbatim`.
"""

import json
import subprocess
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

STATELESS: Final = "2026-07-28"
HANDSHAKE: Final = "2025-11-25"


class Verbatim:
    """One such server; `entry` is for a configuration. Over HTTP it runs while the block does."""

    def __init__(self, folder: Path, era: str, transport: str, *, tool: bytes, result: bytes) -> None:
        folder.mkdir()
        (folder / "tool").write_bytes(tool)
        (folder / "result").write_bytes(result)
        self._received = folder / "received"
        self._received.touch()
        self._command = [sys.executable, "-S", "-E", __file__, str(folder), era, transport]
        self._process: subprocess.Popen[str] | None = None
        self.entry: dict[str, Any] = {"command": self._command}

    def __enter__(self) -> Self:
        if self._command[-1] == "http":
            self._process = subprocess.Popen(self._command, stdout=subprocess.PIPE, text=True)
            assert self._process.stdout is not None
            self.entry = {"url": self._process.stdout.readline().strip()}
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._process is not None:
            assert self._process.stdout is not None
            self._process.kill()
            self._process.wait(10)
            self._process.stdout.close()

    @property
    def received(self) -> list[bytes]:
        """The calls that came, as they came."""
        return [line for line in self._received.read_bytes().split(b"\n") if b"tools/call" in line]


class Server:
    """What is the same on both transports."""

    def __init__(self, folder: Path, *, stateless: bool) -> None:
        self.stateless = stateless
        self.tool = (folder / "tool").read_bytes()
        self.result = (folder / "result").read_bytes()
        self.record = (folder / "received").open("ab", buffering=0)

    def take(self, line: bytes) -> bytes:
        """Write the message down; the answer, empty for none."""
        self.record.write(line + b"\n")
        message = json.loads(line)
        if "id" not in message or message["method"] == "subscriptions/listen":
            return b""
        request_id = json.dumps(message["id"]).encode()
        members = self.members(message["method"])
        if not members:
            error = b'{"code":-32601,"message":"Method not found"}'
            return b'{"jsonrpc":"2.0","id":%b,"error":%b}' % (request_id, error)
        return b'{"jsonrpc":"2.0","id":%b,"result":{%b}}' % (request_id, b",".join(members))

    def members(self, method: str) -> list[bytes]:
        """The members of the result; none for an unknown method."""
        complete = [b'"resultType":"complete"'] if self.stateless else []
        cached = [b'"ttlMs":60000,"cacheScope":"public"'] if self.stateless else []
        offers = b'"capabilities":{"tools":{}}'
        match method:
            case "tools/call":
                return [*complete, self.result]
            case "tools/list":
                return [*complete, *cached, b'"tools":[%b]' % self.tool]
            case "server/discover" if self.stateless:
                return [*complete, *cached, b'"supportedVersions":["%b"]' % STATELESS.encode(), offers]
            case "initialize" if not self.stateless:
                info = b'"serverInfo":{"name":"verbatim","version":"1"}'
                return [b'"protocolVersion":"%b"' % HANDSHAKE.encode(), offers, info]
        return []


class Handler(BaseHTTPRequestHandler):
    """Streamable HTTP with JSON answers, without sessions and streams."""

    protocol_version = "HTTP/1.1"
    served: Server

    def do_GET(self) -> None:
        """There is no stream."""
        self.reply(405, b"")

    def do_POST(self) -> None:
        """One message."""
        body = self.rfile.read(int(self.headers["content-length"]))
        answer = self.served.take(body)
        known = b"Method not found" not in answer
        self.reply((200 if known else 404) if answer else 202, answer)

    def reply(self, status: int, body: bytes) -> None:
        """A response with a length."""
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base's name
        """Say nothing."""


def main() -> None:
    folder, era, transport = sys.argv[1:]
    server = Server(Path(folder), stateless=era == "stateless")
    if transport == "http":
        Handler.served = server
        with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as http:
            sys.stdout.write(f"http://127.0.0.1:{http.server_port}/mcp\n")
            sys.stdout.flush()
            http.serve_forever()
    for line in sys.stdin.buffer:
        answer = server.take(line.rstrip(b"\n"))
        if answer:
            sys.stdout.buffer.write(answer + b"\n")
            sys.stdout.buffer.flush()


if __name__ == "__main__":
    main()
