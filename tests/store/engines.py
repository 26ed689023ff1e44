"""Both engines of the store, each opened the same way: `async with ENGINES["memory"](Bounds()) as store`."""

import tempfile
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Final, Protocol

from onemcp.store.base import Bounds, Entries, Log
from onemcp.store.memory import MemoryStore
from onemcp.store.sqlite import SqliteStore


class Store(Entries, Log, Protocol):
    """What an engine offers."""


Engine = Callable[[Bounds], AbstractAsyncContextManager[Store]]


@asynccontextmanager
async def memory(bounds: Bounds) -> AsyncIterator[Store]:
    async with MemoryStore(bounds) as store:
        yield store


@asynccontextmanager
async def sqlite(bounds: Bounds) -> AsyncIterator[Store]:
    with tempfile.TemporaryDirectory(prefix="onemcp-") as folder:
        async with SqliteStore.open(Path(folder) / "store.db", bounds) as store:
            yield store


ENGINES: Final[Mapping[str, Engine]] = {"memory": memory, "sqlite": sqlite}
