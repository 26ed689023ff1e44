"""Opening JSON-RPC messages."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from onemcp.errors import RpcError
from onemcp.wire.envelope import (
    ABSENT,
    encode,
    error_object,
    failure,
    is_batch,
    notification,
    one_line,
    open_object,
    parse,
    parse_batch,
    request,
    success,
)

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


def code_of(data: bytes) -> int:
    with pytest.raises(RpcError) as caught:
        parse(data)
    return caught.value.code


def test_a_request_keeps_its_id_and_params_as_they_were() -> None:
    envelope = parse(b'{"jsonrpc":"2.0","id":"1","method":"tools/call","params":{"a": 1.50, "b":1e400}}')
    assert envelope.is_request
    assert bytes(envelope.id) == b'"1"'
    assert bytes(envelope.params) == b'{"a": 1.50, "b":1e400}'


def test_a_string_id_is_not_the_number() -> None:
    assert bytes(parse(b'{"jsonrpc":"2.0","id":1,"method":"ping"}').id) != bytes(
        parse(b'{"jsonrpc":"2.0","id":"1","method":"ping"}').id
    )


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"hello",
        b'{"jsonrpc":"2.0","id":1,"method":"x","params":{"a":"\xff"}}',
        b'{"jsonrpc":"2.0","id":1,"method":"x","params":{"a":NaN}}',
        b'{"jsonrpc":"2.0","id":1,"method":"x","params":{"a":"two\nlines"}}',
        b'{"jsonrpc":"2.0","id":1,"method":"x"} {}',
        b'{"jsonrpc":"2.0","id":1,"method":"x","params":' + b"[" * 100_000,
        b'{"jsonrpc":"2.0","id":1,"method":"x","params":' + b"[" * 100_000 + b"]" * 100_000 + b"}",
    ],
)
def test_what_is_not_json_in_utf8_is_a_parse_error(body: bytes) -> None:
    assert code_of(body) == -32700


@pytest.mark.parametrize(
    "body",
    [
        b"1",
        b"{}",
        b'{"jsonrpc":"1.0","id":1,"method":"x"}',
        b'{"jsonrpc":"2.0","id":null,"method":"x"}',
        b'{"jsonrpc":"2.0","id":1.5,"method":"x"}',
        b'{"jsonrpc":"2.0","id":[1],"method":"x"}',
        b'{"jsonrpc":"2.0","id":true,"method":"x"}',
        b'{"jsonrpc":"2.0","id":"%b","method":"x"}' % (b"y" * 1023),
        b'{"jsonrpc":"2.0","id":1,"method":2}',
        b'{"jsonrpc":"2.0"}',
        b'{"jsonrpc":"2.0","id":1}',
    ],
)
def test_json_that_is_no_message_is_an_invalid_request(body: bytes) -> None:
    assert code_of(body) == -32600


def test_an_error_without_an_id_is_a_response() -> None:
    envelope = parse(b'{"jsonrpc":"2.0","id":null,"error":{"code":-32700,"message":"x"}}')
    assert envelope.is_response


def test_members_are_named_exactly() -> None:
    envelope = parse(b'{"jsonrpc":"2.0","id":1,"method":"x","Method":"y","PARAMS":{"a":1}}')
    assert envelope.method == "x"
    assert envelope.params is ABSENT


def test_of_duplicate_keys_one_counts_and_one_is_forwarded() -> None:
    members = open_object(b'{"name":"safe","name":"evil"}')
    assert encode(members) == b'{"name":"evil"}'


def test_a_batch_is_told_by_its_first_character() -> None:
    assert is_batch(b" \r\n\t[1]")
    assert not is_batch(b'{"a":[1]}')
    assert parse_batch(b'[{"a": 1}, 2]') == [b'{"a": 1}', b"2"]


def test_what_is_not_an_object_is_invalid_params() -> None:
    with pytest.raises(RpcError, match="not a JSON object"):
        open_object(b"[1]")


def test_messages_of_ours_are_json_rpc() -> None:
    assert json.loads(request(7, "tools/list")) == {"jsonrpc": "2.0", "id": 7, "method": "tools/list"}
    assert json.loads(notification("a/b", b'{"x":1}'))["params"] == {"x": 1}
    assert json.loads(success(b'"7"', b"{}")) == {"jsonrpc": "2.0", "id": "7", "result": {}}
    answer = json.loads(failure(None, error_object(RpcError(-1, "no", {"why": "x"}))))
    assert answer == {
        "jsonrpc": "2.0",
        "id": None,
        "error": {"code": -1, "message": "no", "data": {"why": "x"}},
    }


@given(json_values, st.sampled_from([None, 0, 1, 4, "\t"]))
def test_any_payload_is_one_line_with_the_same_tokens(value: object, indent: int | str | None) -> None:
    text = json.dumps(value, indent=indent, ensure_ascii=False).encode(errors="surrogatepass")
    line = one_line(text)
    assert b"\n" not in line
    assert b"\r" not in line
    assert json.loads(line.decode(errors="surrogatepass")) == value


@given(st.lists(json_values, max_size=3))
def test_a_request_hidden_in_a_pretty_printed_argument_stays_an_argument(values: list[object]) -> None:
    hidden = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "evil"}}
    body = json.dumps({"arguments": [hidden, *values]}, indent=0).replace("\n", "\r\n").encode()
    assert len(request(1, "tools/call", body).splitlines()) == 1


@given(st.binary(max_size=200))
def test_arbitrary_bytes_are_a_message_or_a_refusal(data: bytes) -> None:
    try:
        parse(data)
    except RpcError as error:
        assert error.code in (-32700, -32600)


@given(json_values)
def test_arbitrary_json_is_a_message_or_a_refusal(value: object) -> None:
    for text in (
        value,
        {"jsonrpc": "2.0", "id": value, "method": "x"},
        {"jsonrpc": "2.0", "id": 1, "method": value},
    ):
        try:
            parse(json.dumps(text).encode())
        except RpcError as error:
            assert error.code in (-32700, -32600)
