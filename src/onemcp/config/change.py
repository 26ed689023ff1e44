"""What a new configuration changes about the settings, and which of it can count without a restart."""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from onemcp.config.setting import Setting
from onemcp.config.settings import Settings
from onemcp.config.table import TABLE


@dataclass(frozen=True, slots=True)
class Change:
    """A setting that has another value than the one in force."""

    setting: Setting
    before: object = field(repr=False)
    after: object = field(repr=False)
    origin: str
    """Where the new value comes from."""

    @property
    def needs_restart(self) -> bool:
        """Whether the old value stays in force until then."""
        return not self.setting.reloadable


def changes(now: Settings, new: Settings) -> tuple[Change, ...]:
    """All settings whose values differ, in the order of the table."""
    return tuple(_changes(now, new))


def in_force(now: Settings, new: Settings) -> Settings:
    """The new settings, but with the present values of those that need a restart."""
    kept = [change.setting.name for change in _changes(now, new) if change.needs_restart]
    origins = {**new.origins, **{name: now.origins.get(name, "") for name in kept}}
    return replace(new, **{name: getattr(now, name) for name in kept}, origins=origins)


def _changes(now: Settings, new: Settings) -> Iterator[Change]:
    for setting in TABLE:
        before, after = getattr(now, setting.name), getattr(new, setting.name)
        if before != after:
            yield Change(setting, before, after, new.origins.get(setting.name, ""))
