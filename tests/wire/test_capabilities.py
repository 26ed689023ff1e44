"""Which questions a client's capabilities allow."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Raw

from onemcp.wire.capabilities import CAPABILITY, declared_in, lacking, required, without, words
from onemcp.wire.envelope import encode

FORM: dict[str, Any] = {"message": "?"}
URL: dict[str, Any] = {"mode": "url", "url": "https://example.com"}
SAMPLING, ELICITATION, ROOTS = CAPABILITY
TOOLS: dict[str, Any] = {"tools": []}


def missing(declared: Any, method: str, params: Any) -> Any:
    return lacking(declared_in(Raw(encode(declared))), method, Raw(encode(params)))


@pytest.mark.parametrize(
    ("declared", "method", "params"),
    [
        ({"elicitation": {}}, ELICITATION, FORM),
        ({"elicitation": {"form": {}}}, ELICITATION, {**FORM, "mode": "form"}),
        ({"elicitation": {"form": {}, "url": {}}}, ELICITATION, URL),
        ({"elicitation": {"url": {}}}, ELICITATION, URL),
        ({"elicitation": {"vendor": 1}}, ELICITATION, FORM),
        ({"sampling": {}}, SAMPLING, {}),
        ({"sampling": {"tools": {}}}, SAMPLING, TOOLS),
        ({"sampling": {"tools": {}}}, SAMPLING, {"toolChoice": {"mode": "auto"}}),
        ({"roots": {"listChanged": True}}, ROOTS, {}),
        ({}, "ping", {}),
    ],
)
def test_a_client_is_asked_what_it_declared(declared: Any, method: str, params: Any) -> None:
    assert missing(declared, method, params) == {}


@pytest.mark.parametrize(
    ("declared", "method", "params", "needed"),
    [
        ({}, ELICITATION, FORM, {"elicitation": {"form": {}}}),
        ({"elicitation": {"url": {}}}, ELICITATION, FORM, {"elicitation": {"form": {}}}),
        ({"elicitation": {}}, ELICITATION, URL, {"elicitation": {"url": {}}}),
        ({"elicitation": {"form": {}}}, ELICITATION, URL, {"elicitation": {"url": {}}}),
        ({"elicitation": {}}, ELICITATION, {"mode": "voice"}, {"elicitation": {"voice": {}}}),
        ({"elicitation": {}}, SAMPLING, {}, {"sampling": {}}),
        ({"sampling": {}}, SAMPLING, TOOLS, {"sampling": {"tools": {}}}),
        ({"sampling": {}}, ROOTS, {}, {"roots": {}}),
    ],
)
def test_what_it_lacks_is_named_as_it_would_be_declared(
    declared: Any, method: str, params: Any, needed: Any
) -> None:
    assert missing(declared, method, params) == needed


def test_they_are_named_for_a_person() -> None:
    assert words({"sampling": {"tools": {}}, "roots": {}}) == "sampling.tools, roots"


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=5,
)


@given(json_values, st.sampled_from(list(CAPABILITY)), json_values)
def test_nonsense_allows_nothing_that_was_not_declared(declared: Any, method: str, params: Any) -> None:
    needed = required(method, Raw(encode(params)))
    assert needed.keys() == {CAPABILITY[method]}
    if not isinstance(declared, dict) or CAPABILITY[method] not in declared:
        assert missing(declared, method, params) == needed


@given(st.sampled_from(list(CAPABILITY)), json_values)
def test_whoever_declares_what_is_required_can_be_asked(method: str, params: Any) -> None:
    needed = required(method, Raw(encode(params)))
    assert missing(json.loads(encode(needed)), method, params) == {}


def test_what_is_taken_out_is_gone_and_the_rest_stays_in_its_order() -> None:
    declared = Raw(b'{"roots":{},"sampling" : {"tools":{}},"x":1}')
    assert bytes(without(declared, {"roots", "elicitation"})) == b'{"sampling":{"tools":{}},"x":1}'
    assert without(declared, {"elicitation"}) is declared


@given(json_values, st.sets(st.sampled_from(["sampling", "roots", ""])))
def test_nothing_is_left_of_what_is_taken_out(declared: Any, names: set[str]) -> None:
    left = declared_in(without(Raw(encode(declared)), names))
    assert left.keys() == (declared.keys() - names if isinstance(declared, dict) else set())
