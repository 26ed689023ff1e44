import json
import logging

import pytest
from msgspec import Raw

from onemcp.errors import RpcError
from onemcp.gateway.told import passed_on, told
from onemcp.gateway.trail import Trail, following


def trail() -> Trail:
    return Trail({b"x-request-id": b"r1"})


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (None, {"requestId": "r1"}),
        ({"reason": "upstream_timeout"}, {"reason": "upstream_timeout", "requestId": "r1"}),
        (["what", "is", "no", "object"], ["what", "is", "no", "object"]),
    ],
)
def test_an_error_of_ours_carries_the_request_id(data: object, expected: object) -> None:
    with following(trail()):
        error = json.loads(told(RpcError(-32602, "no", data)))
    assert error == {"code": -32602, "message": "no", "data": expected}


def test_outside_of_a_request_there_is_none() -> None:
    assert json.loads(told(RpcError(-32602, "no"))) == {"code": -32602, "message": "no"}


def test_a_value_that_was_raised_is_not_changed() -> None:
    data: dict[str, object] = {"uri": "x"}
    with following(trail()):
        told(RpcError(-32002, "no", data))
    assert data == {"uri": "x"}


@pytest.mark.parametrize(
    ("code", "level"),
    [(-32603, logging.WARNING), (-32001, logging.WARNING), (-32602, logging.DEBUG), (-32700, logging.DEBUG)],
)
def test_what_is_not_a_clients_own_mistake_is_a_warning(
    code: int, level: int, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.DEBUG, "onemcp.gateway.answers"):
        told(RpcError(code, "something"))
    assert [record.levelno for record in caplog.records] == [level]


def test_an_upstreams_error_stays_as_it_is_and_its_words_are_not_logged(
    caplog: pytest.LogCaptureFixture,
) -> None:
    error = Raw(b'{"code": -32000 , "message":"you said: hunter2"}')
    with caplog.at_level(logging.INFO, "onemcp.gateway.answers"), following(trail()):
        assert passed_on(error) is error
    assert "-32000" in caplog.text
    assert "hunter2" not in caplog.text


def test_an_error_that_is_none_is_passed_on_too(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, "onemcp.gateway.answers"):
        assert bytes(passed_on(Raw(b"17"))) == b"17"
