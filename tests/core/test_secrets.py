"""What a spec holds that nobody is to read, and how it is hidden."""

import json
from base64 import b64encode
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from onemcp.core.secrets import SHORTEST, Redactor, literals_of, masked, masked_arguments, masked_reference
from onemcp.core.spec import HttpTransport, StdioTransport, UpstreamSpec

SECRET = "plain-looking"


def stdio(*argv: str, **env: str) -> UpstreamSpec:
    return UpstreamSpec("alpha", StdioTransport(("server", *argv), tuple(env.items())))


def http(url: str = "https://x.example/mcp", **headers: str) -> UpstreamSpec:
    return UpstreamSpec("alpha", HttpTransport(url, headers=tuple(headers.items())))


@pytest.mark.parametrize(
    "spec",
    [
        stdio(ANYTHING=SECRET),
        stdio(DSN=f"postgres://ada:{SECRET}@db/x"),
        stdio(HEADERS=json.dumps({"Authorization": f"Bearer {SECRET}"})),
        stdio(PEM=f"-----BEGIN X-----\n{SECRET}\n-----END X-----"),
        stdio("--token", SECRET),
        stdio(f"--api-key={SECRET}"),
        stdio("-e", f"GITHUB_TOKEN={SECRET}"),
        stdio("--header", f"Authorization: Bearer {SECRET}"),
        stdio(f"https://x.example/mcp?api_key={SECRET}"),
        http(Authorization=f"Bearer {SECRET}"),
        http(Authorization="Basic " + b64encode(f"ada:{SECRET}".encode()).decode()),
        http(**{"X-Whatever": SECRET}),
        http(f"https://ada:{SECRET}@x.example/mcp"),
        http(f"https://x.example/mcp?token={SECRET}"),
        UpstreamSpec(
            "alpha", HttpTransport(f"https://x.example/{SECRET}/mcp"), referred=(("PLACE", SECRET),)
        ),
    ],
)
def test_it_is_found_wherever_it_stands(spec: UpstreamSpec) -> None:
    redactor = Redactor(literals_of(spec, {}))
    assert redactor(f"I was given {SECRET}, thank you") == "I was given ***, thank you"


def test_what_is_inherited_counts_if_its_name_says_so() -> None:
    inherited = {"GITHUB_TOKEN": SECRET, "HTTPS_PROXY": "http://ada:hidden-one@proxy:1", "LANG": "something"}
    assert literals_of(stdio(), inherited) >= {SECRET, "hidden-one"}
    assert "something" not in literals_of(stdio(), inherited)


@pytest.mark.parametrize(
    "value",
    [
        "short",
        "12345",
        "true",
        "production",
        "Development",
        "warning",
        "localhost",
        "en_US.UTF-8",
        "/srv/data",
        "~/notes",
        "./here",
        "C:\\data",
        "https://x.example/mcp",
        "application/json",
        "",
        "alpha",
    ],
)
def test_what_stands_in_many_texts_by_chance_is_none(value: str) -> None:
    assert literals_of(stdio(MODE=value), {}) == frozenset()


def test_a_name_makes_even_a_path_one() -> None:
    assert literals_of(stdio(API_TOKEN="/path/or/token"), {}) == {"/path/or/token"}


def test_an_argument_that_is_none_stays() -> None:
    assert (
        literals_of(stdio("--verbose", "directory", "--port", "123456", "-m", "mcp_server"), {})
        == frozenset()
    )


def test_a_longer_one_goes_before_one_that_is_a_part_of_it() -> None:
    assert Redactor(["secret-", "secret-secret-one"])("a secret-secret-one b") == "a *** b"


def test_bytes_that_are_no_text_are_hidden_as_they_come_back() -> None:
    redactor = Redactor(["tok\udcffen-one"])
    assert redactor(b"a tok\xffen-one b".decode(errors="replace")) == "a *** b"


@pytest.mark.parametrize("end", ["", '"', "…", '."'])
def test_one_that_was_cut_is_hidden_from_eight_characters_on(end: str) -> None:
    assert Redactor([SECRET])(f"x: {SECRET[:9]}{end}") == f"x: ***{end}"
    assert Redactor([SECRET])(f"x: {SECRET[:7]}{end}") == f"x: {SECRET[:7]}{end}"


LITERALS = st.text(
    st.characters(exclude_categories=["Cs"], exclude_characters="*"), min_size=SHORTEST, max_size=30
)


@given(st.lists(LITERALS, min_size=1, max_size=5), st.text(max_size=50), st.text(max_size=50))
def test_none_of_them_is_left_in_any_form(literals: list[str], before: str, after: str) -> None:
    redactor = Redactor(literals)
    for literal in literals:
        for form in (literal, json.dumps(literal)[1:-1], quote(literal, safe="")):
            assert literal not in redactor(before + form + after)
            assert form not in redactor(form)


@given(st.text(max_size=200))
def test_without_any_the_text_stays(text: str) -> None:
    assert Redactor([])(text) == text


@pytest.mark.parametrize(
    ("argv", "shown"),
    [
        (["--token", "a", "b"], ["--token", "***", "b"]),
        (["--token"], ["--token"]),
        (["--token", "--token", "a"], ["--token", "***", "a"]),
        (["--password=a", "PIN_TOKEN: a"], ["--password=***", "PIN_TOKEN: ***"]),
        (["http://h/?token=a&b=c"], ["http://h/?token=***&b=c"]),
        (["--port", "80", "/srv/data"], ["--port", "80", "/srv/data"]),
        ([], []),
    ],
)
def test_a_command_line_is_shown_without_its_credentials(argv: list[str], shown: list[str]) -> None:
    assert list(masked_arguments(argv)) == shown


def test_what_a_variable_is_called_or_looks_like_decides_whether_it_is_shown() -> None:
    assert masked("API_KEY", "a") == "***"
    assert masked("API_KEY", "") == ""
    assert masked("MODE", "anything-at-all") == "anything-at-all"
    assert masked("X", "ghp_0123456789abcdef") == "***"
    assert masked_reference("MODE", "anything-at-all") == "***"
    assert masked_reference("MODE", "/srv/data") == "/srv/data"
