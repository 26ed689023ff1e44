"""What is configured for a server is read nowhere, whatever the server makes of it."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import httpx2
import pytest
from tests.support.gateway import WAIT_LIMIT, GatewayProcess
from tests.support.webhook_sink import WebhookSink

ENV: Final = "innocent-looking"
VARIABLE: Final = "harmless-words"
ARGUMENT: Final = "an-ordinary-name"
INHERITED: Final = "from-outside-it"
HEADER: Final = "just-some-text"
ALL: Final = (ENV, VARIABLE, ARGUMENT, INHERITED, HEADER)

TALKATIVE: Final = """
import json, os, sys
secrets = " ".join([os.environ["MODE"], *sys.argv[1:], os.environ["GITHUB_TOKEN"]])
print("started with " + secrets, file=sys.stderr, flush=True)
for line in sys.stdin:
    asked = json.loads(line)
    answer = {"error": {"code": -32601, "message": "Method not found"}}
    if asked["method"] == "initialize":
        answer = {"result": {"protocolVersion": "2025-11-25", "capabilities": {"tools": {}},
                             "serverInfo": {"name": "t", "version": "1"}}}
    elif asked["method"] == "tools/list":
        answer = {"result": {"tools": [{"name": "die", "inputSchema": {"type": "object"}}]}}
        note = {"level": "error", "data": "listed with " + secrets}
        print(json.dumps({"jsonrpc": "2.0", "method": "notifications/message", "params": note}), flush=True)
    elif asked["method"] == "tools/call":
        print("died of " + secrets, file=sys.stderr, flush=True)
        os._exit(3)
    if "id" in asked:
        print(json.dumps({"jsonrpc": "2.0", "id": asked["id"], **answer}), flush=True)
"""

REPEATING: Final = """
from http.server import BaseHTTPRequestHandler, HTTPServer
class Handler(BaseHTTPRequestHandler):
    def do_POST(self):
        body = ("no entry for " + str(self.headers["X-Whatever"])).encode()
        self.send_response(418)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    def log_message(self, *args):
        pass
server = HTTPServer(("127.0.0.1", 0), Handler)
print(server.server_port, flush=True)
server.serve_forever()
"""


@pytest.fixture
def sink() -> Iterator[WebhookSink]:
    with WebhookSink() as sink:
        yield sink


@pytest.fixture
def gateway(tmp_path: Path, sink: WebhookSink) -> Iterator[GatewayProcess]:
    with subprocess.Popen([sys.executable, "-c", REPEATING], stdout=subprocess.PIPE, text=True) as peer:
        assert peer.stdout is not None
        port = int(peer.stdout.readline())
        arguments = ["-c", TALKATIVE, "${VARIABLE}", "--password", ARGUMENT]
        config = {
            "mcpServers": {
                "talkative": {
                    "command": sys.executable,
                    "args": arguments,
                    "env": {"MODE": ENV},
                    "envFilter": ["GITHUB_*"],
                },
                "repeating": {"url": f"http://127.0.0.1:{port}/mcp", "headers": {"X-Whatever": HEADER}},
            },
            "alerts": {
                "webhooks": [{"url": sink.url, "allowPrivate": True}],
                "rules": {"server_down": {"for": 0}},
            },
        }
        flags = ["--enable-async-loading", "--log-level", "debug", "--health-info-level", "full"]
        environ = {"VARIABLE": VARIABLE, "GITHUB_TOKEN": INHERITED}
        try:
            with GatewayProcess(config, *flags, folder=tmp_path, environ=environ) as process:
                process.wait_settled()
                yield process
        finally:
            peer.kill()


def call(gateway: GatewayProcess) -> httpx2.Response:
    """The answer to a call that its server dies of."""
    meta = {
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientCapabilities": {},
    }
    name = "talkative_1mcp_die"
    return httpx2.post(
        gateway.url,
        json={
            "jsonrpc": "2.0",
            "id": 1,
            "method": "tools/call",
            "params": {"_meta": meta, "name": name, "arguments": {}},
        },
        headers={
            "accept": "application/json, text/event-stream",
            "mcp-protocol-version": "2026-07-28",
            "mcp-method": "tools/call",
            "mcp-name": name,
        },
        timeout=WAIT_LIMIT,
    )


def test_it_is_in_no_error_no_log_no_answer_and_no_alert(gateway: GatewayProcess, sink: WebhookSink) -> None:
    error = call(gateway).json()["error"]
    assert "died of ***" in error["message"]
    gateway.wait_for_output('last words: "died of ***')
    health = httpx2.get(f"{gateway.base}/health").text
    assert "no entry for ***" in health
    told = [
        json.dumps(error),
        health,
        httpx2.get(f"{gateway.base}/health/mcp").text,
        *(
            gateway.command(*words).stdout
            for words in (["status"], ["logs", "-n", "1000"], ["alerts", "list"])
        ),
        gateway.command("doctor", "--offline", "--config", str(gateway.config_file)).stdout,
    ]
    assert all(told)
    gateway.wait_for_output("listed with ***")
    gateway.wait_for_output("started with ***")
    alert = sink.wait_for(lambda one: one.alert["subject"] == "repeating").body.decode()
    for text in (*told, alert, gateway.stdout, gateway.stderr):
        assert not [secret for secret in ALL if secret in text]
