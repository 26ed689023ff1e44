"""A canary in every provider of secrets and in every place that takes a text, and a search of all that is told.

The gateway goes through what goes wrong in its life: entries that are faulty because of a secret, servers that tell
everybody what they were given, that are killed, that refuse; webhooks that fail; a reload with mistakes; a dump.
"""

import asyncio
import base64
import json
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

import httpx2
import pytest
from tests.support.gateway import WAIT_LIMIT, GatewayProcess, onemcp
from tests.support.http_peer import Peer, Received, Wire
from tests.support.live import Live, asked, entry, environment_of, eventually
from tests.support.machine import PROC
from tests.support.vault import FakeVault
from tests.support.webhook_sink import WebhookSink

from onemcp.cli.control import Gateway
from onemcp.cli.outcome import Exit
from onemcp.errors import ConfigError

pytestmark = [pytest.mark.anyio, PROC.mark]

CANARY: Final = "canarybird"
"""In every secret. It looks like a word: nothing that only knows what credentials look like would hide it."""
KEPT: Final = {name: f"{CANARY}-of-{name}" for name in ("env", "files", "local", "vault", "op")}
ALL: Final = " ".join(f"${{SECRET:{name}:kept}}" for name in KEPT)
TOKEN: Final = f"{CANARY}-of-the-token"
SEALED: Final = {base64.b64encode(text.encode()).decode().rstrip("=") for text in KEPT.values()}

TALKATIVE: Final = """
import json, os, sys
secrets = " ".join([os.environ["KEPT"], *sys.argv[1:]])
print("started with " + secrets, file=sys.stderr, flush=True)
print("told " + secrets, flush=True)
for line in sys.stdin:
    asked = json.loads(line)
    answer = {"error": {"code": -32601, "message": "Method not found"}}
    if asked["method"] == "initialize":
        answer = {"result": {"protocolVersion": "2025-11-25", "capabilities": {"tools": {}},
                             "serverInfo": {"name": "t", "version": secrets}}}
    elif asked["method"] == "tools/list":
        answer = {"result": {"tools": [{"name": "die", "inputSchema": {"type": "object"}}]}}
    elif asked["method"] == "tools/call":
        print("died of " + str(dict(os.environ)) + secrets, file=sys.stderr, flush=True)
        os._exit(3)
    if "id" in asked:
        print(json.dumps({"jsonrpc": "2.0", "id": asked["id"], **answer}), flush=True)
"""


def faulty() -> dict[str, dict[str, Any]]:
    """Entries that cannot be, each because of what a secret holds."""
    wrong: dict[str, dict[str, Any]] = {
        "no-program": {"command": ALL},
        "no-folder": {"command": "x", "cwd": ALL},
        "no-url": {"url": ALL},
        "no-host": {"url": f"http://{ALL}/mcp"},
        "no-switch": {"command": "x", "disabled": ALL},
        "no-revision": {"command": "x", "protocol": ALL},
        "no-header": {"url": "http://127.0.0.1:9/mcp", "headers": {"X-Kept": f"{ALL}\x01"}},
        "no-name-of-variable": {"command": "x", "env": {"A=B": ALL}},
        "no-argument": {"command": "x", "args": [f"{ALL}\0"]},
        "no-answer": {"url": "http://127.0.0.1:9/${SECRET:vault:kept}", "headers": {"X-Kept": ALL}},
        "ends": entry("--mode", "crash-start", env={"KEPT": ALL}),
        "none-such": {"command": "x", "env": {"KEPT": "${SECRET:files:none}" + ALL}},
    }
    return {name: {"restartOnExit": False, **each} for name, each in wrong.items()}


def document(folder: Path, vault: FakeVault, peer: Peer, sink: WebhookSink) -> dict[str, Any]:
    program = "import os, sys; print(os.environ['C']); print(os.environ['C'], file=sys.stderr)"
    providers = {
        "files": {"type": "folder", "path": str(folder / "files")},
        "vault": {"type": "vault", "address": vault.address, "token": "${TOKEN_OF_VAULT}"},
        "op": {
            "type": "exec",
            "command": [sys.executable, "-c", program, "{path}"],
            "env": {"C": "${KEPT_BY_OP}"},
        },
    }
    servers = {
        "talkative": {"command": sys.executable, "args": ["-c", TALKATIVE, ALL], "env": {"KEPT": ALL}},
        "repeating": {"url": f"{peer.url}/${{SECRET:vault:kept}}", "headers": {"X-Kept": ALL}},
        "bystander": entry(inheritParentEnv=True),
        **faulty(),
    }
    hook = {"allowPrivate": True, "secret": ALL, "timeout": 1000}
    return {
        "mcpServers": servers,
        "limits": {"callWait": 500},
        "secrets": {"providers": providers, "cacheSeconds": 1},
        "alerts": {
            "webhooks": [
                {**hook, "url": f"{sink.url}/${{SECRET:op:kept}}"},
                {**hook, "url": "http://127.0.0.1:9/${SECRET:op:kept}"},
                {**hook, "url": f"{peer.url}/${{SECRET:local:kept}}"},
            ],
            "rules": {"server_down": {"for": 0}, "secret_unresolved": {"for": 0}},
        },
    }


async def repeat(request: Received, wire: Wire) -> None:
    """Refuse, with all that was sent."""
    body = f"no {request.target} for {dict(request.headers)} {request.body!r}".encode()
    head = f"HTTP/1.1 418 no {request.headers.get('x-kept', '')}\r\ncontent-length: {len(body)}\r\n\r\n"
    await wire.send(head.encode() + body)


@asynccontextmanager
async def serving(folder: Path, *flags: str) -> AsyncIterator[tuple[Live, WebhookSink]]:
    (folder / "files").mkdir()
    (folder / "files" / "kept").write_text(KEPT["files"])
    await asyncio.to_thread(onemcp, "secret", "set", "kept", folder=folder, stdin=KEPT["local"])
    environ = {"ONE_MCP_SECRET_KEPT": KEPT["env"], "TOKEN_OF_VAULT": TOKEN, "KEPT_BY_OP": KEPT["op"]}
    (folder / ".env").write_text(
        "".join(f"{name}={environ.pop(name)}\n" for name in ("TOKEN_OF_VAULT", "KEPT_BY_OP"))
    )
    async with FakeVault() as vault, Peer(repeat) as peer:
        vault.token = TOKEN
        vault.tokens = {TOKEN}
        vault.put("kept", {"value": KEPT["vault"]})
        with WebhookSink() as sink:
            config = document(folder, vault, peer, sink)
            async with GatewayProcess(config, *flags, folder=folder, environ=environ) as gateway:
                await asyncio.to_thread(gateway.wait_settled)
                yield Live(gateway), sink


WHILE_REFUSED: Final = ("status", "alerts", "doctor", "config diff", "config reload --json")
EVERY: Final = (
    "status", "status --json", "inspect", "inspect talkative --json", "alerts", "alerts --json", "alerts test",
    "alerts history --json", "logs -n 1000", "logs -n 1000 --json", "top --json", "config diff --json",
    "config reload", "config features", "doctor --json",
)  # fmt: skip
APART: Final = (
    "config check", "config check --secrets --json", "config show", "config show --json", "doctor --offline",
    "serve --strict",
)  # fmt: skip


def asked_of(gateway: GatewayProcess, *commands: str) -> list[str]:
    """What these commands tell of it."""
    return [told(gateway.command(*words.split())) for words in commands]


def commands(gateway: GatewayProcess) -> list[str]:
    """What all commands tell of it, and of its configuration without it."""
    file = ("--config", str(gateway.config_file))
    environ = {name: value for name, value in gateway._environ.items() if name not in ("HOME", "PATH")}
    apart = [told(onemcp(*words.split(), *file, folder=gateway.folder, environ=environ)) for words in APART]
    return [*asked_of(gateway, *EVERY), *apart]


def told(done: subprocess.CompletedProcess[str]) -> str:
    assert done.stdout or done.stderr, done.args
    assert done.returncode != Exit.USAGE, done.stderr
    return f"{done.args}\n{done.stdout}{done.stderr}"


def control(gateway: GatewayProcess) -> list[str]:
    """What the control socket answers."""
    there = Gateway(gateway.state_dir)
    verbs = (there.status, there.alerts, there.top, there.settings, there.diff, there.reload)
    return [verb().decode() for verb in verbs]


def pages(gateway: GatewayProcess) -> list[str]:
    """What anybody can fetch."""
    paths = ("/health", "/health/live", "/health/ready", "/health/mcp", "/metrics", "/servers/none/mcp")
    return [httpx2.get(gateway.base + path, timeout=WAIT_LIMIT).text for path in paths]


def kill(live: Live) -> None:
    """A server that is killed, and comes back."""
    before = live.pid("bystander")
    os.kill(before, signal.SIGKILL)
    message, headers = asked("bystander")

    def is_back() -> bool:
        said = httpx2.post(live.gateway.url, json=message, headers=headers, timeout=WAIT_LIMIT).json()
        return "result" in said

    eventually(is_back, live.gateway.transcript)


def found(text: str) -> list[str]:
    """The lines in which there is one."""
    return [line for line in text.splitlines() if CANARY in line or any(each in line for each in SEALED)]


def go_through(live: Live) -> dict[str, str]:
    """Everything that happens to a gateway, and all that it tells meanwhile."""
    gateway, said = live.gateway, {}
    message, headers = asked("talkative", "die")
    said["call"] = httpx2.post(gateway.url, json=message, headers=headers, timeout=WAIT_LIMIT).text
    for server in ("no-program", "repeating", "none-such"):
        message, headers = asked(server)
        said[server] = httpx2.post(gateway.url, json=message, headers=headers, timeout=WAIT_LIMIT).text
    kill(live)
    said["pages"] = "\n".join(pages(gateway))
    said["control"] = "\n".join(control(gateway))
    gateway.signal(signal.SIGUSR2)
    gateway.wait_for_output("dump: ")
    good = gateway.config_file.read_text()
    wrong = json.loads(good)
    wrong["mcpServers"]["talkative"]["agrs"] = [ALL]
    wrong["mcpServers"]["talkative"]["timeout"] = ALL
    wrong["port"] = ALL
    wrong["externalUrl"] = ALL
    wrong["alerts"]["runbooks"] = f"https://wiki.example.com/{ALL}"
    wrong["alerts"]["webhooks"][0]["url"] = ALL
    wrong["secrets"]["providers"]["vault"]["address"] = "ftp://${TOKEN_OF_VAULT}"
    gateway.config_file.write_text(json.dumps(wrong))
    with pytest.raises(ConfigError) as refused:
        Gateway(gateway.state_dir).reload()
    said["refused"] = str(refused.value)
    said["while refused"] = "\n".join([*pages(gateway), *asked_of(gateway, *WHILE_REFUSED)])
    gateway.config_file.write_text(good)
    Gateway(gateway.state_dir).reload()
    return said


@pytest.mark.parametrize("form", ["text", "json"])
async def test_no_canary_is_in_anything_that_is_told(tmp_path: Path, form: str) -> None:
    flags = ["--log-level", "debug", "--log-format", form, "--health-info-level", "full"]
    flags += ["--no-enable-config-reload"]
    async with serving(tmp_path, *flags) as (live, sink):
        told = await asyncio.to_thread(go_through, live)
        if form == "text":  # what commands print is the same for both
            told["commands"] = "\n".join(await asyncio.to_thread(commands, live.gateway))
        await asyncio.to_thread(sink.wait_for, lambda one: one.alert["kind"] == "server_down")
        gateway = live.gateway
        bystander = await asyncio.to_thread(live.pid, "bystander")
        told["environment of another server"] = repr(environment_of(bystander))
        await asyncio.to_thread(gateway.stop)
        told["alerts"] = "\n".join(request.body.decode() for request in sink.requests)
        told["headers of alerts"] = "\n".join(str(request.headers) for request in sink.requests)
        told["output"] = gateway.stdout + gateway.stderr
    assert "started with ***" in told["output"]
    assert "418" in told["pages"]
    assert all(told.values())
    leaks = {name: found(text) for name, text in told.items() if found(text)}
    assert not leaks, json.dumps(leaks, indent=1)
