"""Values that travel in a header and in the body."""

import base64

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from mcp.shared.inbound import decode_header_value, encode_header_value

from onemcp.wire.headers import decode_value, encode_value


@given(st.text())
@example("=?base64??=")
@example("=?base64?=")
@example(" padded ")
def test_any_text_survives(text: str) -> None:
    header = encode_value(text)
    assert decode_value(header) == text
    assert header.isascii()
    assert header.isprintable()
    assert header == header.strip()


@given(st.text())
@example("=?base64?x?=")
def test_it_is_encoded_as_by_the_reference_implementation(text: str) -> None:
    assert decode_header_value(encode_value(text)) == text
    assert decode_value(encode_header_value(text)) == text


@pytest.mark.parametrize(
    ("text", "header"),
    [
        ("us-west1", "us-west1"),
        ("", ""),
        ("Hello, 世界", "=?base64?SGVsbG8sIOS4lueVjA==?="),
        (" padded ", "=?base64?IHBhZGRlZCA=?="),
        ("line1\nline2", "=?base64?bGluZTEKbGluZTI=?="),
        ("=?base64?literal?=", "=?base64?PT9iYXNlNjQ/bGl0ZXJhbD89?="),
    ],
)
def test_values_are_encoded_as_the_specification_shows(text: str, header: str) -> None:
    assert encode_value(text) == header


@pytest.mark.parametrize(
    "literal", ["SGVsbG8=", "=?base64?SGVsbG8=", "SGVsbG8=?=", "=?BASE64?SGVsbG8=?=", "=?base64?=", "a\tb"]
)
def test_without_both_markers_as_they_are_written_a_value_is_literal(literal: str) -> None:
    assert decode_value(literal) == literal


@pytest.mark.parametrize(
    "header",
    [
        "=?base64?SGVsbG8?=",
        "=?base64?SGVs!!!bG8=?=",
        "=?base64?SGVsbG9=?=",
        "=?base64?/w==?=",
        "a\nb",
        "a\x00",
        "\x7f",
        "é",
    ],
)
def test_a_broken_value_is_refused(header: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        decode_value(header)


@given(st.binary(max_size=12))
def test_a_value_that_decodes_encodes_to_itself(data: bytes) -> None:
    header = f"=?base64?{base64.b64encode(data).decode()}?="
    try:
        text = decode_value(header)
    except ValueError:
        return
    assert text.encode() == data
