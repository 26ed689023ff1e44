"""Carrying params and results between the eras."""

from msgspec import Raw

from onemcp.wire.envelope import encode, open_object
from onemcp.wire.revisions import Era
from onemcp.wire.translate import adapt_error, adapt_params, adapt_result, stateless_meta

OWN = stateless_meta(Raw(b'{"name":"onemcp"}'))
META = {
    "io.modelcontextprotocol/protocolVersion": "2026-07-28",
    "io.modelcontextprotocol/clientInfo": {"name": "someone"},
    "io.modelcontextprotocol/clientCapabilities": {"extensions": {"x/y": {}}, "sampling": {"tools": {}}},
    "io.modelcontextprotocol/logLevel": "debug",
    "traceparent": "00-1-2-01",
    "vendor/x": [1],
}


def params(meta: object = None) -> dict[str, Raw]:
    members: dict[str, object] = {"name": "echo"}
    if meta is not None:
        members["_meta"] = meta
    return open_object(encode(members))


def test_within_the_handshake_era_meta_is_not_touched() -> None:
    members = params({"progressToken": 1, "vendor/x": 2})
    adapt_params(members, Era.HANDSHAKE, Era.HANDSHAKE, OWN)
    assert bytes(members["_meta"]) == b'{"progressToken":1,"vendor/x":2}'


def test_a_stateless_upstream_hears_who_we_are_and_no_more_than_the_client_can_do() -> None:
    members = params(META)
    adapt_params(members, Era.STATELESS, Era.STATELESS, OWN)
    meta = open_object(members["_meta"])
    assert bytes(meta["io.modelcontextprotocol/clientCapabilities"]) == b'{"sampling":{"tools":{}}}'
    assert bytes(meta["io.modelcontextprotocol/clientInfo"]) == b'{"name":"onemcp"}'
    assert bytes(meta["vendor/x"]) == b"[1]"
    assert bytes(meta["traceparent"]) == b'"00-1-2-01"'


def test_a_handshake_upstream_never_sees_the_per_request_members() -> None:
    members = params(META)
    adapt_params(members, Era.STATELESS, Era.HANDSHAKE, OWN)
    assert list(open_object(members["_meta"])) == ["traceparent", "vendor/x"]


def test_a_stateless_upstream_is_asked_for_the_log_messages_that_the_client_wants() -> None:
    members = params(META)
    adapt_params(members, Era.STATELESS, Era.STATELESS, OWN, "error")
    assert bytes(open_object(members["_meta"])["io.modelcontextprotocol/logLevel"]) == b'"error"'
    adapt_params(members, Era.STATELESS, Era.STATELESS, OWN)
    assert "io.modelcontextprotocol/logLevel" not in open_object(members["_meta"])


def test_a_stateless_upstream_of_a_handshake_client_may_ask_nothing() -> None:
    members = params({"vendor/x": 1})
    adapt_params(members, Era.HANDSHAKE, Era.STATELESS, OWN)
    meta = open_object(members["_meta"])
    assert bytes(meta["io.modelcontextprotocol/clientCapabilities"]) == b"{}"


def test_answers_to_questions_reach_only_upstreams_that_know_such() -> None:
    for target, arrives in ((Era.STATELESS, True), (Era.HANDSHAKE, False)):
        members = {**params(META), "inputResponses": Raw(b"{}"), "requestState": Raw(b'"x"')}
        adapt_params(members, Era.STATELESS, target, OWN)
        assert ("inputResponses" in members, "requestState" in members) == (arrives, arrives)


def test_an_empty_meta_is_left_out() -> None:
    members = params({key: value for key, value in META.items() if key.startswith("io.")})
    adapt_params(members, Era.STATELESS, Era.HANDSHAKE, OWN)
    assert "_meta" not in members


def test_a_handshake_result_becomes_complete() -> None:
    result = adapt_result(Raw(b'{"content":[],"x":1}'), "tools/call", Era.HANDSHAKE, Era.STATELESS)
    assert bytes(result) == b'{"content":[],"x":1,"resultType":"complete"}'


def test_a_read_result_says_how_long_it_may_be_kept() -> None:
    result = adapt_result(Raw(b'{"contents":[]}'), "resources/read", Era.HANDSHAKE, Era.STATELESS)
    assert bytes(result) == b'{"contents":[],"resultType":"complete","ttlMs":0,"cacheScope":"private"}'


def test_a_stateless_result_loses_what_older_clients_do_not_know() -> None:
    raw = Raw(b'{"resultType":"complete","contents":[],"ttlMs":5,"cacheScope":"public","other":null}')
    assert (
        bytes(adapt_result(raw, "resources/read", Era.STATELESS, Era.HANDSHAKE))
        == b'{"contents":[],"other":null}'
    )


def test_within_one_era_a_result_is_not_even_opened() -> None:
    raw = Raw(b"not json at all")
    assert adapt_result(raw, "tools/call", Era.HANDSHAKE, Era.HANDSHAKE) is raw


def test_an_unknown_resource_has_the_code_of_the_client_s_era() -> None:
    old = Raw(b'{"code":-32002,"message":"no","data":{"uri":"x://1"}}')
    new = adapt_error(old, "resources/read", Era.HANDSHAKE, Era.STATELESS)
    assert bytes(open_object(new)["code"]) == b"-32602"
    assert (
        bytes(open_object(adapt_error(new, "resources/read", Era.STATELESS, Era.HANDSHAKE))["code"])
        == b"-32002"
    )
    assert adapt_error(old, "tools/call", Era.HANDSHAKE, Era.STATELESS) is old


def test_a_url_that_must_be_visited_is_no_error_of_the_stateless_era() -> None:
    error = Raw(encode({"code": -32042, "message": "m", "data": {"x": 1}}))
    for method in ("tools/call", "resources/read"):
        adapted = adapt_error(error, method, Era.HANDSHAKE, Era.STATELESS)
        assert bytes(adapted) == b'{"code":-32603,"message":"m","data":{"x":1}}'
        assert adapt_error(error, method, Era.HANDSHAKE, Era.HANDSHAKE) is error
    other = Raw(encode({"code": 1, "message": "-32042"}))
    assert adapt_error(other, "tools/call", Era.HANDSHAKE, Era.STATELESS) is other
