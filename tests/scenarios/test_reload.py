"""A reload under load: what is called meanwhile is answered, and what did not change is not touched."""

import asyncio
import json
import signal
from pathlib import Path
from typing import Any

import httpx2
import pytest
from tests.support.gateway import WAIT_LIMIT, GatewayProcess
from tests.support.scripted import command

HEADERS = {
    "accept": "application/json, text/event-stream",
    "mcp-protocol-version": "2026-07-28",
    "mcp-method": "tools/call",
}
META = {
    "io.modelcontextprotocol/protocolVersion": "2026-07-28",
    "io.modelcontextprotocol/clientCapabilities": {},
}
RELOADS = 5

pytestmark = pytest.mark.anyio


def config(mark: int, **more: object) -> dict[str, Any]:
    program, *rest = command("--tools", 1)
    entry = {"command": program, "args": rest}
    return {"mcpServers": {"stays": entry, "changes": {**entry, "env": {"MARK": str(mark)}}, **more}}


async def call(http: httpx2.AsyncClient, url: str, server: str) -> int:
    """The process id of the server that answered."""
    name = f"{server}_1mcp_echo"
    params = {"name": name, "arguments": {}, "_meta": META}
    answer = await http.post(
        url,
        json={"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params},
        headers={**HEADERS, "mcp-name": name},
        timeout=WAIT_LIMIT,
    )
    said = answer.json()
    assert "result" in said, said
    return int(said["result"]["structuredContent"]["pid"])


async def test_no_call_fails_and_only_what_changed_is_another_process(tmp_path: Path) -> None:
    async with GatewayProcess(config(0), "--enable-async-loading", folder=tmp_path) as gateway:
        await asyncio.to_thread(gateway.wait_settled)
        over = asyncio.Event()
        async with httpx2.AsyncClient() as http, asyncio.TaskGroup() as group:

            async def load(server: str) -> list[int]:
                seen = []
                while not over.is_set():
                    seen.append(await call(http, gateway.url, server))
                return seen

            loads = {name: [group.create_task(load(name)) for _ in range(3)] for name in ("stays", "changes")}
            for mark in range(1, RELOADS + 1):
                before = await call(http, gateway.url, "changes")
                gateway.config_file.write_text(json.dumps(config(mark)))
                gateway.signal(signal.SIGHUP)
                async with asyncio.timeout(WAIT_LIMIT):
                    while await call(http, gateway.url, "changes") == before:
                        pass
            over.set()
        pids = {name: {pid for task in tasks for pid in task.result()} for name, tasks in loads.items()}
    assert len(pids["stays"]) == 1
    assert len(pids["changes"]) == RELOADS + 1
