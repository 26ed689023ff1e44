"""What `serve` tells a person beside the log, for the log: the start, notices, every upstream's changes of state."""

import logging
from collections.abc import Iterable
from typing import Final

from onemcp import __version__
from onemcp.config.settings import Settings
from onemcp.core.events import UpstreamChanged
from onemcp.core.lifecycle import State
from onemcp.core.offering import Listing

LOGGER: Final = "onemcp.state"

_BAD: Final = frozenset({State.BACKOFF, State.FAILED, State.AWAITING_AUTH})
_log = logging.getLogger(LOGGER)


def for_people(settings: Settings) -> bool:
    """Whether the log is read where `serve` prints: then it does not say these things for a second time."""
    return settings.log_format == "text" and not settings.log_file


def tell_start(endpoint: str, config: str, notices: Iterable[str]) -> None:
    """The gateway serves; `notices` are what was odd about its configuration."""
    for notice in notices:
        _log.warning("%s", notice)
    _log.info("onemcp %s serves %s from %s", __version__, endpoint or "its standard streams", config)


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
