"""What docs/guide.md says of "Graceful shutdown", kept by a real gateway."""

import asyncio
import signal
from pathlib import Path

import httpx2
import pytest
from tests.support.gateway import WAIT_LIMIT
from tests.support.guide import GUIDE, GuideGateway, examples
from tests.support.held import Held
from tests.support.talk import HELLO, Talk

pytestmark = pytest.mark.anyio

DRAIN = examples(GUIDE)["drain"].command()


async def test_it_stops_without_failing_a_call_that_is_under_way_or_new(tmp_path: Path) -> None:
    held = Held(tmp_path / "held")
    async with (
        GuideGateway(DRAIN, {"mcpServers": {"a": held.entry()}}, folder=tmp_path) as gateway,
        httpx2.AsyncClient(timeout=WAIT_LIMIT) as http,
    ):
        talk = Talk(gateway.url, http)
        await talk.initialize()
        call = asyncio.create_task(talk.call("a_1mcp_hold"))
        async with asyncio.timeout(WAIT_LIMIT):
            while not held.calls:
                await asyncio.sleep(0.01)
            gateway.signal(signal.SIGTERM)
            for page in ("/health", "/health/ready"):
                while (await http.get(gateway.base + page)).status_code != 503:
                    await asyncio.sleep(0.01)
        assert (await talk.post(HELLO)).status_code == 200
        held.release()
        assert "held 1" in (await call).text
        assert await asyncio.to_thread(gateway.wait) == 0
