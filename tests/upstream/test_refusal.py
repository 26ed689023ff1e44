import pytest
from hypothesis import given
from hypothesis import strategies as st

from onemcp.net.response import Response
from onemcp.upstream.refusal import is_session_loss, refusal
from onemcp.upstream.status import HttpStatusError


def response(status: int, body: bytes = b"", **headers: str) -> Response:
    return Response(
        status, {name.replace("_", "-").encode(): value.encode() for name, value in headers.items()}, body
    )


@pytest.mark.parametrize(
    ("status", "body", "lost"),
    [
        (404, b"", True),
        (400, b'{"error":{"message":"Session ID mismatch"}}', False),
        (400, b'{"error":{"message":"No valid session ID provided"}}', True),
        (400, b"Unknown session", True),
        (400, b"SESSION EXPIRED", True),
        (400, b'{"error":{"message":"Server not initialized"}}', True),
        (400, b"invalid argument", False),
        (410, b"session terminated", True),
        (410, b"gone", False),
        (500, b"session not found", False),
        (200, b"session not found", False),
    ],
)
def test_a_lost_session_is_told_from_other_refusals(status: int, body: bytes, lost: bool) -> None:
    assert is_session_loss(response(status, body)) is lost


def test_the_error_in_the_body_is_kept_and_told() -> None:
    body = b'{"jsonrpc":"2.0","id":null,"error":{"code":-32020,"message":"Header mismatch"}}'
    error = refusal("up", response(400, body))
    assert isinstance(error, HttpStatusError)
    assert (error.status, error.code) == (400, -32020)
    assert str(error) == "up: answered 400 Bad Request: -32020 Header mismatch"


def test_a_page_for_a_browser_is_not_quoted() -> None:
    assert (
        refusal("up", response(500, b" <html><body>long</body>")).what == "answered 500 Internal Server Error"
    )


@given(st.integers(100, 999), st.binary(max_size=300), st.text(max_size=300))
def test_whatever_comes_the_text_is_one_line_and_short(status: int, body: bytes, header: str) -> None:
    answer = response(status, body)
    for name in (b"www-authenticate", b"retry-after", b"location", b"content-type"):
        answer.headers[name] = header.encode("utf-8", "replace")
    what = refusal("up", answer).what
    assert what.isprintable()
    assert len(what) < 500
