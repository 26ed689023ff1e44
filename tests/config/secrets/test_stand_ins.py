"""Judging a configuration whose secrets nobody asks for."""

import json
from typing import Any

import pytest

from onemcp.config.jsonc import parse
from onemcp.config.secrets.collected import collect
from onemcp.config.secrets.stand_ins import stand_ins, without_guesses
from onemcp.errors import Problem


def at(text: str, part: str, what: str) -> Problem:
    """A problem with what stands at a place of a text of one line."""
    return Problem(what, "", "mcp.json", 1, text.index(part) + 1)


def test_every_secret_has_something_in_its_place() -> None:
    references = collect(parse('["${SECRET:a}", "${SECRET:v:p#f}", "${B}"]'))
    found = stand_ins(references)
    assert found.keys() == references
    assert all(len(secret.reveal()) >= 16 for secret in found.values())


@pytest.mark.parametrize(
    "value", ["${SECRET:a}", "x${SECRET:a}y", ["b", "${SECRET:a}"], {"c": "${SECRET:a}"}]
)
def test_only_what_depends_on_a_secret_is_not_held_against_anybody(value: Any) -> None:
    text = json.dumps({"a": value, "b": "none"})
    secretive = '"x${' if "x$" in text else '"${'
    told = at(text, '"none"', "wrong")
    assert without_guesses([at(text, secretive, "wrong"), told], parse(text, "mcp.json")) == (told,)


def test_a_sentence_that_begins_with_a_reference_is_a_guess_too() -> None:
    text = '{"a": "${SECRET:a}"}'
    assert (
        without_guesses([at(text, '"${', "${SECRET:a} is neither true nor false")], parse(text, "mcp.json"))
        == ()
    )


@pytest.mark.parametrize(
    ("value", "what"),
    [
        ("${SECRET:a}${B}", "the variable B is not set"),
        ("${SECRET:a}${SECRET:-}", "${SECRET:-} begins with a hyphen"),
        ("${SECRET:a:-b}", "${SECRET:a:-b} is no reference"),
    ],
)
def test_what_is_wrong_with_a_reference_is_told(value: str, what: str) -> None:
    text = json.dumps({"a": value})
    told = at(text, '"${', what)
    assert without_guesses([told], parse(text, "mcp.json")) == (told,)
