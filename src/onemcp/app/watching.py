"""Watching the configuration: its files, which are looked at once a second, and its secrets, when they are due.

Looking needs no help of the system's, so that it works the same on network file systems, on what a container or a
cluster mounts (where links are swapped) and with every editor's way of saving.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from contextlib import suppress
from functools import partial
from typing import Final

from onemcp.app.configuration import Configuration
from onemcp.config.fingerprint import Facts, facts
from onemcp.config.sources import is_passed
from onemcp.errors import ConfigError
from onemcp.ops.signals import Signals

INTERVAL: Final = 1.0
"""Seconds between two looks at names, sizes and times."""
NET: Final = 30
"""Looks after which contents are read whatever those say."""
PATIENCE: Final = 20
"""Times that files may change again before they are read as they are."""
SECRETS: Final = 5.0
"""Seconds after which it is looked whether a secret is due, at the latest."""
_SHORTEST: Final = 0.2

_log: Final = logging.getLogger("onemcp")


async def watch_files(configuration: Configuration) -> None:
    """Reload when the content of a file is another and has been left alone for a moment; for ever."""
    watch = _Watch(configuration)
    while True:
        await asyncio.sleep(INTERVAL)
        await _contained(watch.look)


async def watch_secrets(configuration: Configuration) -> None:
    """Ask for secrets again when it is time to; for ever."""
    while True:
        wait = configuration.secrets.chain.wait()
        await asyncio.sleep(SECRETS if wait is None else min(max(wait, _SHORTEST), SECRETS))
        await _contained(configuration.rotate)


async def reload_when_asked(configuration: Configuration, signals: Signals) -> None:
    """Reload with every SIGHUP; for ever."""

    async def reload() -> None:
        with suppress(ConfigError):  # which has been told to everybody
            await configuration.reload()

    await signals.reloads(partial(_contained, reload))


async def _contained(work: Callable[[], Awaitable[None]]) -> None:
    """A defect in here is told; it is no reason to stop serving, nor to stop watching."""
    try:
        await work()
    except Exception:  # noqa: BLE001 - whatever it is, it is not to end what is being served
        _log.exception("the configuration could not be looked after; the one in force stays")


class _Watch:
    """What was seen of the files last."""

    def __init__(self, configuration: Configuration) -> None:
        self._configuration = configuration
        self._seen: Facts | None = None
        self._looks = 0

    async def look(self) -> None:
        """Reload if there is another content than the one that was read last."""
        configuration = self._configuration
        if not configuration.settings.enable_config_reload or is_passed(configuration.path):
            return
        self._looks += 1
        now = await _facts(configuration)
        if now == self._seen and (self._looks % NET or configuration.reading.under_way):
            return  # what has not come back from the same files before would not come back this time
        self._seen = now if self._seen is None else await _left_alone(configuration, now)
        with suppress(ConfigError):  # which has been told to everybody
            await configuration.reload_if_other()


async def _left_alone(configuration: Configuration, now: Facts) -> Facts:
    """Return what is seen once it stays the same for the time that is set: whoever writes has come to an end."""
    for _ in range(PATIENCE):
        await asyncio.sleep(configuration.settings.config_reload_debounce / 1000)
        before, now = now, await _facts(configuration)
        if before == now:
            break
    return now


async def _facts(configuration: Configuration) -> Facts:
    """What is seen of the files, or why nothing is."""
    try:
        return await configuration.reading(partial(facts, configuration.path))
    except ConfigError as error:
        return ((str(error), -1, 0, 0, 0),)
