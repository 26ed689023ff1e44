"""What `serve` tells a person beside the log, for the log: the start, notices, every upstream's changes of state."""

import logging
from collections.abc import Iterable, Sequence
from typing import Final

from onemcp import __version__
from onemcp.config.settings import Settings
from onemcp.core.events import UpstreamChanged
from onemcp.core.lifecycle import State
from onemcp.core.offering import Listing
from onemcp.core.spec import UpstreamSpec

LOGGER: Final = "onemcp.state"

_BAD: Final = frozenset({State.BACKOFF, State.FAILED, State.AWAITING_AUTH})
_OUTCOMES: Final = _BAD | {State.READY}
_log = logging.getLogger(LOGGER)


def for_people(settings: Settings) -> bool:
    """Whether the log is read where `serve` prints: then it does not say these things for a second time."""
    return settings.log_format == "text" and not settings.log_file


class StateLog:
    """Tells how the gateway starts and ends, and every change of an upstream."""

    def __init__(self, specs: Sequence[UpstreamSpec]) -> None:
        """`specs` are those of the start."""
        self._faulty = [spec for spec in specs if spec.fault is not None and not spec.disabled]
        enabled = {spec.name for spec in specs if not spec.disabled}
        self._number = len(enabled)
        self._pending: set[str] | None = enabled - {spec.name for spec in self._faulty}
        self._ready: set[str] = set()

    def started(self, endpoint: str, local: str, config: str, notices: Iterable[str]) -> None:
        """The gateway serves; `notices` are what was odd about its configuration.

        `local` is the endpoint on this machine, if a proxy stands in front of it.
        """
        for notice in notices:
            _log.warning("%s", notice)
        place = endpoint or "its standard streams"
        behind = f" (at {local}, behind a proxy)" if local and local != endpoint else ""
        _log.info("onemcp %s serves %s%s from %s", __version__, place, behind, config)
        for spec in self._faulty:
            _log.warning("%s: is failed: %s", spec.name, spec.fault)
        self._settle()

    def changed(self, event: UpstreamChanged) -> None:
        """An upstream moved; that its lists changed while it was ready is for debugging."""
        tell_change(event)
        if self._pending is not None and event.state in _OUTCOMES:
            self._pending.discard(event.upstream)
            self._ready.discard(event.upstream)
            if event.state is State.READY:
                self._ready.add(event.upstream)
            self._settle()

    def stopped(self) -> None:
        """The gateway has ended in order."""
        _log.info("stopped; all servers have ended")

    def _settle(self) -> None:
        """After the last server has come to something: the sum, once."""
        if self._pending is not None and not self._pending:
            self._pending = None
            plural = "" if self._number == 1 else "s"
            _log.info("%d of %d server%s ready", len(self._ready), self._number, plural)


def tell_change(event: UpstreamChanged) -> None:
    """An upstream moved; that its lists changed while it was ready is for debugging."""
    if event.state in _BAD:
        _log.warning("%s: is %s: %s", event.upstream, event.state.value.replace("_", " "), event.reason)
    elif event.state is State.READY and event.offering is not None:
        level = logging.DEBUG if event.previous is State.READY else logging.INFO
        tools = len(event.offering.items(Listing.TOOLS))
        _log.log(level, "%s: is ready after %.1f s, tools: %d", event.upstream, event.seconds, tools)
    else:
        _log.debug("%s: is %s", event.upstream, event.state.value)
