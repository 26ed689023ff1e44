"""The reload plan: what has to happen to get from one set of upstreams to another. Starting is a plan from nothing."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from onemcp.core.spec import UpstreamSpec


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
    )
