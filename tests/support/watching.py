"""Real clients of either era that count the list changes they are told of."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Final

from mcp import Client

from onemcp.wire.revisions import ERAS as ERAS_OF
from onemcp.wire.revisions import Era

ERAS: Final = ("legacy", "auto")
"""The client's modes: a handshake and a session; a discovery, which leads to the stateless revision."""
LIMIT: Final = 30.0

_EVENTS: Final = {
    "ToolsListChanged": "tools",
    "PromptsListChanged": "prompts",
    "ResourcesListChanged": "resources",
}


class Watcher:
    """A connected client, and the notices that came to it."""

    def __init__(self) -> None:
        self.client: Client
        self.notices: Counter[str] = Counter()
        """By kind: tools, prompts, resources."""
        self._came = asyncio.Event()

    async def tools(self) -> list[str]:
        """The names of all tools that it sees now."""
        return [tool.name for tool in (await self.client.list_tools(cache_mode="refresh")).tools]

    async def told(self, kind: str, times: int = 1) -> None:
        """Return when so many notices of a kind have come; bounded."""
        async with asyncio.timeout(LIMIT):
            while self.notices[kind] < times:
                await self._next()

    async def sees(self, *tools: str) -> None:
        """Return when the list is exactly this, asked for after each notice only; bounded."""
        async with asyncio.timeout(LIMIT):
            while sorted(await self.tools()) != sorted(tools):
                await self._next()

    async def _next(self) -> None:
        await self._came.wait()
        self._came.clear()

    async def take(self, message: Any) -> None:
        """The client's handler of messages."""
        parts = getattr(message, "method", "").split("/")
        if parts[-1] == "list_changed":
            self._count(parts[-2])

    async def follow(self) -> None:
        """Count what `subscriptions/listen` says, until cancelled."""
        async with self.client.listen(
            tools_list_changed=True, prompts_list_changed=True, resources_list_changed=True
        ) as subscription:
            self._count("")
            async for event in subscription:
                self._count(_EVENTS[type(event).__name__])

    def _count(self, kind: str) -> None:
        self.notices[kind] += 1
        self._came.set()


@asynccontextmanager
async def watching(url: str, era: str) -> AsyncIterator[Watcher]:
    """A client that listens: on its GET stream, or by `subscriptions/listen`."""
    watcher = Watcher()
    handler = watcher.take if era == "legacy" else None  # it would hear of subscribed events once more
    async with Client(url, mode=era, message_handler=handler) as watcher.client:
        assert ERAS_OF[watcher.client.protocol_version] is (
            Era.HANDSHAKE if era == "legacy" else Era.STATELESS
        )
        if era == "legacy":
            yield watcher
            return
        following = asyncio.create_task(watcher.follow())
        try:
            await watcher.told("")
            yield watcher
        finally:
            following.cancel()
            await asyncio.gather(following, return_exceptions=True)
