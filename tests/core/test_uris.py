"""Resource URIs and templates."""

import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from onemcp.core.uris import MAX_TEMPLATE, MAX_URI, Template, qualify, unqualify


@given(st.text(min_size=1), st.text())
def test_a_qualified_uri_gives_back_server_and_uri(server: str, uri: str) -> None:
    qualified = qualify(server, uri)
    assert qualified.endswith(uri)
    assert unqualify(qualified) == (server, uri)


@given(st.text())
def test_any_text_is_qualified_or_not(text: str) -> None:
    found = unqualify(text)
    assert found is None or text.endswith(found[1])


@pytest.mark.parametrize(
    "uri", ["", "file:///x", "onemcp://", "onemcp:///x", "onemcp://server", "ONEMCP://a/b"]
)
def test_another_uri_is_not_qualified(uri: str) -> None:
    assert unqualify(uri) is None


def test_a_template_can_be_qualified() -> None:
    template = Template(qualify("my server", "file:///{name}"))
    assert template.matches("onemcp://my%20server/file:///a")
    assert not template.matches("file:///a")


@pytest.mark.parametrize(
    ("template", "fits", "fails"),
    [
        ("file:///a", ["file:///a"], ["file:///", "file:///ab", "", "file:///A"]),
        ("db://{table}", ["db://users", "db://a%20b"], ["db://", "db://a/b", "xdb://a"]),
        ("db://{table}/rows/{id}", ["db://t/rows/1"], ["db://t/rows/", "db://t/rows/1/2", "db://a/b/rows/1"]),
        ("{a}{b}", ["xy", "xyz"], ["x", "", "x/y"]),
        ("{a}-{b}", ["x-y", "--y", "x--"], ["-", "x-", "-y", "x-y/z"]),
        ("file:///{+path}", ["file:///a/b/c", "file:///a?b#c"], ["file:///"]),
        ("file:///{path*}", ["file:///a/b"], ["file:///"]),
        ("file:///{name:3}", ["file:///abc"], ["file:///a/b"]),
        ("p{#frag}", ["p", "p#x", "p#a/b"], ["px", "p#"]),
        ("p{/one}", ["p", "p/a"], ["p/a/b", "pa", "p/"]),
        ("p{/one,two}", ["p", "p/a", "p/a/b"], ["pa"]),
        ("p{/all*}/end", ["p/a/b/end", "p/end"], ["p/a/b"]),
        ("p{.ext}", ["p", "p.json", "p.tar.gz"], ["p.a/b", "pjson"]),
        ("p{;x,y}", ["p", "p;x=1;y=2"], ["px"]),
        ("p{?q,r}", ["p", "p?q=1", "p?q=a/b&r=2"], ["pq", "p&q=1", "p?"]),
        ("p?fixed=1{&x}", ["p?fixed=1", "p?fixed=1&x=2"], ["p?fixed=1x"]),
        ("é{x}", ["éa", "é世"], ["e"]),
    ],
)
def test_a_template_matches_what_it_expands_to(template: str, fits: list[str], fails: list[str]) -> None:
    matcher = Template(template)
    assert [uri for uri in fits if not matcher.matches(uri)] == []
    assert [uri for uri in fails if matcher.matches(uri)] == []


@pytest.mark.parametrize("broken", ["{", "}", "a{b", "a}b", "{}", "{{a}}", "{a{b}", "a{b}}", "{+}", "{?}"])
def test_a_broken_template_matches_nothing(broken: str) -> None:
    for uri in ("", "a", broken, "ab", "{a}"):
        assert not Template(broken).matches(uri)


HOLES = {
    "{a}": "[^/]+",
    "{+a}": ".+",
    "{a*}": ".+",
    "{#a}": "(#.+)?",
    "{/a}": "(/[^/]+)?",
    "{/a,b}": "(/.+)?",
    "{.a}": r"(\.[^/]+)?",
    "{?a,b}": r"(\?.+)?",
    "{&a}": "(&.+)?",
}
PARTS = st.lists(st.sampled_from([*HOLES, "a", "b", "/", "#", ".", "?", "é"]), max_size=6)
URIS = st.text(st.sampled_from("ab/#.?&é"), max_size=10)


@given(PARTS, URIS)
@example(["{a}", "{a}"], "é")
def test_matching_agrees_with_a_regular_expression(parts: list[str], uri: str) -> None:
    pattern = "".join(HOLES.get(part) or re.escape(part) for part in parts)
    expected = re.fullmatch(pattern, uri, re.DOTALL) is not None
    assert Template("".join(parts)).matches(uri) == expected


@given(st.text(), st.text())
def test_any_template_and_uri_are_matched_or_not(template: str, uri: str) -> None:
    assert Template(template).matches(uri) in {True, False}


@pytest.mark.parametrize(
    "template",
    [
        "{+a}x" * 800,
        "{a}" * 1300,
        "{+a}" * 1000 + "!",
        "a{+b}a" * 600 + "!",
        "{a}-{b}" * 500 + "/",
        "{?a}{&b}" * 500,
    ],
)
def test_a_hostile_template_is_answered_at_once(template: str) -> None:
    for uri in ("x" * MAX_URI, "a" * MAX_URI, "-" * (MAX_URI - 1), "?&" * (MAX_URI // 2)):
        assert Template(template).matches(uri) in {True, False}


def test_what_is_too_long_does_not_match() -> None:
    assert Template("a" * MAX_TEMPLATE).matches("a" * MAX_TEMPLATE)
    assert not Template("a" * (MAX_TEMPLATE + 1)).matches("a" * (MAX_TEMPLATE + 1))
    assert Template("{a}").matches("a" * MAX_URI)
    assert not Template("{a}").matches("a" * (MAX_URI + 1))
