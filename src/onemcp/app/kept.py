"""What outlives the process, or stands for it: the port, the state folder, the store."""

import logging
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, ExitStack, asynccontextmanager, contextmanager
from pathlib import Path

from onemcp.app.plan import Plan
from onemcp.config.settings import Settings
from onemcp.config.state import StateDir, default_state_dir
from onemcp.errors import StartError
from onemcp.gateway.sessions import Store
from onemcp.store.memory import MemoryStore
from onemcp.web.http.server import bind

_log = logging.getLogger("onemcp")


@contextmanager
def listening(settings: Settings) -> Iterator[socket.socket | None]:
    """The bound port; None where clients come through standard streams."""
    if settings.transport != "http":
        yield None
        return
    with bind(settings.host, settings.port) as sock:
        yield sock


@contextmanager
def state(plan: Plan, sock: socket.socket | None) -> Iterator[StateDir | None]:
    """The state folder, held; None where none can be had and nobody named one."""
    named = plan.settings.state_dir
    if not named and sock is None:
        yield None
        return
    state = StateDir(Path(named) if named else default_state_dir(port(sock), plan.environ))
    with ExitStack() as stack:
        try:
            stack.enter_context(state.held())
        except StartError as error:
            if named:
                raise
            _log.warning("%s; sessions end with this process, and `1mcp status` cannot find it", error.what)
            yield None
            return
        yield state


@asynccontextmanager
async def store(plan: Plan, state: StateDir | None) -> AsyncIterator[Store]:
    """The store: in the state folder; in memory where there is none, or none that works and nobody named it."""
    async with AsyncExitStack() as stack:
        store: Store = MemoryStore()
        if state is not None:
            from onemcp.store.sqlite import SqliteStore  # noqa: PLC0415 - only who has a state folder needs it

            try:
                store = await stack.enter_async_context(SqliteStore.open(state.store))
            except StartError as error:
                if plan.settings.state_dir:
                    raise
                _log.warning("%s; subscriptions and event streams end with this process", error.what)
        yield store


def port(sock: socket.socket | None) -> int:
    """The number of a bound port; 0 for none."""
    return int(sock.getsockname()[1]) if sock is not None else 0
