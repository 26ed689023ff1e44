"""Templates put values into texts, and do nothing else."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from onemcp.core.template import filled, names

VALUES = {"title": "down: git", "kind": "server_down"}


@pytest.mark.parametrize(
    ("template", "expected"),
    [
        ({"a": "${title}"}, {"a": "down: git"}),
        ({"a": ["x ${kind}/${title} y", 1, None, True]}, {"a": ["x server_down/down: git y", 1, None, True]}),
        ({"${kind}": "plain"}, {"${kind}": "plain"}),
        (["$${kind}", "$kind", "${kind", "{kind}"], ["${kind}", "$kind", "${kind", "{kind}"]),
        (["${unknown}"], ["${unknown}"]),
    ],
)
def test_a_name_in_a_text_becomes_its_value(template: object, expected: object) -> None:
    assert filled(template, VALUES) == expected


def test_the_names_of_a_text_are_found_also_wrong_ones() -> None:
    assert list(names("${a} $${b} ${__class__.x} ${open")) == ["a", "__class__.x", "open"]


@given(st.text())
def test_a_value_is_a_text_whatever_its_characters_and_is_not_looked_at_again(value: str) -> None:
    made = filled({"a": "<${kind}>"}, {"kind": value, "title": "no"})
    assert json.loads(json.dumps(made)) == {"a": f"<{value}>"}
