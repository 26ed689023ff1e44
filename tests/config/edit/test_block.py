"""An entry goes to an editor and back."""

import pytest

from onemcp.config.edit.block import block_of, in_block
from onemcp.config.jsonc import parse
from onemcp.config.node import Member

TEXT = '{\r\n\t"a": {\r\n\t\t// why\r\n\r\n\t\t"b": 1,\r\n\t},\r\n}'


def member(text: str) -> Member:
    value = parse(text).value
    assert isinstance(value, dict)
    return value["a"]


def test_it_stands_at_the_left_edge() -> None:
    assert block_of(TEXT, member(TEXT)) == '{\n\t// why\n\n\t"b": 1,\n}'


@pytest.mark.parametrize(
    "text",
    [
        TEXT,
        '{"a": {"b": 1}}',
        '{ "a": {\n  "b": 1 }}',
        '  {\n    "a": {\n "b": 1\n}}',
        '{\n  "a": [\n1\n  ]\n}',
    ],
)
def test_there_and_back_it_is_the_same(text: str) -> None:
    value = member(text)
    back = in_block(text, value, block_of(text, value))
    written = text[value.value.start : value.value.end]
    assert [line.strip() for line in back.splitlines()] == [line.strip() for line in written.splitlines()]
    if text != '  {\n    "a": {\n "b": 1\n}}' and "[\n1" not in text:
        assert back == written
