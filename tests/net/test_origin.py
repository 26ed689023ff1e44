import pytest
from hypothesis import given
from hypothesis import strategies as st

from onemcp.net.origin import Origin, split_url


@pytest.mark.parametrize(
    ("url", "authority", "target"),
    [
        ("http://example.test", "example.test", "/"),
        ("http://example.test:80/mcp", "example.test", "/mcp"),
        ("https://example.test:443/mcp?a=b%20c#part", "example.test", "/mcp?a=b%20c"),
        ("https://example.test:80/mcp", "example.test:80", "/mcp"),
        ("http://[::1]:3000/mcp", "[::1]:3000", "/mcp"),
        ("http://[2001:db8::1]/", "[2001:db8::1]", "/"),
        ("http://bücher.test/ä b", "xn--bcher-kva.test", "/%C3%A4%20b"),
        ("HTTP://Example.Test/Path", "example.test", "/Path"),
        ("http://example.test?x=1", "example.test", "/?x=1"),
        ("http://example.test./mcp", "example.test.", "/mcp"),
        (f"http://{'a' * 63}.test/mcp", f"{'a' * 63}.test", "/mcp"),
    ],
)
def test_a_url_is_an_authority_and_a_target(url: str, authority: str, target: str) -> None:
    origin, found = split_url(url)
    assert (origin.authority, found) == (authority, target)


@pytest.mark.parametrize(
    "url",
    [
        "example.test/mcp",
        "ftp://example.test/",
        "http://",
        "http:///mcp",
        "http://user:secret@example.test/",
        "http://example.test:99999/",
        "http://exa mple.test/",
        f"http://{'ü' * 70}.test/",
        "http://a..b/mcp",
        "http://.test/mcp",
        f"http://{'a' * 64}.test/mcp",
        f"http://{'a.' * 127}test/mcp",
    ],
)
def test_what_is_no_usable_url_is_refused_without_repeating_secrets(url: str) -> None:
    with pytest.raises(ValueError) as refused:  # noqa: PT011 - the message is asserted below
        split_url(url)
    assert "secret" not in str(refused.value)


def test_a_unix_socket_is_spoken_to_in_the_name_of_the_url() -> None:
    origin, target = split_url("http://localhost/status", "/run/one.sock")
    assert (origin, str(origin), target) == (
        Origin("http", "localhost", 80, "/run/one.sock"),
        "/run/one.sock",
        "/status",
    )


@given(st.text(max_size=30), st.text(max_size=30))
def test_a_target_never_leaves_its_line(path: str, query: str) -> None:
    try:
        _, target = split_url(f"http://example.test/{path}?{query}")
    except ValueError:
        return
    assert target.isascii()
    assert target.isprintable()
    assert " " not in target
