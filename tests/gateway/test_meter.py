import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Raw

from onemcp.errors import Reason, RpcError, UpstreamError
from onemcp.gateway.failures import as_rpc_error
from onemcp.gateway.meter import METHODS, OTHER, OUTCOMES, Meter, outcome_of, outcome_of_error
from onemcp.upstream.channel import Reply
from onemcp.wire.envelope import ABSENT, INVALID_PARAMS, METHOD_NOT_FOUND
from onemcp.wire.revisions import Era


def answered(result: object) -> Reply:
    return Reply(Raw(json.dumps(result).encode()), ABSENT)


def test_each_call_is_counted_once_where_it_belongs() -> None:
    meter = Meter()
    for seconds in (0.001, 0.3):
        meter.call("a", "tools/call", "ok", seconds)
    meter.call("b", "tools/call", "error", 0.1)
    found = {key: (cell.count, cell.total) for key, cell in meter}
    assert found == {("a", "tools/call", "ok"): (2, 0.301), ("b", "tools/call", "error"): (1, 0.1)}


@given(st.lists(st.text(max_size=30) | st.sampled_from(sorted(METHODS)), max_size=50))
def test_no_method_that_a_client_makes_up_gets_a_cell_of_its_own(methods: list[str]) -> None:
    meter = Meter()
    for method in methods:
        meter.call("", method, "refused", 0.0)
    assert {key[1] for key, _ in meter} <= METHODS | {OTHER}
    assert sum(cell.count for _, cell in meter) == len(methods)


def test_an_upstream_that_is_forgotten_is_not_spoken_of() -> None:
    meter = Meter()
    meter.call("a", "tools/call", "ok", 0.1)
    meter.call("b", "tools/call", "ok", 0.1)
    meter.forget("a")
    assert [key[0] for key, _ in meter] == ["b"]


@pytest.mark.parametrize(
    ("result", "outcome"),
    [
        ({"content": []}, "ok"),
        ({"content": [], "isError": False}, "ok"),
        ({"content": [], "isError": True}, "tool_error"),
        ({"isError": True, "content": [{"type": "text", "text": '"isError":false'}]}, "tool_error"),
        ({"structuredContent": {"isError": True}, "content": []}, "ok"),
        ({"structuredContent": {"isError": False}, "isError": True}, "tool_error"),
        ({"structuredContent": {"isError": True}, "isError": False}, "ok"),
        ({"isError": "true"}, "ok"),
        ({"content": [{"type": "text", "text": '{"isError": true}'}]}, "ok"),
        ({"structuredContent": {"resultType": "input_required"}}, "ok"),
        ({"resultType": "complete"}, "ok"),
        ({"resultType": "input_required", "inputRequests": {}}, "input_required"),
    ],
)
def test_the_outcome_is_what_the_top_of_the_result_says(result: Any, outcome: str) -> None:
    compact = Reply(Raw(json.dumps(result, separators=(",", ":")).encode()), ABSENT)
    for reply in (answered(result), compact):
        assert outcome_of(reply, Era.STATELESS) == outcome


def test_an_answer_of_the_handshake_era_asks_nothing() -> None:
    assert outcome_of(answered({"resultType": "input_required"})) == "ok"


json_values = st.recursive(
    st.booleans() | st.sampled_from(["isError", "input_required", '"isError":true', "true"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["isError", "resultType", "a"]), inner, max_size=3)
    ),
    max_leaves=8,
)


@given(
    st.dictionaries(st.sampled_from(["isError", "resultType", "content"]), json_values, max_size=3),
    st.booleans(),
)
def test_the_quick_search_finds_what_opening_the_result_would(result: dict[str, Any], spaced: bool) -> None:
    text = json.dumps(result, separators=(", ", " : ") if spaced else (",", ":"))
    expected = "ok"
    if result.get("isError") is True:
        expected = "tool_error"
    elif result.get("resultType") == "input_required":
        expected = "input_required"
    assert outcome_of(Reply(Raw(text.encode()), ABSENT), Era.STATELESS) == expected


@pytest.mark.parametrize("result", [b"", b"[]", b'["isError":', b'["input_required"]', b'"isError"'])
def test_a_result_that_is_no_object_does_not_disturb(result: bytes) -> None:
    assert outcome_of(Reply(Raw(result), ABSENT), Era.STATELESS) == "ok"


def test_an_error_of_the_upstream_is_an_error() -> None:
    assert outcome_of(Reply(ABSENT, Raw(b'{"code":-32000,"message":"no"}'))) == "error"


@pytest.mark.parametrize("reason", Reason)
def test_an_upstream_that_did_not_answer_was_unavailable_or_too_slow(reason: Reason) -> None:
    outcome = outcome_of_error(as_rpc_error(UpstreamError("a", reason, "did not")))
    assert outcome == ("timeout" if reason is Reason.TIMEOUT else "unavailable")


@pytest.mark.parametrize(
    "error", [RpcError(INVALID_PARAMS, "no"), RpcError(METHOD_NOT_FOUND, "no", {"uri": "x"})]
)
def test_an_error_of_the_gateways_own_is_a_refusal(error: RpcError) -> None:
    assert outcome_of_error(error) == "refused"


def test_outcomes_are_told_apart() -> None:
    assert len(set(OUTCOMES)) == len(OUTCOMES)
