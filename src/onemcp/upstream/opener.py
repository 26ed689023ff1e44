"""Opening a fresh channel to an upstream, whichever transport its spec asks for."""

import logging
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import Self

from onemcp.core.environment import child_environment
from onemcp.core.secrets import Redactor, literals_of
from onemcp.core.spec import HttpTransport, StdioTransport, UpstreamSpec
from onemcp.errors import Problem, Reason, UpstreamError
from onemcp.upstream.channel import Channel, Inbound
from onemcp.upstream.child import Launch
from onemcp.upstream.negotiate import Identity
from onemcp.upstream.secrecy import learn
from onemcp.upstream.stdio import Limits, StdioChannel
from onemcp.upstream.watchdog import Watchdog
from onemcp.wire.envelope import encode
from onemcp.wire.translate import stateless_meta

_log = logging.getLogger("onemcp.upstream.stderr")


class ChannelOpener:
    """Opens channels; owns the watchdog over all children."""

    def __init__(self, identity: Identity, environ: Mapping[str, str], max_bytes: int) -> None:
        self._environ = environ
        self._meta = encode(stateless_meta(identity.client_info()))
        self._limits = Limits(line=max_bytes)
        self._max_bytes = max_bytes
        self._watchdog = Watchdog()

    async def __aenter__(self) -> Self:
        """Ready to open; the watchdog process starts with the first child."""
        await self._watchdog.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End the watchdog; the channels are closed by those who opened them."""
        await self._watchdog.__aexit__(kind, error, trace)

    def kill(self) -> None:
        """End all children at once; for a process that ends right after. Blocks for a moment."""
        self._watchdog.kill()

    async def __call__(self, spec: UpstreamSpec, inbound: Inbound) -> Channel:
        """A fresh channel.

        Raises:
            UpstreamError: it could not be opened.
        """
        learn(spec, self._environ)
        match spec.transport:
            case StdioTransport() as transport:
                launch = _launch(spec, transport, self._environ)
                channel = await StdioChannel.open(
                    launch, inbound, self._watchdog, _teller(spec.name), self._limits
                )
                channel.meta = self._meta
                return channel
            case HttpTransport(kind="sse") as transport:
                from onemcp.upstream.sse import SseChannel  # noqa: PLC0415 - rare, and start-up is a budget

                return await SseChannel.open(spec.name, transport, inbound, self._max_bytes)
            case HttpTransport() as transport:
                from onemcp.upstream.http import HttpChannel  # noqa: PLC0415 - start-up is a budget

                return HttpChannel(spec.name, transport, inbound, meta=self._meta, max_bytes=self._max_bytes)
            case None:
                raise UpstreamError(spec.name, Reason.UNFIT, "has no transport", ran=False)


def unfitness(spec: UpstreamSpec, environ: Mapping[str, str]) -> Problem | None:
    """What would keep an upstream from starting, as far as can be seen without starting it; None if nothing.

    No secret of the upstream is in it.
    """
    if isinstance(spec.transport, StdioTransport) and not spec.disabled:
        launch = _launch(spec, spec.transport, environ)
        try:
            launch.check()
        except UpstreamError as error:
            hidden = Redactor(literals_of(spec, launch.env))
            return Problem(hidden(error.what), key=f"mcpServers.{spec.name}")
    return spec.fault


def _launch(spec: UpstreamSpec, transport: StdioTransport, environ: Mapping[str, str]) -> Launch:
    return Launch(spec.name, transport.argv, child_environment(transport, environ), transport.cwd)


def _teller(server: str) -> Callable[[str], None]:
    return lambda line: _log.info("%s: %s", server, line)
