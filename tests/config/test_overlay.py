"""Laying one configuration over another."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from onemcp.config.jsonc import parse
from onemcp.config.node import plain
from onemcp.config.overlay import overlaid

VALUES = st.recursive(
    st.booleans() | st.integers(0, 9) | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abcd"), inner, max_size=3),
    max_leaves=12,
)
OBJECTS = st.dictionaries(st.sampled_from("abcd"), VALUES, max_size=4)


def laid(base: object, over: object) -> Any:
    return plain(overlaid(parse(json.dumps(base), "base"), parse(json.dumps(over), "over")))


@pytest.mark.parametrize(
    ("base", "over", "result"),
    [
        ({"a": 1}, {"b": 2}, {"a": 1, "b": 2}),
        ({"a": 1}, {"a": 2}, {"a": 2}),
        ({"a": {"x": 1, "y": 2}}, {"a": {"y": 3}}, {"a": {"x": 1, "y": 3}}),
        ({"a": {"x": 1, "y": 2}}, {"a": {"y": None}}, {"a": {"x": 1}}),
        ({"a": [1, 2]}, {"a": [3]}, {"a": [3]}),
        ({"a": {"x": 1}}, {"a": 5}, {"a": 5}),
        ({"a": 5}, {"a": {"x": 1, "y": None}}, {"a": {"x": 1}}),
        ({}, {"a": {"x": None, "y": 1}}, {"a": {"y": 1}}),
        ({}, {"a": None}, {}),
    ],
)
def test_objects_are_merged_null_takes_away_and_the_rest_replaces(
    base: object, over: object, result: object
) -> None:
    assert laid(base, over) == result


@given(OBJECTS, OBJECTS)
def test_what_the_upper_one_says_holds_and_the_rest_of_the_lower_one_stays(
    base: dict[str, Any], over: dict[str, Any]
) -> None:
    result = laid(base, over)
    assert result.keys() == base.keys() | over.keys()
    for name in base.keys() - over.keys():
        assert result[name] == base[name]
    for name, value in over.items():
        if not isinstance(value, dict) or not isinstance(base.get(name), dict):
            assert result[name] == value


@given(OBJECTS)
def test_nothing_and_oneself_change_nothing(base: dict[str, Any]) -> None:
    assert laid(base, {}) == base
    assert laid({}, base) == base
    assert laid(base, base) == base


@given(OBJECTS, OBJECTS, OBJECTS)
def test_laying_over_one_by_one_is_laying_over_what_they_make_together(
    first: dict[str, Any], second: dict[str, Any], third: dict[str, Any]
) -> None:
    if not any(_clashes(second, each) for each in (first, third)):
        assert laid(laid(first, second), third) == laid(first, laid(second, third))


def _clashes(one: Any, other: Any) -> bool:
    """Whether somewhere the one has an object and the other none: then the order of laying counts."""
    return any(
        isinstance(one[name], dict) != isinstance(other[name], dict)
        or (isinstance(one[name], dict) and _clashes(one[name], other[name]))
        for name in one.keys() & other.keys()
    )


def test_every_value_keeps_its_own_place() -> None:
    base = parse('{"a": {"x": 1,\n "y": 2}}', "base.json")
    node = overlaid(base, parse('{"a":\n\n {"y": 3}}', "over.json"))
    assert isinstance(node.value, dict)
    inner = node.value["a"].value
    assert isinstance(inner.value, dict)
    places = {name: (member.value.file, member.value.line) for name, member in inner.value.items()}
    assert places == {"x": ("base.json", 1), "y": ("over.json", 3)}


def test_who_asks_is_told_of_what_is_replaced() -> None:
    told: list[tuple[str, int, int]] = []
    overlaid(
        parse('{"a": {"x": 1,\n "y": 2}, "b": 1}', "one"),
        parse('{"a": {"y": 3}, "b": null, "c": 1}', "two"),
        lambda key, below, above: told.append((key, below.key.line, above.key.line)),
    )
    assert told == [("a.y", 2, 1)]


KEYS = st.lists(st.sampled_from("abcd"), min_size=1, max_size=3)


def standing(value: Any, keys: list[str]) -> Any:
    """What stands there by this path; None for nothing, and for null, which counts as nothing."""
    for key in keys:
        value = value.get(key) if isinstance(value, dict) else None
    return value


def without(value: Any, keys: list[str]) -> Any:
    """The value without the member by this path."""
    first, *rest = keys
    if not rest:
        return {name: inner for name, inner in value.items() if name != first}
    return {name: without(inner, rest) if name == first else inner for name, inner in value.items()}


def nested(keys: list[str], value: Any) -> Any:
    for key in reversed(keys):
        value = {key: value}
    return value


@given(OBJECTS, KEYS)
def test_null_takes_away_exactly_what_it_stands_for_at_any_depth(
    base: dict[str, Any], keys: list[str]
) -> None:
    result = laid(base, nested(keys, None))
    assert standing(result, keys) is None
    if standing(base, keys) is not None:
        assert result == without(base, keys)


@given(OBJECTS, OBJECTS)
def test_laying_the_same_over_once_more_changes_nothing(base: dict[str, Any], over: dict[str, Any]) -> None:
    once = laid(base, over)
    assert laid(once, over) == once


@given(OBJECTS, OBJECTS)
def test_members_keep_the_order_of_the_base_and_new_ones_follow(
    base: dict[str, Any], over: dict[str, Any]
) -> None:
    assert list(laid(base, over)) == [*base, *(name for name in over if name not in base)]


@given(OBJECTS, KEYS, VALUES)
def test_what_was_taken_away_can_be_given_anew_and_nothing_of_the_old_one_is_in_it(
    base: dict[str, Any], keys: list[str], value: Any
) -> None:
    result = laid(laid(base, nested(keys, None)), nested(keys, value))
    for key in keys:
        result = result[key]
    assert result == value


@given(OBJECTS, OBJECTS)
def test_what_is_laid_over_and_what_it_is_laid_over_stay_as_they_were(
    base: dict[str, Any], over: dict[str, Any]
) -> None:
    below, above = parse(json.dumps(base), "base"), parse(json.dumps(over), "over")
    overlaid(below, above)
    assert (plain(below), plain(above)) == (base, over)
