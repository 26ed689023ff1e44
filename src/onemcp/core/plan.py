"""The reload plan: what has to happen to get from one set of upstreams to another. Starting is a plan from nothing."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields, is_dataclass, replace
from typing import Any, Final

from onemcp.core.spec import Isolation, Roots, StdioTransport, UpstreamSpec
from onemcp.errors import Problem


@dataclass(frozen=True, slots=True)
class Plan:
    """The steps, each in the order of the new configuration; `remove` in the order of the old one."""

    add: tuple[UpstreamSpec, ...] = ()
    remove: tuple[UpstreamSpec, ...] = ()
    replace: tuple[UpstreamSpec, ...] = ()
    """Stop, then start anew: the connection itself would be another one."""
    update: tuple[UpstreamSpec, ...] = ()
    """Take over while running: only what needs no new connection differs."""
    keep: tuple[UpstreamSpec, ...] = ()
    order: tuple[str, ...] = ()
    """The names of all that is there afterwards, as the new configuration has them."""


def plan(old: Sequence[UpstreamSpec], new: Sequence[UpstreamSpec]) -> Plan:
    """The steps from `old` to `new`; upstreams are the same by name, which each list has once.

    A disabled or faulty upstream is there like any other, so switching one on or off replaces it.
    """
    before = {spec.name: spec for spec in old}
    names = {spec.name for spec in new}
    known = [(before[spec.name], spec) for spec in new if spec.name in before]
    return Plan(
        add=tuple(spec for spec in new if spec.name not in before),
        remove=tuple(spec for spec in old if spec.name not in names),
        replace=tuple(spec for was, spec in known if _connection(was) != _connection(spec)),
        update=tuple(spec for was, spec in known if was != spec and _connection(was) == _connection(spec)),
        keep=tuple(spec for was, spec in known if was == spec),
        order=tuple(spec.name for spec in new),
    )


_ASKED: Final = frozenset({"sampling", "elicitation", "roots"})
_OF_POLICY: Final = {
    "enabled": "restartOnExit",
    "first_delay": "restartDelay",
    "max_delay": "restartDelay",
    "max_restarts": "maxRestarts",
}
_KEYS: Final = {
    "argv": "command",
    "env_filter": "envFilter",
    "inherit_env": "inheritParentEnv",
    "kind": "type",
    "disabled_tools": "disabledTools",
    "request_timeout": "requestTimeout",
    "connection_timeout": "connectionTimeout",
    "idle_timeout": "idleTimeout",
    "max_connections": "maxConnections",
    "withheld": "features",
    **_OF_POLICY,
}
"""What fields are called in the configuration, where that is another name."""


def differences(before: UpstreamSpec, after: UpstreamSpec) -> tuple[str, ...]:
    """The keys of an entry that differ, sorted; only their names, for values may be secret."""
    found = set(_differing(before, after))
    if type(before.transport) is not type(after.transport):
        found.add("command" if isinstance(after.transport, StdioTransport) else "url")
    return tuple(sorted(_KEYS.get(name, name) for name in found))


def _differing(before: Any, after: Any) -> Iterator[str]:
    """The fields of two values of one class that differ, those of fields of fields in the place of these."""
    for field in fields(before):
        was, now = getattr(before, field.name), getattr(after, field.name)
        if was == now or not field.compare:
            continue
        if isinstance(was, Problem | Roots) or not is_dataclass(was):
            if field.name != "transport":
                yield field.name
        elif type(was) is type(now):
            yield from _differing(was, now)


def _connection(spec: UpstreamSpec) -> UpstreamSpec:
    """The spec without what may change while the connection stands."""
    plain = UpstreamSpec(spec.name, None)
    return replace(
        spec,
        tags=plain.tags,
        disabled_tools=plain.disabled_tools,
        request_timeout=plain.request_timeout,
        restart=plain.restart,
        partitioning=plain.partitioning,
        required=plain.required,
        withheld=spec.withheld & _declarable(spec),
    )


def _declarable(spec: UpstreamSpec) -> frozenset[str]:
    """What the connection would declare: one that many share says nothing of roots unless its entry does."""
    is_shared = spec.partitioning.isolation is Isolation.SHARED
    return _ASKED - {"roots"} if spec.roots is None and is_shared else _ASKED
