"""The runtime and its upstreams."""

import logging
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from onemcp import __version__
from onemcp.app.parts import DocumentApplied, Plan
from onemcp.config.loading import load_with_secrets
from onemcp.config.state import StateDir
from onemcp.core.events import ConfigReloaded, Events
from onemcp.core.merge import NamePolicy, Naming
from onemcp.errors import ConfigError
from onemcp.gateway.runtime import Options, Runtime
from onemcp.ops.signals import Signals
from onemcp.seal.keyring import Keyring
from onemcp.upstream.negotiate import Identity
from onemcp.upstream.opener import ChannelOpener

_log = logging.getLogger("onemcp")


@asynccontextmanager
async def running(
    plan: Plan, events: Events, state: StateDir | None, signals: Signals
) -> AsyncIterator[Runtime]:
    """The runtime, without upstreams yet; a hard stop ends theirs at once from now on."""
    settings = plan.settings
    keyring = Keyring.load(state.session_key) if state is not None else Keyring.ephemeral()
    options = Options(
        naming=Naming(NamePolicy(settings.name_policy), settings.name_separator, settings.tool_name_limit),
        async_loading=settings.enable_async_loading,
        batch_delay=settings.async_batch_delay / 1000,
        call_wait=settings.call_wait / 1000,
        page_size=settings.page_size,
        drain_timeout=settings.drain_timeout / 1000,
    )
    identity = Identity("onemcp", __version__, os.urandom(16).hex())
    async with (
        ChannelOpener(identity, plan.environ, settings.max_message_bytes) as opener,
        Runtime(options, opener, identity, keyring, events) as runtime,
    ):
        signals.at_once = opener.kill
        yield runtime


async def reload(plan: Plan, runtime: Runtime, events: Events) -> None:
    """Read the configuration again; a faulty one changes nothing."""
    try:
        settings = plan.settings
        path = Path(settings.config)
        document = await load_with_secrets(path, plan.environ, settings.name_separator, settings.environment)
    except ConfigError as error:
        _log.error("the configuration was not reloaded; the one before stays: %s", error)
        events.emit(ConfigReloaded(plan.settings.config, str(error)))
        return
    await runtime.apply(document.specs)
    events.emit(DocumentApplied(document))
    _log.info("the configuration was reloaded")
    events.emit(ConfigReloaded(plan.settings.config))
