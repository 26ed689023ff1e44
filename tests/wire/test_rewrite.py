"""URIs in results as clients know them, and every other token as it came."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Raw

from onemcp.wire.rewrite import rewrite_uris, uris_in


def relist(uri: str) -> str:
    return "onemcp://a/" + uri if uri.startswith("u:") else uri


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ('{"contents":[{"uri":"u:1"}]}', '{"contents":[{"uri":"onemcp://a/u:1"}]}'),
        (
            '{"content":[{"type":"resource","resource":{"uri":"u:1","text":"x"}}]}',
            '{"content":[{"type":"resource","resource":{"uri":"onemcp://a/u:1","text":"x"}}]}',
        ),
        (
            '{"messages":[{"role":"user","content":{"type":"resource_link","uri":"u:1"}}]}',
            '{"messages":[{"role":"user","content":{"type":"resource_link","uri":"onemcp://a/u:1"}}]}',
        ),
    ],
)
def test_uris_are_rewritten_where_results_have_them(before: str, after: str) -> None:
    assert bytes(rewrite_uris(Raw(before.encode()), relist)) == after.encode()


def test_numbers_beside_a_rewritten_uri_keep_their_tokens() -> None:
    result = b'{"n":1.10,"contents":[{"x":1e400,"y":%b,"uri":"u:1"}]}' % (b"9" * 5000)
    assert bytes(rewrite_uris(Raw(result), relist)) == result.replace(b'"u:1"', b'"onemcp://a/u:1"')


@pytest.mark.parametrize(
    "result",
    [
        "5",
        "null",
        "[]",
        '"u:1"',
        '{"content":5}',
        '{"content":["u:1",{"uri":5}]}',
        '{"contents":[{"uri":"other:1"} ]}',
    ],
)
def test_what_has_no_such_uri_is_left_as_it_is(result: str) -> None:
    assert bytes(rewrite_uris(Raw(result.encode()), relist)) == result.encode()


def test_the_uris_of_a_result_are_found() -> None:
    result = b'{"content":[{"uri":"a"},{"resource":{"uri":"b"}},{"text":"c"}]}'
    assert uris_in(Raw(result)) == ["a", "b"]
    assert uris_in(Raw(b"null")) == []


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(),
        lambda inner: (
            st.lists(inner, max_size=4)
            | st.dictionaries(
                st.sampled_from(["content", "contents", "uri", "resource", "x"]), inner, max_size=4
            )
        ),
    )
)
def test_no_result_breaks_it(value: object) -> None:
    import msgspec

    raw = Raw(msgspec.json.encode(value))
    assert msgspec.json.decode(rewrite_uris(raw, lambda uri: uri)) == value
