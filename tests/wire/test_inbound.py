"""The stateless ladder."""

from typing import Any

import pytest
from msgspec import Raw

from onemcp.errors import RpcError
from onemcp.wire.envelope import encode, open_object
from onemcp.wire.inbound import check_request, repeated

META = {
    "io.modelcontextprotocol/protocolVersion": "2026-07-28",
    "io.modelcontextprotocol/clientCapabilities": {},
}
HEADERS = {b"mcp-protocol-version": b"2026-07-28", b"mcp-method": b"tools/call", b"mcp-name": b"echo"}


def params(meta: object = META, **more: object) -> dict[str, Raw]:
    return open_object(encode({"name": "echo", "_meta": meta, **more}))


def refused(**case: Any) -> RpcError:
    with pytest.raises(RpcError) as caught:
        check_request(
            case.get("method", "tools/call"), case.get("params", params()), case.get("headers", HEADERS)
        )
    return caught.value


def test_a_request_that_agrees_with_its_headers_passes() -> None:
    check_request("tools/call", params(), HEADERS)


def test_a_name_that_no_header_can_carry_comes_in_base64() -> None:
    headers = {**HEADERS, b"mcp-name": b"=?base64?w6Q=?="}
    check_request("tools/call", params(name="\u00e4"), headers)


@pytest.mark.parametrize("missing", list(META))
def test_meta_must_name_the_revision_and_the_capabilities(missing: str) -> None:
    error = refused(params=params({key: value for key, value in META.items() if key != missing}), headers={})
    assert (error.code, error.status) == (-32602, 400)
    assert missing in error.message


@pytest.mark.parametrize("header", list(HEADERS))
def test_each_header_must_be_there_and_agree(header: bytes) -> None:
    absent = {key: value for key, value in HEADERS.items() if key != header}
    assert refused(headers=absent).code == -32020
    assert refused(headers={**HEADERS, header: b"other"}).code == -32020


def test_a_revision_that_nobody_speaks_is_told_which_ones_are() -> None:
    meta = {**META, "io.modelcontextprotocol/protocolVersion": "2099-01-01"}
    error = refused(params=params(meta), headers={**HEADERS, b"mcp-protocol-version": b"2099-01-01"})
    assert error.code == -32022
    assert error.data == {"supported": ["2026-07-28"], "requested": "2099-01-01"}


def test_a_broken_base64_name_agrees_with_nothing() -> None:
    assert refused(headers={**HEADERS, b"mcp-name": b"=?base64?%%%?="}).code == -32020


def test_a_routing_header_may_not_be_there_twice() -> None:
    assert (
        repeated([(b"mcp-name", b"a"), (b"accept", b"x"), (b"accept", b"y"), (b"mcp-name", b"b")])
        == "mcp-name"
    )
    assert repeated([(b"mcp-name", b"a"), (b"accept", b"x"), (b"accept", b"y")]) == ""
