import io
import json
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from onemcp.cli.outcome import CommandError, Exit
from onemcp.cli.run import read_arguments, render

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=8,
)


def test_arguments_stay_as_they_were_written() -> None:
    assert read_arguments('{"n": 1.50, "big": 123456789012345678901234567890}') == (
        '{"n": 1.50, "big": 123456789012345678901234567890}'
    )


def test_arguments_come_from_a_file_or_standard_input(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a.json").write_text('{"from": "file"}')
    assert read_arguments(f"@{tmp_path / 'a.json'}") == '{"from": "file"}'
    monkeypatch.setattr(sys, "stdin", io.StringIO('{"from": "stdin"}'))
    assert read_arguments("-") == '{"from": "stdin"}'


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ('{"a": 1 2}', "--args is not JSON: line 1 column 9"),
        ("{\n  nope\n}", "--args is not JSON: line 2 column 3"),
        ("[1]", "--args is JSON, but not an object"),
        ('{"a": NaN}', "--args is not JSON: NaN is no JSON value"),
        ("[" * 100_000, "--args is nested too deeply"),
        ("@/nowhere/at/all.json", "/nowhere/at/all.json cannot be read"),
    ],
)
def test_what_is_no_json_object_is_refused_with_its_place(text: str, what: str) -> None:
    with pytest.raises(CommandError) as caught:
        read_arguments(text)
    assert caught.value.what.startswith(what)
    assert caught.value.code is Exit.USAGE


@pytest.mark.parametrize(
    ("result", "text"),
    [
        ({"content": [{"type": "text", "text": "a\nb"}, {"type": "text", "text": "c"}]}, "a\nb\nc"),
        ({"content": [{"type": "text", "text": "\x1b[31mred"}]}, "�[31mred"),
        (
            {"content": [{"type": "image", "mimeType": "image/png", "data": "A" * 4096}]},
            "[image: image/png 3.0 KiB]",
        ),
        (
            {"content": [{"type": "audio", "mimeType": "audio/wav", "data": "AAAA"}]},
            "[audio: audio/wav 3 bytes]",
        ),
        (
            {"content": [{"type": "resource_link", "uri": "file:///a", "name": "a"}]},
            "[resource link: file:///a a]",
        ),
        ({"content": [{"type": "resource", "resource": {"uri": "x:", "text": "hi"}}]}, "hi"),
        (
            {"content": [{"type": "resource", "resource": {"uri": "x:", "blob": "AAAA"}}]},
            "[resource: x: 3 bytes]",
        ),
        ({"content": [{"type": "hologram"}]}, "[hologram: see --json]"),
        ({"content": [], "structuredContent": {"a": 1}}, '{\n  "a": 1\n}'),
    ],
)
def test_text_is_printed_and_the_rest_is_summarised(result: dict[str, Any], text: str) -> None:
    assert render(result) == text


@given(st.dictionaries(st.sampled_from(["content", "structuredContent", "isError", "x"]), JSON))
def test_no_result_whatever_breaks_the_rendering(result: dict[str, Any]) -> None:
    assert isinstance(render(result), str)


@given(st.dictionaries(st.text(), JSON))
def test_every_json_object_is_taken(value: dict[str, Any]) -> None:
    assert json.loads(read_arguments(json.dumps(value))) == value
