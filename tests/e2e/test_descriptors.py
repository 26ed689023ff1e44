"""A gateway that has few file descriptors: who is here goes on, who comes new is told to come again."""

import asyncio
from collections.abc import Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Final

import httpx2
import pytest
from tests.support.gateway import WAIT_LIMIT, GatewayProcess
from tests.support.scripted import command
from tests.support.talk import HELLO, Talk

pytestmark = pytest.mark.anyio

LIMIT: Final = 128


class Limited(GatewayProcess):
    """A gateway that may have `LIMIT` descriptors."""

    def command_line(self) -> Sequence[str]:
        return ["/bin/sh", "-c", f'ulimit -n {LIMIT}; exec "$@"', "sh", *super().command_line()]


async def _connected(gateway: GatewayProcess) -> asyncio.StreamWriter:
    _, writer = await asyncio.open_connection("127.0.0.1", gateway.port)
    return writer


async def test_new_sessions_are_refused_before_those_that_are_open_suffer(tmp_path: Path) -> None:
    config = {"mcpServers": {"a": {"command": command()}}}
    async with Limited(config, folder=tmp_path) as gateway, httpx2.AsyncClient(timeout=WAIT_LIMIT) as http:
        await asyncio.to_thread(gateway.wait_settled)
        talk = Talk(gateway.url, http)
        await talk.initialize()
        async with AsyncExitStack() as stack:
            async with asyncio.timeout(WAIT_LIMIT):
                while (refused := await talk.post(HELLO)).status_code == 200:
                    writer = await _connected(gateway)
                    stack.callback(writer.close)
            assert refused.status_code == 503
            assert int(refused.headers["retry-after"]) > 0
            assert refused.headers["connection"] == "close"
            answer = refused.json()
            assert (answer["id"], answer["error"]["data"]["reason"]) == (HELLO["id"], "too_many_open_files")
            assert "result" in (await talk.call("a_1mcp_echo")).json()
            assert "result" in (await talk.call("a_1mcp_echo", "stateless")).json()
            metrics = (await http.get(f"{gateway.base}/metrics")).text
            assert f"process_max_fds {LIMIT:.1f}" in metrics
        async with asyncio.timeout(WAIT_LIMIT):
            while (await talk.post(HELLO)).status_code != 200:
                await asyncio.sleep(0.05)
        assert gateway.stderr.count(f" of {LIMIT} file descriptors are in use") == 1
