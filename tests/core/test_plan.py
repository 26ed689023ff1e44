"""The reload plan."""

from dataclasses import replace
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from onemcp.core.plan import Plan, differences, plan
from onemcp.core.spec import (
    HttpTransport,
    Isolation,
    Partitioning,
    RestartPolicy,
    Roots,
    StdioTransport,
    UpstreamSpec,
)
from onemcp.errors import Problem

SPEC = UpstreamSpec("a", StdioTransport(("a",)))
VARIANTS = (
    SPEC,
    replace(SPEC, transport=StdioTransport(("b",))),
    replace(SPEC, transport=HttpTransport("http://h/mcp")),
    replace(SPEC, tags=frozenset("xy")),
    replace(SPEC, disabled=True),
    replace(SPEC, request_timeout=1.0),
    replace(SPEC, connection_timeout=1.0),
    replace(SPEC, restart=RestartPolicy(enabled=False)),
    replace(SPEC, disabled_tools=frozenset("t"), tags=frozenset("x")),
    replace(SPEC, transport=None, fault=Problem("no command")),
    replace(SPEC, withheld=frozenset({"sampling"})),
    replace(SPEC, withheld=frozenset({"roots"})),
)
SPECS = st.builds(
    lambda name, variant: replace(variant, name=name), st.sampled_from("abcdef"), st.sampled_from(VARIANTS)
)
CONFIGURATIONS = st.lists(SPECS, unique_by=lambda spec: spec.name, max_size=6)


def carried_out(steps: Plan, old: list[UpstreamSpec]) -> list[UpstreamSpec]:
    running = {spec.name: spec for spec in old}
    for spec in (*steps.remove, *steps.replace):
        del running[spec.name]
    for spec in steps.update:
        assert spec.name in running
        running[spec.name] = spec
    for spec in (*steps.add, *steps.replace):
        assert spec.name not in running
        running[spec.name] = spec
    return [running[name] for name in steps.order]


@given(CONFIGURATIONS, CONFIGURATIONS)
def test_carrying_out_the_plan_gives_the_new_configuration_in_its_order(
    old: list[UpstreamSpec], new: list[UpstreamSpec]
) -> None:
    assert carried_out(plan(old, new), old) == new


@given(CONFIGURATIONS, CONFIGURATIONS)
def test_every_upstream_has_exactly_one_step(old: list[UpstreamSpec], new: list[UpstreamSpec]) -> None:
    steps = plan(old, new)
    names = [
        spec.name
        for part in (steps.add, steps.remove, steps.replace, steps.update, steps.keep)
        for spec in part
    ]
    assert sorted(names) == sorted({spec.name for spec in [*old, *new]})


@given(CONFIGURATIONS)
def test_the_same_configuration_again_keeps_everything(specs: list[UpstreamSpec]) -> None:
    assert plan(specs, specs) == Plan(keep=tuple(specs), order=tuple(spec.name for spec in specs))


@given(CONFIGURATIONS)
def test_another_order_alone_touches_nothing(specs: list[UpstreamSpec]) -> None:
    steps = plan(specs, specs[::-1])
    assert steps == Plan(keep=tuple(specs[::-1]), order=tuple(spec.name for spec in specs[::-1]))


@given(CONFIGURATIONS)
def test_starting_is_adding_everything_and_stopping_is_removing_it(specs: list[UpstreamSpec]) -> None:
    assert plan((), specs).add == tuple(specs)
    assert plan(specs, ()).remove == tuple(specs)


def test_what_needs_no_new_connection_is_taken_over_while_running() -> None:
    new = replace(
        SPEC,
        tags=frozenset({"x"}),
        disabled_tools=frozenset({"t"}),
        required=True,
        request_timeout=5,
        restart=RestartPolicy(max_restarts=3),
        partitioning=Partitioning(Isolation.SESSION, 2),
    )
    assert plan([SPEC], [new]) == Plan(update=(new,), order=("a",))


def test_what_makes_another_connection_replaces_it() -> None:
    for new in (
        replace(SPEC, transport=StdioTransport(("a", "--more"))),
        replace(SPEC, transport=HttpTransport("http://h/mcp")),
        replace(SPEC, disabled=True),
        replace(SPEC, protocol="2025-06-18"),
        replace(SPEC, connection_timeout=5),
        replace(SPEC, roots=Roots()),
        replace(SPEC, fault=Problem("no command")),
    ):
        assert plan([SPEC], [new]) == Plan(replace=(new,), order=("a",))
        assert plan([new], [SPEC]) == Plan(replace=(SPEC,), order=("a",))


def test_differences_are_told_as_the_keys_of_the_file() -> None:
    def differ(**values: Any) -> tuple[str, ...]:
        return differences(SPEC, replace(SPEC, **values))

    assert differ() == ()
    assert differ(transport=StdioTransport(("a",), env=(("K", "v"),), cwd="/x")) == ("cwd", "env")
    assert differ(transport=StdioTransport(("b",)), tags=frozenset("t")) == ("command", "tags")
    assert differ(transport=HttpTransport("http://h/mcp")) == ("url",)
    assert differ(restart=RestartPolicy(enabled=False, first_delay=2)) == ("restartDelay", "restartOnExit")
    assert differ(partitioning=Partitioning(Isolation.SESSION)) == ("isolation",)
    assert differ(roots=Roots()) == ("roots",)
    assert differ(fault=Problem("no command")) == ("fault",)
    assert differ(withheld=frozenset({"sampling"})) == ("features",)
    assert differ(disabled_tools=frozenset("t"), request_timeout=1.0) == ("disabledTools", "requestTimeout")


@given(SPECS, SPECS)
def test_there_is_a_difference_whenever_two_are_not_equal(one: UpstreamSpec, other: UpstreamSpec) -> None:
    other = replace(other, name=one.name)
    assert bool(differences(one, other)) == (one != other)
