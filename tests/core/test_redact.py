"""What strangers must not read is taken out; what happened is still there."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from onemcp.core.redact import sanitised, without_secrets

WORDS = st.text(alphabet="abcdefghij XYZ.,:()'\"", max_size=40)
NAMES = st.text(alphabet="abcdefghijkxyz0123456789_-", min_size=1, max_size=10)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("exited with status 3", "exited with status 3"),
        ("did not answer within 30 s of its start", "did not answer within 30 s of its start"),
        ("/usr/bin/thing: no such file", "<path>: no such file"),
        ("cannot open '~/keys/id' or ./a/b or C:\\Users\\ada", "cannot open '<path>' or <path> or <path>"),
        ("POST http://u:p@10.0.0.1:80/mcp?x=1 failed", "POST <url> failed"),
        ("connection to 10.1.2.3:8080 refused", "connection to <address> refused"),
        ("connection to [fe80::1]:80 refused", "connection to <address> refused"),
        ("connection to db:5432 refused", "connection to <address> refused"),
        ("connect ECONNREFUSED ::1:5432", "connect ECONNREFUSED <address>"),
        ("from ::ffff:10.1.2.3 and fe80::1%eth0", "from <address> and <address>"),
        ("mcp.json:12:34: x: unknown key", "mcp.json:12:34: x: unknown key"),
        ("/srv/mcp.json:12:34: x: unknown key", "<path>:12:34: x: unknown key"),
        ("12:30:45 std::bad_alloc at main.py:12:3", "12:30:45 std::bad_alloc at main.py:12:3"),
        ("no host api.example.com", "no host <address>"),
        ("Authorization: Bearer abc.def", "Authorization: Bearer ***"),
        ("token=s3cr3t; next", "token=***; next"),
        ('{"api_key": "s3cr3t"}', '{"api_key": ***}'),
        ("MY_PASSWORD='a b c' was wrong", "MY_PASSWORD=*** was wrong"),
        ("key sk-abcdefgh12345 is bad", "key *** is bad"),
        ("a\nb\t c", "a b c"),
        (
            "refused with -32601 Method not found; is it an MCP server?",
            "refused with -32601 Method not found; is it an MCP server?",
        ),
        ("at 12:30 it took 1.5 s, version 1.2.3", "at 12:30 it took 1.5 s, version 1.2.3"),
    ],
)
def test_what_is_shown(text: str, shown: str) -> None:
    assert sanitised(text) == shown


@given(WORDS, NAMES, NAMES, WORDS)
def test_no_path_is_left(before: str, folder: str, file: str, after: str) -> None:
    assert f"{folder}/{file}" not in sanitised(f"{before} /{folder}/{file} {after}")


@given(WORDS, st.ip_addresses(), WORDS)
def test_no_address_is_left(before: str, address: object, after: str) -> None:
    assert str(address) not in sanitised(f"{before} {address} {after}")


@given(
    WORDS,
    st.sampled_from(["token=", "password: ", "Bearer ", "api-key=", "secret = ", "Cookie: "]),
    st.text(alphabet="ghijklmnop0123456789._-", min_size=6, max_size=60),
    WORDS,
)
def test_no_credential_is_left(before: str, word: str, secret: str, after: str) -> None:
    text = f"{before} {word}{secret} {after}"
    assert secret not in without_secrets(text)
    assert secret not in sanitised(text)


@given(st.text(max_size=2000), st.integers(10, 400))
def test_it_is_one_line_of_bounded_length(text: str, limit: int) -> None:
    shown = sanitised(text, limit)
    assert len(shown) <= limit
    assert "\n" not in shown


@given(st.text(max_size=200))
def test_what_is_clean_stays_clean(text: str) -> None:
    once = without_secrets(text)
    assert without_secrets(once) == once
