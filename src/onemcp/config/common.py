"""What an entry and `serverDefaults` may both say, and how the one falls back on the other."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Final, TypeVar

from onemcp.config.keys import INHERITS
from onemcp.config.section import Item, Section
from onemcp.core.spec import RestartPolicy

_T = TypeVar("_T")
_SHORT: Final = 1000


@dataclass(frozen=True, slots=True)
class Common:
    """The values as written; None or empty where nothing is said. Times in seconds."""

    env: Mapping[str, Item | None] = field(default_factory=dict)
    """By name; None for one that is handed on from the gateway's environment."""
    headers: Mapping[str, Item] = field(default_factory=dict)
    env_filter: tuple[str, ...] = ()
    inherit_env: bool | None = None
    request_timeout: float | None = None
    connection_timeout: float | None = None
    restart_on_exit: bool | None = None
    max_restarts: int | None = None
    restart_delay: float | None = None

    def over(self, defaults: "Common") -> "Common":
        """This where it says something, else the defaults; variables and filters add up, headers do not."""
        return Common(
            env={**defaults.env, **self.env},
            headers=self.headers or defaults.headers,
            env_filter=tuple(dict.fromkeys((*defaults.env_filter, *self.env_filter))),
            inherit_env=_either(self.inherit_env, defaults.inherit_env),
            request_timeout=_either(self.request_timeout, defaults.request_timeout),
            connection_timeout=_either(self.connection_timeout, defaults.connection_timeout),
            restart_on_exit=_either(self.restart_on_exit, defaults.restart_on_exit),
            max_restarts=_either(self.max_restarts, defaults.max_restarts),
            restart_delay=_either(self.restart_delay, defaults.restart_delay),
        )

    @property
    def restart(self) -> RestartPolicy:
        """The policy that follows; an upstream is restarted unless somebody says not to."""
        plain = RestartPolicy()
        first = plain.first_delay if self.restart_delay is None else self.restart_delay
        return RestartPolicy(
            enabled=self.restart_on_exit is not False,
            first_delay=first,
            max_delay=max(plain.max_delay, first),
            max_restarts=self.max_restarts or 0,
        )


def read_common(section: Section) -> Common:
    """Read the members that both may have; what is wrong goes to the section's report."""
    timeout = _seconds(section, "timeout")
    restarts = section.number("maxRestarts", 0, "a whole number (0 for no end)", whole=True)
    inherits = [section.boolean(name) for name in INHERITS]
    return Common(
        env=_env(section),
        headers=section.pairs("headers"),
        env_filter=tuple(item.raw for item in section.texts("envFilter")),
        inherit_env=_either(*inherits),
        request_timeout=_either(_seconds(section, "requestTimeout"), timeout),
        connection_timeout=_either(_seconds(section, "connectionTimeout"), timeout),
        restart_on_exit=section.boolean("restartOnExit"),
        max_restarts=None if restarts is None else int(restarts),
        restart_delay=_seconds(section, "restartDelay"),
    )


def _either(first: _T | None, second: _T | None) -> _T | None:
    return second if first is None else first


def _seconds(section: Section, name: str) -> float | None:
    value = section.number(name, 1, "a number of milliseconds from 1")
    if value is None:
        return None
    if value < _SHORT and name != "restartDelay":
        section.notice(name, f"{value:g} ms is very short (times are in milliseconds)")
    return value / 1000


def _env(section: Section) -> dict[str, Item | None]:
    """Variables as an object, or as an array of `NAME=value` and of `NAME` to hand it on."""
    item = section.get("env")
    if item is None or not isinstance(item.node.value, list):
        return {**section.pairs("env")}
    found: dict[str, Item | None] = {}
    for entry in section.texts("env"):
        name, equals, value = entry.raw.partition("=")
        found[name] = replace(entry, node=replace(entry.node, value=value)) if equals else None
    return found
