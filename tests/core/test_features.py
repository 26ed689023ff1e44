"""What can be switched off, and what it means for upstreams."""

from dataclasses import fields, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from onemcp.core.features import Features
from onemcp.core.plan import plan
from onemcp.core.spec import Isolation, Partitioning, Roots, UpstreamSpec

FEATURES = st.builds(Features, **{each.name: st.booleans() for each in fields(Features)})
SPECS = st.builds(
    UpstreamSpec,
    name=st.just("a"),
    transport=st.none(),
    roots=st.sampled_from([None, Roots(), Roots((("file:///x", ""),))]),
)
GIVEN = UpstreamSpec("given", None, roots=Roots((("file:///x", ""),)))
ASKED = UpstreamSpec("asked", None, roots=Roots())
PLAIN = UpstreamSpec("plain", None)


def test_with_everything_on_upstreams_are_what_the_configuration_says() -> None:
    specs = (GIVEN, ASKED, PLAIN)
    assert all(mine is theirs for mine, theirs in zip(Features().applied_to(specs), specs, strict=True))


def test_what_is_off_is_withheld_but_roots_that_the_configuration_gives() -> None:
    given, asked, plain = Features(sampling=False, roots=False).applied_to((GIVEN, ASKED, PLAIN))
    assert given.withheld == {"sampling"}
    assert asked.withheld == plain.withheld == {"sampling", "roots"}


@given(FEATURES, FEATURES, st.lists(SPECS))
def test_it_does_not_matter_what_was_applied_before(
    before: Features, now: Features, specs: list[UpstreamSpec]
) -> None:
    assert now.applied_to(before.applied_to(specs)) == now.applied_to(specs)


@pytest.mark.parametrize("name", ["sampling", "elicitation"])
def test_a_switch_of_what_may_be_asked_begins_connections_anew(name: str) -> None:
    off = Features(**{name: False}).applied_to((PLAIN,))
    assert plan((PLAIN,), off).replace == off
    assert plan(off, (PLAIN,)).replace == (PLAIN,)


def test_a_switch_of_roots_begins_only_those_anew_that_speak_of_them() -> None:
    own = replace(PLAIN, name="own", partitioning=Partitioning(Isolation.SESSION))
    specs = (GIVEN, ASKED, PLAIN, own)
    steps = plan(specs, Features(roots=False).applied_to(specs))
    assert [spec.name for spec in steps.replace] == ["asked", "own"]
    assert [spec.name for spec in steps.update] == ["plain"]
    assert [spec.name for spec in steps.keep] == ["given"]


def test_what_no_upstream_hears_of_touches_none() -> None:
    others = {each.name: False for each in fields(Features)} | dict.fromkeys(
        ("sampling", "elicitation", "roots"), True
    )
    assert Features(**others).applied_to((PLAIN, ASKED)) == (PLAIN, ASKED)
