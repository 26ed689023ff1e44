"""What strangers must not read is taken out; what happened is still there."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from onemcp.core.redact import is_credential, sanitised, without_secrets

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
        ("cannot open ../x, ./x/y or ..\\x", "cannot open <path>, <path> or <path>"),
        ("at src/app/server.js:12:3", "at <path>:12:3"),
        ("in $HOME/x, ${HOME}/x, ~ada/x and C:/Users/ada", "in <path>, <path>, <path> and <path>"),
        ("redis.default.svc.cluster.local refused", "<address> refused"),
        ("no host db.internal, printer.local, db.corp.", "no host <address>, <address>, <address>"),
        ("xn--bcher-kva.example and xn--p1ai and x.xn--p1ai:80", "<address> and <address> and <address>"),
        ("connect to my_db:5432 failed", "connect to <address> failed"),
        ("[::1]:80 [::] [2001:db8::1%eth0]:443 2001:db8::", "<address> <address> <address> <address>"),
        ("getaddrinfo ENOTFOUND db-primary", "getaddrinfo ENOTFOUND <address>"),
        ("[12:30:45] error at line:12, status:500", "[12:30:45] error at line:12, status:500"),
        ("text/event-stream, application/vnd.mcp.json", "text/event-stream, application/vnd.mcp.json"),
        ("notifications/tools/list_changed and/or tools/call",) * 2,
        ("HTTP/1.1 500 from Node.js/v18.2",) * 2,
        ("asyncio.exceptions.CancelledError in os.path, json.loads",) * 2,
    ],
)
def test_what_is_shown(text: str, shown: str) -> None:
    assert sanitised(text) == shown


@given(WORDS, NAMES, NAMES, WORDS)
def test_no_path_is_left(before: str, folder: str, file: str, after: str) -> None:
    assert f"{folder}/{file}" not in sanitised(f"{before} /{folder}/{file} {after}")


@given(WORDS, st.ip_addresses().filter(lambda address: str(address) != "::"), WORDS)
def test_no_address_but_the_empty_one_is_left(before: str, address: object, after: str) -> None:
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


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("Authorization: Token s3cr3t", "Authorization: Token ***"),
        ('Authorization: Digest username="ada", response="s3cr3t"', "Authorization: ***"),
        ("Authorization: Strange s3cr3t s3cr3t\nnext", "Authorization: ***\nnext"),
        ("curl -H 'Authorization: Bearer s3cr3t' https://x", "curl -H 'Authorization: Bearer ***' https://x"),
        ('{"Authorization": "Digest a=\\"s3cr3t\\", b", "n": 1}', '{"Authorization": ***, "n": 1}'),
        ("run --api-key s3cr3t now", "run --api-key *** now"),
        ('run --token "s3 cr3t" now', "run --token *** now"),
        ("['--api-key', 's3cr3t', 'x']", "['--api-key', ***, 'x']"),
        ("--token=s3cr3t", "--token=***"),
        ("SECRET_KEY=s3cr3t PRIVATE_KEY=s3cr3t", "SECRET_KEY=*** PRIVATE_KEY=***"),
        ("AWS_SECRET_ACCESS_KEY: s3cr3t", "AWS_SECRET_ACCESS_KEY: ***"),
        ("${SECRET:api-key}: there is none", "${SECRET:api-key}: there is none"),
        ("passphrase: s3cr3t", "passphrase: ***"),
        ("GITHUB_TOKEN_2=s3cr3t", "GITHUB_TOKEN_2=***"),
        ("the key sk_live_s3cr3ts3cr3t is bad", "the key *** is bad"),
        ("Cookie: a=s3cr3t; b=s3cr3t\nnext", "Cookie: ***\nnext"),
        ("Set-Cookie: sid=s3cr3t; Path=/; HttpOnly", "Set-Cookie: ***"),
        ("Mcp-Session-Id: s3cr3t", "Mcp-Session-Id: ***"),
        (r'{"token": "ab\"s3cr3t", "n": 1}', '{"token": ***, "n": 1}'),
        (r"{\"token\": \"ab\\\"s3cr3t\", \"n\": 1}", r"{\"token\": ***, \"n\": 1}"),
        (r"{\\\"token\\\": \\\"ab\\\\\\\"s3cr3t\\\"}", r"{\\\"token\\\": ***}"),
        ('{"token": "s3cr3t and it goes on', '{"token": ***'),
        ("postgres://ada:p@s3cr3t@db/x", "postgres://***@db/x"),
        ("postgres://ada:p/s3cr3t@db/x", "postgres://***@db/x"),
        ("Basic czNjcjN0OnMzY3IzdA==", "Basic ***"),
        ("a -----BEGIN RSA PRIVATE KEY-----\ns3cr3t\n-----END RSA PRIVATE KEY----- b", "a *** b"),
        ("-----BEGIN PRIVATE KEY-----\ns3cr3t", "***"),
    ],
)
def test_a_credential_is_known_by_what_stands_around_it(text: str, shown: str) -> None:
    assert without_secrets(text) == shown


@pytest.mark.parametrize(
    "text",
    [
        "use --token to set it, or --api-key if there is one",
        "the token is invalid; API key is missing; password authentication failed",
        "tokens: 512, max_tokens=4096, total tokens 12",
        "Unexpected token < in JSON at position 0",
        "basic authentication failed; Basic auth is not supported; a basic example",
        "Bearer token is missing, bearer authentication is required",
        'WWW-Authenticate: Bearer realm="x", error="invalid_token"',
        "Cookies are disabled; the secret of success",
        "monkey=banana, turkey: 5, author=ada, key: value",
        "https://packages.example.org:443/@scope/pkg and http://127.0.0.1:3050/mcp",
        'exited with status 3; last words: "no such file"',
        "12 tests passed in 1.5 s; GET /mcp 200",
    ],
)
def test_what_only_speaks_of_credentials_stays(text: str) -> None:
    assert without_secrets(text) == text


@pytest.mark.parametrize(
    ("name", "is_one"),
    [
        *(
            (name, True)
            for name in ("TOKEN", "api-key", "X-Api-Key", "DB_PASS", "PGPASSWORD", "SSH_KEY", "key")
        ),
        *((name, True) for name in ("Authorization", "cookie", "SENTRY_DSN", "GITHUB_PAT", "passphrase")),
        *((name, False) for name in ("PATH", "MONKEY", "token_count", "KEYBOARD", "compass", "author", "")),
    ],
)
def test_a_name_says_whether_its_value_is_a_credential(name: str, is_one: bool) -> None:
    assert is_credential(name) is is_one


RUNS = (
    "x", "-", "\\", '\\"', "a1/", "eyJ-", "eyJa.a", "sk-", "AKIA", "password", "token ", 'token="', r"token=\"", "token=\\",
    "tokens ", "secret access key ", "://", "://a:", "://a@", "authorization", "authorization:", "Authorization: Token ",
    "--token ", "--token", "basic ", "bearer ", "cookie:", "Set-Cookie: a", "-----BEGIN PRIVATE KEY-----", "a.", "1:", "[::",
)  # fmt: skip


@pytest.mark.parametrize("run", RUNS)
def test_a_long_run_costs_no_more_than_its_length(run: str) -> None:
    """If a pattern began anew at each character this would take minutes, with the interpreter's lock held."""
    text = run * (100_000 // len(run))
    assert without_secrets(text)
    assert len(sanitised(text)) <= 300


@given(st.lists(st.sampled_from([*RUNS, " ", "\n", "'", "=", "x"]), max_size=60))
def test_any_mixture_of_them_is_clean_after_once(parts: list[str]) -> None:
    once = without_secrets("".join(parts))
    assert without_secrets(once).count("***") <= once.count("***") + 1
    assert len(sanitised("".join(parts))) <= 300
