"""The application: the only module that constructs. Starting is nesting, stopping is unwinding."""

import asyncio
import logging
import os
import signal
import socket
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self

import uvloop

from onemcp import __version__
from onemcp.config.document import Document, load
from onemcp.config.settings import Settings
from onemcp.config.state import StateDir, default_state_dir
from onemcp.core.events import UpstreamChanged
from onemcp.core.merge import NamePolicy, Naming
from onemcp.errors import ConfigError, Problem, StartError
from onemcp.gateway.dispatch import Dispatcher
from onemcp.gateway.runtime import Options, Runtime
from onemcp.gateway.sessions import Sessions
from onemcp.ops.control import ControlApi
from onemcp.seal.keyring import Keyring
from onemcp.stdio import StdioEdge
from onemcp.upstream.negotiate import Identity
from onemcp.upstream.opener import Opener
from onemcp.web.app import WebApp
from onemcp.web.exchange import SlowExchanges
from onemcp.web.guard import Guard
from onemcp.web.mcp import McpEndpoint
from onemcp.web.server import bind, bind_unix, serving

WILDCARDS: Final = frozenset({"0.0.0.0", "::", "[::]"})  # noqa: S104 - recognised in order to be refused
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
    control: Path | None
    runtime: Runtime


def run(plan: Plan, on_started: Callable[[Started], None], listener: Listener) -> None:
    """Serve until a signal, or until the client of the stdio transport closes its end.

    Raises:
        ConfigError, StartError: nothing was started, or all of it was stopped again.
    """
    refuse_open_bind(plan.settings)
    refuse_faults(plan)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_serve(plan, on_started, listener))


async def _serve(plan: Plan, on_started: Callable[[Started], None], listener: Listener) -> None:
    settings = plan.settings
    async with AsyncExitStack() as stack:
        orders = stack.enter_context(_Orders())
        sock = bind(settings.host, settings.port) if settings.transport == "http" else None
        if sock is not None:
            stack.callback(sock.close)
        state = _state(plan, stack, sock)
        runtime = await stack.enter_async_context(_runtime(plan))
        runtime.listeners.append(listener)
        dispatcher = Dispatcher(runtime)
        endpoint = ""
        if sock is not None:
            endpoint = _endpoint(settings, sock)
            await stack.enter_async_context(_http(plan, runtime, dispatcher, state, sock))
        control = None
        if state is not None:
            facts = {
                "version": __version__,
                "endpoint": endpoint,
                "config": settings.config,
                "started": time.time(),
            }
            api = ControlApi(runtime, dispatcher, facts)
            control = state.control_socket
            await stack.enter_async_context(serving(api, bind_unix(control)))
            stack.callback(control.unlink, missing_ok=True)
        on_started(Started(endpoint, control, runtime))
        await runtime.apply(plan.document.specs)
        waits = [orders.until_stop(), orders.reloads(lambda: _reload(plan, runtime))]
        if sock is None:
            waits.append(StdioEdge(runtime, dispatcher, settings.max_message_bytes).serve())
        await _until_first(*waits)
        runtime.notifier.close()


def _state(plan: Plan, stack: AsyncExitStack, sock: socket.socket | None) -> StateDir | None:
    """The state folder, held; None where there is none to be had and nobody asked for one."""
    settings = plan.settings
    if not settings.state_dir and sock is None:
        return None
    port = sock.getsockname()[1] if sock is not None else 0
    state = StateDir(
        Path(settings.state_dir) if settings.state_dir else default_state_dir(port, plan.environ)
    )
    try:
        stack.enter_context(state.held())
    except StartError as error:
        if settings.state_dir:
            raise
        _log.warning("%s; sessions end with this process, and `1mcp status` cannot reach it", error.what)
        return None
    return state


@asynccontextmanager
async def _runtime(plan: Plan) -> AsyncIterator[Runtime]:
    settings = plan.settings
    options = Options(
        naming=Naming(NamePolicy(settings.name_policy), settings.name_separator, settings.tool_name_limit),
        async_loading=settings.enable_async_loading,
        batch_delay=settings.async_batch_delay / 1000,
        call_wait=settings.call_wait / 1000,
        page_size=settings.page_size,
    )
    identity = Identity("onemcp", __version__, os.urandom(16).hex())
    async with (
        Opener(identity, plan.environ, settings.max_message_bytes) as opener,
        Runtime(options, opener, identity) as runtime,
    ):
        yield runtime


@asynccontextmanager
async def _http(
    plan: Plan, runtime: Runtime, dispatcher: Dispatcher, state: StateDir | None, sock: socket.socket
) -> AsyncIterator[None]:
    settings = plan.settings
    keyring = Keyring.load(state.session_key) if state is not None else Keyring.ephemeral()
    guard = Guard([*settings.allowed_hosts, settings.host], settings.allowed_origins)
    async with SlowExchanges() as slow:
        mcp = McpEndpoint(runtime, dispatcher, Sessions(keyring), slow, settings.max_message_bytes)
        async with serving(WebApp(mcp, guard), sock):
            try:
                yield
            finally:
                runtime.notifier.close()


def _endpoint(settings: Settings, sock: socket.socket) -> str:
    host = settings.host if settings.host not in WILDCARDS else "127.0.0.1"
    return f"http://{f'[{host}]' if ':' in host else host}:{sock.getsockname()[1]}/mcp"


async def _reload(plan: Plan, runtime: Runtime) -> None:
    """Read the configuration again; a faulty one changes nothing."""
    try:
        document = load(Path(plan.settings.config), plan.environ)
    except ConfigError as error:
        _log.error("the configuration was not reloaded: %s", error)
        return
    await runtime.apply(document.specs)
    _log.info("the configuration was reloaded")


def refuse_open_bind(settings: Settings) -> None:
    """Serving others than this machine without authentication is only done if somebody says so.

    Raises:
        StartError: they did not.
    """
    if settings.transport != "http" or settings.allow_unauthenticated:
        return
    host = settings.host.strip("[]")
    if host in ("localhost", "::1") or host.startswith("127."):
        return
    raise StartError(
        f"binding {settings.host} would let everybody who reaches this machine use all servers, without signing in",
        "bind 127.0.0.1 (the default), or say --allow-unauthenticated if something in front checks who comes",
    )


def refuse_faults(plan: Plan) -> None:
    """With --strict one faulty entry stops the start.

    Raises:
        ConfigError: with every fault.
    """
    faults = [spec.fault for spec in plan.document.specs if isinstance(spec.fault, Problem)]
    if plan.settings.strict and faults:
        raise ConfigError(*faults)


class _Orders:
    """What the operator's signals ask for: SIGINT and SIGTERM to stop, SIGHUP to reload. A second stop is at once."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._orders = asyncio.Event()
        self._reload = asyncio.Event()

    def __enter__(self) -> Self:
        for number in (signal.SIGINT, signal.SIGTERM):
            self._loop.add_signal_handler(number, self._stop, number)
        self._loop.add_signal_handler(signal.SIGHUP, self._reload.set)
        return self

    def __exit__(self, *_: object) -> None:
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            self._loop.remove_signal_handler(number)

    def _stop(self, number: int) -> None:
        if self._stopping.is_set():
            os._exit(128 + number)  # the watchdog ends what is left
        self._stopping.set()

    async def until_stop(self) -> None:
        """Return when the gateway is to stop."""
        await self._stopping.wait()

    async def reloads(self, reload: Callable[[], Awaitable[None]]) -> None:
        """Reload whenever asked to, one at a time; for ever."""
        while True:
            await self._reload.wait()
            self._reload.clear()
            await reload()


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
