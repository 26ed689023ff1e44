"""What `test_crossing.py` shows with many lean clients, with a few of the `mcp` SDK, on a server of the SDK over HTTP."""

import asyncio
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import pytest
from mcp import Client
from mcp.types import ElicitRequestParams, ElicitResult, LoggingMessageNotificationParams
from tests.support.crossing_sdk import SdkCrossing
from tests.support.gateway import GatewayProcess

pytestmark = pytest.mark.anyio

SESSIONS: Final = 5
CALLS: Final = 10
"""Of each session, all at a time; the last one is cancelled."""
LIMIT: Final = 60.0
"""Seconds for all of a test."""
SHORT: Final = 0.005
LONG: Final = LIMIT
"""Seconds between two steps of a call."""


@dataclass
class Session:
    """One client, and the markers of all messages that came to it outside of its calls' progress."""

    number: int
    heard: list[str] = field(default_factory=list)

    @property
    def markers(self) -> list[str]:
        """Those of its calls."""
        return [f"session-{self.number}-call-{call}" for call in range(CALLS)]

    async def log(self, params: LoggingMessageNotificationParams) -> None:
        """Hear a log message."""
        self.heard.append(str(params.data))

    async def elicit(self, _: Any, params: ElicitRequestParams) -> ElicitResult:
        """Answer a question."""
        self.heard.append(params.message)
        return ElicitResult(action="accept", content={"marker": params.message})

    async def play(self, url: str, mode: str) -> None:
        """Make all calls."""
        callbacks: Any = {"logging_callback": self.log, "elicitation_callback": self.elicit}
        async with Client(url, mode=mode, log_level="info", **callbacks) as client:
            async with asyncio.TaskGroup() as group:
                *whole, last = (Call(marker) for marker in self.markers)
                for call in whole:
                    group.create_task(call.run(client, SHORT))
                given_up = group.create_task(last.run(client, LONG))
                await last.is_heard_of.wait()
                given_up.cancel()
            while last.marker not in await cancelled(client):
                await asyncio.sleep(0.02)


@dataclass
class Call:
    """One call and the progress that was told of it."""

    marker: str
    progress: list[tuple[float, str | None]] = field(default_factory=list)
    is_heard_of: asyncio.Event = field(default_factory=asyncio.Event)

    async def run(self, client: Client, wait: float) -> None:
        """Make it; what it returns and what was heard of it must be its own."""
        arguments = {"marker": self.marker, "wait": wait}
        result = await client.call_tool("cross_1mcp_cross", arguments, progress_callback=self._note)
        assert result.structured_content == {"result": self.marker}
        assert self.progress == [(1, self.marker), (2, self.marker)]

    async def _note(self, progress: float, total: float | None, message: str | None) -> None:
        self.progress.append((progress, message))
        self.is_heard_of.set()


async def cancelled(client: Client) -> list[str]:
    """The calls that the server saw cancelled."""
    result = await client.call_tool("cross_1mcp_cancelled", {})
    assert result.structured_content is not None
    markers: list[str] = result.structured_content["result"]
    return markers


@pytest.mark.parametrize("mode", ["legacy", "2026-07-28"])
async def test_clients_of_the_sdk_hear_of_their_own_calls_alone(mode: str, tmp_path: Path) -> None:
    sessions = [Session(number) for number in range(SESSIONS)]
    with SdkCrossing() as server:
        entries = {"cross": {"url": server.url, "protocol": "2025-11-25"}}
        async with (
            asyncio.timeout(LIMIT),
            GatewayProcess({"mcpServers": entries}, folder=tmp_path) as gateway,
        ):
            await asyncio.to_thread(gateway.wait_settled)
            async with asyncio.TaskGroup() as group:
                for session in sessions:
                    group.create_task(session.play(gateway.url, mode))
            async with Client(gateway.url, mode=mode) as client:
                seen = await cancelled(client)
    assert sorted(seen) == sorted(session.markers[-1] for session in sessions)
    for session in sessions:
        assert set(session.heard) <= set(session.markers)
        assert all(session.heard.count(marker) == 3 for marker in session.markers[:-1])
