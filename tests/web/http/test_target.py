"""Path and query of what a client asks for."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from onemcp.web.http.target import TARGETS, split


@pytest.mark.parametrize(
    ("target", "path", "query"),
    [
        (b"/mcp", "/mcp", b""),
        (b"/mcp?tags=a,b", "/mcp", b"tags=a,b"),
        (b"/servers/a%20b/mcp?x=%20", "/servers/a b/mcp", b"x=%20"),
        (b"/%ff", "/\ufffd", b""),
        (b"/a?b?c", "/a", b"b?c"),
        (b"", "", b""),
    ],
)
def test_a_target_is_its_path_decoded_and_its_query_as_it_is(target: bytes, path: str, query: bytes) -> None:
    assert split(target) == (path, query)


@given(st.lists(st.binary(max_size=300), max_size=400))
def test_what_is_remembered_is_right_and_bounded(targets: list[bytes]) -> None:
    for target in targets:
        assert split(target) == TARGETS.get(target, split(target))
    assert len(TARGETS) <= 256
