"""The runtime and its upstreams."""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from onemcp import __version__
from onemcp.app.options import options
from onemcp.app.plan import Plan
from onemcp.config.state import StateDir
from onemcp.core.events import Events
from onemcp.gateway.runtime import Runtime
from onemcp.ops.signals import Signals
from onemcp.seal.keyring import Keyring
from onemcp.upstream.negotiate import Identity
from onemcp.upstream.opener import ChannelOpener


@asynccontextmanager
async def running(
    plan: Plan, events: Events, state: StateDir | None, signals: Signals
) -> AsyncIterator[Runtime]:
    """The runtime, without upstreams yet; a hard stop ends theirs at once from now on."""
    settings = plan.settings
    keyring = Keyring.load(state.session_key) if state is not None else Keyring.ephemeral()
    identity = Identity("onemcp", __version__, os.urandom(16).hex())
    async with (
        ChannelOpener(identity, plan.environ, settings.max_message_bytes) as opener,
        Runtime(options(settings), opener, identity, keyring, events) as runtime,
    ):
        signals.at_once = opener.kill
        yield runtime
