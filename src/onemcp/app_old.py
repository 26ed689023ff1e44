"""The application: the only module that constructs. Starting is nesting, stopping is unwinding."""

import asyncio
import gc
import logging
import os
import resource
import socket
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator, Mapping
from contextlib import AsyncExitStack, ExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import uvloop

from onemcp import __version__
from onemcp.config.document import Document, load
from onemcp.config.settings import Settings
from onemcp.config.state import StateDir, default_state_dir
from onemcp.core.events import UpstreamChanged
from onemcp.core.merge import NamePolicy, Naming
from onemcp.errors import ConfigError, StartError
from onemcp.gateway.dispatch import Dispatcher
from onemcp.gateway.runtime import Options, Runtime
from onemcp.gateway.sessions import Sessions, Store
from onemcp.ops.control import ControlApi
from onemcp.ops.signals import Signals
from onemcp.seal.keyring import Keyring
from onemcp.stdio import StdioEdge
from onemcp.store.memory import MemoryStore
from onemcp.upstream.negotiate import Identity
from onemcp.upstream.opener import ChannelOpener, unfitness
from onemcp.web.app import WebApp
from onemcp.web.control import ControlApp
from onemcp.web.exchange import SlowExchanges
from onemcp.web.guard import Guard
from onemcp.web.http.server import bind, bind_unix, serving
from onemcp.web.mcp import McpEndpoint

_WILDCARDS: Final = frozenset({"0.0.0.0", "::"})  # noqa: S104 - recognised, so that a client is told a usable address
_FILES: Final = 65_536
"""Descriptors that the gateway may use, where the machine lets it."""
_log = logging.getLogger("onemcp")

Listener = Callable[[UpstreamChanged], None]


@dataclass(frozen=True, slots=True)
class Plan:
    """Everything that is known before anything is started."""

    settings: Settings
    document: Document
    environ: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Started:
    """What a running gateway tells whoever started it."""

    endpoint: str
    """The URL for clients; empty on stdio."""
    control: Path | None
    """The control socket; None where there is no state folder."""
    runtime: Runtime


def run(plan: Plan, on_started: Callable[[Started], None], listener: Listener) -> None:
    """Serve until a signal, or until the client of the stdio transport closes its end.

    Raises:
        ConfigError, StartError: nothing was started, or all of it was stopped again.
    """
    _refuse_open_bind(plan.settings)
    _refuse_faults(plan)
    _raise_file_limit()
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_serve(plan, on_started, listener))


async def _serve(plan: Plan, on_started: Callable[[Started], None], listener: Listener) -> None:
    async with AsyncExitStack() as stack:
        signals = stack.enter_context(Signals())
        sock = stack.enter_context(_listening(plan.settings))
        state = stack.enter_context(_state(plan, sock))
        store = await stack.enter_async_context(_store(plan, state))
        runtime = await stack.enter_async_context(_runtime(plan, listener, state))
        dispatcher = Dispatcher(runtime)
        endpoint = await stack.enter_async_context(_http(plan, runtime, dispatcher, store, sock))
        control = await stack.enter_async_context(_control(plan, runtime, dispatcher, state, endpoint))
        on_started(Started(endpoint, control, runtime))
        _calm_collector()
        await runtime.apply(plan.document.specs)
        await _until_first(
            signals.until_stop(),
            signals.reloads(lambda: _reload(plan, runtime)),
            *_stdio(plan, runtime, dispatcher),
        )


@contextmanager
def _listening(settings: Settings) -> Iterator[socket.socket | None]:
    """The bound port; None where clients come through standard streams."""
    if settings.transport != "http":
        yield None
        return
    with bind(settings.host, settings.port) as sock:
        yield sock


@contextmanager
def _state(plan: Plan, sock: socket.socket | None) -> Iterator[StateDir | None]:
    """The state folder, held; None where none can be had and nobody named one."""
    named = plan.settings.state_dir
    if not named and sock is None:
        yield None
        return
    state = StateDir(Path(named) if named else default_state_dir(_port(sock), plan.environ))
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
async def _store(plan: Plan, state: StateDir | None) -> AsyncIterator[Store]:
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


@asynccontextmanager
async def _runtime(plan: Plan, listener: Listener, state: StateDir | None) -> AsyncIterator[Runtime]:
    settings = plan.settings
    keyring = Keyring.load(state.session_key) if state is not None else Keyring.ephemeral()
    options = Options(
        naming=Naming(NamePolicy(settings.name_policy), settings.name_separator, settings.tool_name_limit),
        async_loading=settings.enable_async_loading,
        batch_delay=settings.async_batch_delay / 1000,
        call_wait=settings.call_wait / 1000,
        page_size=settings.page_size,
    )
    identity = Identity("onemcp", __version__, os.urandom(16).hex())
    async with (
        ChannelOpener(identity, plan.environ, settings.max_message_bytes) as opener,
        Runtime(options, opener, identity, keyring) as runtime,
    ):
        runtime.listeners.append(listener)
        yield runtime


@asynccontextmanager
async def _http(
    plan: Plan, runtime: Runtime, dispatcher: Dispatcher, store: Store, sock: socket.socket | None
) -> AsyncIterator[str]:
    """The HTTP edge on the bound port, and its URL; nothing where there is no port."""
    if sock is None:
        yield ""
        return
    settings = plan.settings
    guard = Guard([*settings.allowed_hosts, settings.host], settings.allowed_origins)
    sessions = Sessions(runtime.keyring, store)
    sessions.on_gone.append(runtime.forget)
    with SlowExchanges() as slow:
        mcp = McpEndpoint(runtime, dispatcher, sessions, slow)
        async with serving(WebApp(mcp, guard), sock, settings.max_message_bytes):
            try:
                yield _url(settings.host, _port(sock))
            finally:
                runtime.notifier.close()  # open streams would hold the server


@asynccontextmanager
async def _control(
    plan: Plan, runtime: Runtime, dispatcher: Dispatcher, state: StateDir | None, endpoint: str
) -> AsyncIterator[Path | None]:
    """The control API on its socket; nothing where there is no state folder."""
    if state is None:
        yield None
        return
    facts = {
        "version": __version__,
        "endpoint": endpoint,
        "config": plan.settings.config,
        "started": time.time(),
    }
    path = state.control_socket
    app = ControlApp(ControlApi(runtime, dispatcher, facts))
    async with serving(app, bind_unix(path), plan.settings.max_message_bytes):
        try:
            yield path
        finally:
            path.unlink(missing_ok=True)


def _stdio(plan: Plan, runtime: Runtime, dispatcher: Dispatcher) -> list[Coroutine[None, None, None]]:
    if plan.settings.transport != "stdio":
        return []
    return [StdioEdge(runtime, dispatcher, plan.settings.max_message_bytes).serve()]


async def _reload(plan: Plan, runtime: Runtime) -> None:
    """Read the configuration again; a faulty one changes nothing."""
    try:
        document = load(Path(plan.settings.config), plan.environ, plan.settings.name_separator)
    except ConfigError as error:
        _log.error("the configuration was not reloaded; the one before stays: %s", error)
        return
    await runtime.apply(document.specs)
    _log.info("the configuration was reloaded")


async def _until_first(*waits: Coroutine[None, None, None]) -> None:
    """Return when one of them does, and end the others."""
    tasks = [asyncio.create_task(wait) for wait in waits]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def _refuse_open_bind(settings: Settings) -> None:
    """Serving others than this machine without authentication is only done if somebody says so."""
    host = settings.host.strip("[]")
    local = host in ("localhost", "::1") or host.startswith("127.")
    if settings.transport != "http" or settings.allow_unauthenticated or local:
        return
    raise StartError(
        f"binding {settings.host} would let everybody who reaches this machine use all servers without signing in",
        "bind 127.0.0.1 (the default), or say --allow-unauthenticated if something in front checks who comes",
    )


def _refuse_faults(plan: Plan) -> None:
    """With --strict one entry that cannot start stops the start."""
    if plan.settings.strict:
        faults = [
            fault for spec in plan.document.specs if (fault := unfitness(spec, plan.environ)) is not None
        ]
        if faults:
            raise ConfigError(*faults)


def _raise_file_limit() -> None:
    """A connection costs a descriptor, and the usual soft limit is a remnant of `select`."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _FILES if hard == resource.RLIM_INFINITY else min(hard, _FILES)
    if soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def _calm_collector() -> None:
    """Nearly all that a call allocates dies with its last reference; looking for cycles more rarely saves a tenth."""
    gc.freeze()
    gc.set_threshold(20_000, 20, 20)


def _port(sock: socket.socket | None) -> int:
    return int(sock.getsockname()[1]) if sock is not None else 0


def _url(host: str, port: int) -> str:
    name = "127.0.0.1" if host in _WILDCARDS else host
    return f"http://{f'[{name}]' if ':' in name else name}:{port}/mcp"
