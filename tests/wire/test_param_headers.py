"""Tool arguments repeated in headers, with the reference implementation beside."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mcp.shared.inbound import (
    find_invalid_x_mcp_header,
    mcp_param_headers,
    validate_mcp_param_headers,
    x_mcp_header_map,
)

from onemcp.errors import RpcError
from onemcp.wire.param_headers import ParamHeader, check_params, param_headers, param_values

REGION = ParamHeader("Mcp-Param-Region", ("region",))


def schema_of(**properties: Any) -> bytes:
    return json.dumps({"type": "object", "properties": properties}).encode()


def annotated(name: Any = "Region", kind: Any = "string") -> dict[str, Any]:
    return {"type": kind, "x-mcp-header": name}


NAMES = st.sampled_from(["a", "b", "properties", "items", "x-mcp-header"])
TOKENS = st.sampled_from(["Region", "region", "X-1", "", "a b", "é", 1, None])
KINDS = st.sampled_from(["string", "integer", "boolean", "number", "object", ["string"], None])
LEAVES = st.fixed_dictionaries(
    {"type": KINDS}, optional={"x-mcp-header": TOKENS, "default": st.just({"x-mcp-header": "D"})}
)


def branches(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    members = st.dictionaries(NAMES, inner, max_size=3)
    return st.fixed_dictionaries(
        {"type": st.just("object")},
        optional={
            "properties": members,
            "items": inner,
            "anyOf": st.lists(inner, max_size=2),
            "$defs": members,
            "x-mcp-header": TOKENS,
            "not": inner,
        },
    )


SCHEMAS = st.recursive(LEAVES, branches, max_leaves=8)


@given(SCHEMAS)
def test_annotations_are_found_and_judged_as_by_the_reference_implementation(schema: dict[str, Any]) -> None:
    encoded = json.dumps(schema).encode()
    if find_invalid_x_mcp_header(schema) is not None:
        with pytest.raises(ValueError, match="x-mcp-header"):
            param_headers(encoded)
    else:
        expected = {path: f"Mcp-Param-{token}" for path, token in x_mcp_header_map(schema).items()}
        assert {header.path: header.header for header in param_headers(encoded)} == expected


VALUES = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(-1e15, 1e15)
    | st.text()
    | st.lists(st.integers(), max_size=1)
)
SCHEMA = {
    "type": "object",
    "properties": {
        "text": annotated("Text"),
        "count": annotated("Count", "integer"),
        "flag": annotated("Flag", "boolean"),
        "deep": {"type": "object", "properties": {"er": annotated("Deeper")}},
    },
}
HEADERS = param_headers(json.dumps(SCHEMA).encode())
ARGUMENTS = st.dictionaries(st.sampled_from(["text", "count", "flag", "other"]), VALUES) | st.builds(
    lambda value: {"deep": value}, VALUES | st.dictionaries(st.just("er"), VALUES)
)


@given(ARGUMENTS)
def test_the_reference_implementation_accepts_what_is_sent(arguments: dict[str, Any]) -> None:
    sent = dict(param_values(HEADERS, json.dumps(arguments).encode()))
    assert validate_mcp_param_headers(SCHEMA, arguments, sent) is None


@given(ARGUMENTS)
def test_what_the_reference_implementation_sends_is_accepted(arguments: dict[str, Any]) -> None:
    sent = mcp_param_headers(x_mcp_header_map(SCHEMA), arguments)
    assert (
        check_params(HEADERS, json.dumps(arguments).encode(), {name.lower(): sent[name] for name in sent})
        == ""
    )


@given(
    ARGUMENTS,
    st.dictionaries(
        st.sampled_from([h.header for h in HEADERS]),
        st.sampled_from(["1", "1.0", "true", "", "x", "=?base64?eA==?="]),
    ),
)
def test_requests_are_judged_as_by_the_reference_implementation(
    arguments: dict[str, Any], given_: dict[str, str]
) -> None:
    reason = check_params(
        HEADERS, json.dumps(arguments).encode(), {name.lower(): given_[name] for name in given_}
    )
    assert bool(reason) == (validate_mcp_param_headers(SCHEMA, arguments, given_) is not None)


def test_annotations_are_found_in_nested_properties() -> None:
    schema = schema_of(
        region=annotated(), where={"type": "object", "properties": {"zone": annotated("Zone", "integer")}}
    )
    assert param_headers(schema) == (REGION, ParamHeader("Mcp-Param-Zone", ("where", "zone"), "integer"))


@pytest.mark.parametrize(
    "schema", [b"{}", b"true", b"null", b"[]", b'{"properties": 1}', b'{"properties": {"a": true}}']
)
def test_a_schema_without_annotations_has_none(schema: bytes) -> None:
    assert param_headers(schema) == ()


@pytest.mark.parametrize(
    ("schema", "reason"),
    [
        (schema_of(a=annotated("a b")), '"a": x-mcp-header is not a header name'),
        (schema_of(a=annotated("")), "not a header name"),
        (schema_of(a=annotated("a\r\nb")), "not a header name"),
        (schema_of(a=annotated(7)), "not a header name"),
        (schema_of(a=annotated(kind="number")), "string, integer and boolean"),
        (schema_of(a=annotated(kind=["string", "null"])), "string, integer and boolean"),
        (schema_of(a=annotated("X"), b=annotated("x")), '"a" and "b" have the same'),
        (schema_of(a={"type": "array", "items": annotated()}), "cannot be looked up"),
        (schema_of(a={"anyOf": [annotated(), {"type": "null"}]}), "cannot be looked up"),
        (b'{"x-mcp-header": "Root", "type": "string"}', "cannot be looked up"),
        (b"{", "not JSON"),
        (b"[" * 100_000, "not JSON"),
    ],
)
def test_a_bad_annotation_is_refused_with_the_reason(schema: bytes, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        param_headers(schema)


def test_the_annotation_is_only_a_name_where_data_stands() -> None:
    assert (
        param_headers(schema_of(**{"x-mcp-header": {"type": "string", "default": {"x-mcp-header": 1}}})) == ()
    )


@pytest.mark.parametrize(
    ("kind", "value", "sent"),
    [
        ("string", b'"us-west1"', "us-west1"),
        ("string", b'"\\u4e16"', "=?base64?5LiW?="),
        ("string", b'""', ""),
        ("integer", b"42", "42"),
        ("integer", b"-7", "-7"),
        ("integer", b"42.0", "42"),
        ("integer", b"1e3", "1000"),
        ("integer", b"-0", "0"),
        ("integer", b"12345678901234567890123", "12345678901234567890123"),
        ("boolean", b"true", "true"),
        ("boolean", b"false", "false"),
    ],
)
def test_a_value_is_spelt_as_the_specification_says(kind: Any, value: bytes, sent: str) -> None:
    header = ParamHeader("Mcp-Param-A", ("a",), kind)
    assert param_values([header], b'{"a": %b}' % value) == (("Mcp-Param-A", sent),)


@pytest.mark.parametrize("arguments", [b"{}", b'{"region": null}', b'{"region": []}', b'{"region": {}}', b""])
def test_an_argument_that_no_header_carries_is_not_sent_and_not_expected(arguments: bytes) -> None:
    assert param_values([REGION], arguments) == ()
    assert check_params([REGION], arguments, {}) == ""
    assert "without the argument" in check_params([REGION], arguments, {"mcp-param-region": "x"})


def test_arguments_that_are_not_an_object_are_refused() -> None:
    with pytest.raises(RpcError, match="not a JSON object"):
        param_values([REGION], b"[]")
    with pytest.raises(RpcError, match="not a JSON object"):
        check_params([REGION], b"null", {})


@pytest.mark.parametrize(
    ("body", "header", "reason"),
    [
        ("Hello", "=?base64?SGVsbG8=?=", ""),
        ("Hello", "=?base64?SGVsbG8?=", "cannot be decoded"),
        ("Hello", "=?base64?SGVs!!!bG8=?=", "cannot be decoded"),
        ("SGVsbG8=", "SGVsbG8=", ""),
        ("=?base64?SGVsbG8=", "=?base64?SGVsbG8=", ""),
        ("Hello", "hello", "does not agree"),
        ("Hello", "Hel\x01lo", "cannot be decoded"),
        ("test-value", None, "is missing"),
    ],
)
def test_a_request_is_checked_as_the_conformance_suite_does(
    body: str, header: str | None, reason: str
) -> None:
    given_ = {} if header is None else {"mcp-param-region": header}
    told = check_params([REGION], json.dumps({"region": body}).encode(), given_)
    assert reason in told
    assert bool(told) == bool(reason)


@pytest.mark.parametrize(
    ("body", "header", "reason"),
    [
        (b"42", "42.0", ""),
        (b"42.0", "42", ""),
        (b"42", "42.5", "does not agree"),
        (b"42", "4.2e1", "does not agree"),
    ],
)
def test_integers_agree_by_their_value(body: bytes, header: str, reason: str) -> None:
    count = ParamHeader("Mcp-Param-Count", ("count",), "integer")
    told = check_params([count], b'{"count": %b}' % body, {"mcp-param-count": header})
    assert reason in told
    assert bool(told) == bool(reason)


@pytest.mark.parametrize("value", [b"false", b"true", b'"1"', b'"x1"', b"1.5", b"1e999"])
@pytest.mark.parametrize("header", ["2", "1e0", "nonsense", ""])
def test_an_argument_that_is_no_integer_agrees_with_no_other_text(value: bytes, header: str) -> None:
    count = ParamHeader("Mcp-Param-Count", ("count",), "integer")
    assert "does not agree" in check_params([count], b'{"count": %b}' % value, {"mcp-param-count": header})


def test_integers_agree_exactly_at_any_length() -> None:
    count = ParamHeader("Mcp-Param-Count", ("count",), "integer")
    digits = "9" * 10_000
    assert check_params([count], b'{"count": %b}' % digits.encode(), {"mcp-param-count": digits + ".0"}) == ""
    assert (
        check_params([count], b'{"count": %b}' % digits.encode(), {"mcp-param-count": digits[:-1] + "8"})
        != ""
    )
