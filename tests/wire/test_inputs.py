"""Questions and answers as the stateless era has them."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Raw

from onemcp.errors import RpcError
from onemcp.wire.envelope import ABSENT, encode
from onemcp.wire.inputs import (
    check_response,
    input_request,
    input_required,
    is_accepted,
    url_elicitations,
)


def test_a_question_keeps_its_tokens() -> None:
    params = Raw(b'{"message": "\\u00e9", "n":1.50 , "_meta":{"v":1e400}}')
    request = input_request("elicitation/create", params)
    assert bytes(request["params"]) == bytes(params)
    assert bytes(request["method"]) == b'"elicitation/create"'


def test_it_loses_what_this_era_does_not_have() -> None:
    params = {
        "mode": "url",
        "elicitationId": "e",
        "task": {"ttl": 1},
        "url": "u",
        "_meta": {"progressToken": 1, "v": 2},
    }
    request = input_request("elicitation/create", Raw(encode(params)))
    assert json.loads(bytes(request["params"])) == {"mode": "url", "url": "u", "_meta": {"v": 2}}


def test_one_without_params_has_an_empty_object() -> None:
    assert bytes(input_request("roots/list", ABSENT)["params"]) == b"{}"


def test_a_result_that_asks() -> None:
    result = input_required({"roots-1": input_request("roots/list", ABSENT)}, "state")
    assert json.loads(bytes(result)) == {
        "resultType": "input_required",
        "inputRequests": {"roots-1": {"method": "roots/list", "params": {}}},
        "requestState": "state",
    }


@pytest.mark.parametrize("action", ["accept", "decline", "cancel"])
def test_an_answer_that_is_one_passes(action: str) -> None:
    check_response("k", "elicitation/create", Raw(encode({"action": action, "content": {}})))
    check_response("k", "roots/list", Raw(b'{"roots":[]}'))


@pytest.mark.parametrize("response", [12345, None, "x", [], {}, {"action": "run"}, {"action": 1}])
def test_one_that_is_none_is_refused_by_its_key(response: Any) -> None:
    with pytest.raises(RpcError, match='"k" must') as caught:
        check_response("k", "elicitation/create", Raw(encode(response)))
    assert (caught.value.code, caught.value.status) == (-32602, 400)


def test_only_consent_is_consent() -> None:
    assert is_accepted(Raw(b'{"action":"accept"}'))
    for other in (b'{"action":"decline"}', b"{}", b"1", b'{"action":true}'):
        assert not is_accepted(Raw(other))


def test_the_elicitations_of_an_error_are_its_data() -> None:
    error = {"code": -32042, "message": "m", "data": {"elicitations": [{"mode": "url"}, 5]}}
    assert [bytes(each) for each in url_elicitations(Raw(encode(error)))] == [b'{"mode":"url"}']


@given(
    st.recursive(
        st.none() | st.integers() | st.text(),
        lambda inner: (
            st.lists(inner) | st.dictionaries(st.sampled_from(["code", "data", "elicitations", "x"]), inner)
        ),
    )
)
def test_an_error_of_another_kind_has_none(error: Any) -> None:
    assert url_elicitations(Raw(encode(error))) == []
