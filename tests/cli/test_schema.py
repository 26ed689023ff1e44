import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from onemcp.cli.schema import Argument, arguments, example_call, type_of

ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["type", "properties", "required", "$ref", "enum", "items", "anyOf", "default", "a"]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


def test_the_required_arguments_come_first() -> None:
    schema = {
        "type": "object",
        "properties": {
            "limit": {"type": "integer", "description": "How many", "default": 10},
            "path": {"type": "string", "description": "Where"},
        },
        "required": ["path"],
    }
    assert arguments(schema) == [
        Argument("path", "string", True, "Where"),
        Argument("limit", "integer", False, "How many (default 10)"),
    ]


@pytest.mark.parametrize(
    ("part", "words"),
    [
        ({"type": "string"}, "string"),
        ({"type": ["string", "null"]}, "string | null"),
        ({"enum": ["a", "b"]}, '"a" | "b"'),
        ({"const": 1}, "1"),
        ({"type": "array", "items": {"type": "integer"}}, "array of integer"),
        ({"anyOf": [{"type": "string"}, {"type": "null"}]}, "string | null"),
        ({"$ref": "#/$defs/Kind"}, '"x"'),
        ({"$ref": "#/nowhere"}, "any"),
        ({}, "any"),
        (True, "any"),
    ],
)
def test_a_type_is_said_in_a_few_words(part: Any, words: str) -> None:
    assert type_of(part, {"$defs": {"Kind": {"enum": ["x"]}}}) == words


def test_a_schema_that_refers_to_itself_comes_to_an_end() -> None:
    root = {
        "$ref": "#",
        "anyOf": [{"$ref": "#/anyOf/0"}],
        "items": {"type": "array", "items": {"$ref": "#/items"}},
    }
    assert isinstance(type_of({"$ref": "#/items"}, root), str)
    assert isinstance(type_of({"$ref": "#/anyOf/0"}, root), str)


def tool(name: str, annotations: dict[str, bool] | None = None, **properties: Any) -> dict[str, Any]:
    schema = {"type": "object", "properties": properties, "required": list(properties)}
    return {"name": name, "inputSchema": schema, **({"annotations": annotations} if annotations else {})}


def test_a_tool_that_only_reads_is_proposed_before_one_that_does_not_say() -> None:
    tools = [tool("unknown"), tool("reads", {"readOnlyHint": True}, timezone={"type": "string"})]
    assert example_call(tools) == ("reads", '{"timezone":"UTC"}')


def test_a_tool_that_changes_something_is_never_proposed() -> None:
    assert (
        example_call([tool("drop", {"readOnlyHint": False}), tool("rm", {"destructiveHint": True})]) is None
    )


def test_a_tool_whose_arguments_cannot_be_guessed_is_not_proposed() -> None:
    assert example_call([tool("odd", x={"type": "object"})]) is None


def test_examples_defaults_and_choices_are_values_to_try() -> None:
    found = example_call(
        [tool("t", a={"examples": [7]}, b={"default": None}, c={"enum": ["x", "y"]}, d={"const": 1})]
    )
    assert found is not None
    assert json.loads(found[1]) == {"a": 7, "b": None, "c": "x", "d": 1}


@given(ANYTHING)
def test_no_schema_whatever_breaks_the_rendering(schema: Any) -> None:
    assert isinstance(type_of(schema, schema if isinstance(schema, dict) else {}), str)
    if isinstance(schema, dict):
        assert all(argument.name in schema["properties"] for argument in arguments(schema))
        example_call([{"name": "t", "inputSchema": schema}])
