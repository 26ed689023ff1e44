"""The drain of a running gateway: who hears of its phases, and how long they are."""

from onemcp.app.parts import Parts
from onemcp.core.events import InstanceDraining
from onemcp.ops.drain import Phase


def prepare(parts: Parts) -> None:
    """Have the other rooms hear that the gateway stops."""

    def heard(phase: Phase) -> None:
        if phase is Phase.DISCOURAGING:
            parts.readiness.draining = True
            parts.events.emit(InstanceDraining(sum(_seconds(parts))))
        elif phase is Phase.DRAINING:
            parts.runtime.notifier.close()

    parts.drain.listen(heard)


async def drained(parts: Parts) -> None:
    """Return when nothing is under way any more, or its time is over."""
    await parts.drain.run(*_seconds(parts))


def _seconds(parts: Parts) -> tuple[float, float]:
    """How long everything is served, and how long calls may take after that; nobody balances over standard streams."""
    settings = parts.configuration.settings
    minimum = settings.drain_min if settings.transport == "http" else 0.0
    return minimum / 1000, settings.drain_timeout / 1000
