"""The references in a document, and what they are expanded to."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from onemcp.config.interpolate import Noting, expand
from onemcp.config.jsonc import scan
from onemcp.config.secrets.collected import Surrounding, collect
from onemcp.config.secrets.reference import Reference, parse
from onemcp.config.secrets.secret import Secret
from onemcp.errors import ConfigError, Problem

SECRETS: dict[Reference, Secret | Problem] = {
    parse("a"): Secret("canary-a"),
    parse("vault:db#password"): Secret("${HOME} ${SECRET:a}"),
    parse("gone"): Problem("${SECRET:gone}: there is no such secret (asked: env)", "set it"),
}
AROUND = Surrounding({"HOME": "/home/ada"}, SECRETS)


def test_every_reference_in_the_values_of_a_document_is_found() -> None:
    text = """{"mcpServers": {"x": {"env": {"A": "${SECRET:a} and ${SECRET:vault:db#password}"}, "args": ["${SECRET:b}"]}},
        "secrets": {"token": "${SECRET:left-out}"}, "other": "$${SECRET:no} ${SECRET:} ${NAME} ${SECRET:open"}"""
    root, _ = scan(text, "mcp.json")
    assert collect(root, {"secrets"}) == {parse("a"), parse("vault:db#password"), parse("b")}


def test_a_secret_is_put_in_its_place_and_never_expanded_again() -> None:
    assert expand("Bearer ${SECRET:a} of ${HOME}", AROUND) == "Bearer canary-a of /home/ada"
    assert expand("${SECRET:vault:db#password}", AROUND) == "${HOME} ${SECRET:a}"


def test_a_secret_that_could_not_be_had_raises_its_problem() -> None:
    with pytest.raises(ConfigError) as caught:
        expand("${SECRET:gone}", AROUND)
    assert str(caught.value) == "${SECRET:gone}: there is no such secret (asked: env); set it"


def test_what_is_no_reference_is_told_where_it_is_expanded() -> None:
    with pytest.raises(ConfigError, match="a secret has no default"):
        expand("${SECRET:a:-text}", AROUND)


def test_where_no_secrets_are_known_it_says_so() -> None:
    for around in (Surrounding({}, {}), AROUND):
        with pytest.raises(ConfigError, match="secrets cannot be used here"):
            expand("${SECRET:other}", around)


def test_who_copies_or_goes_through_the_environment_finds_no_secret() -> None:
    assert dict(AROUND) == {"HOME": "/home/ada"}
    assert "SECRET:a" not in AROUND
    assert "canary" not in repr(AROUND) + repr({**AROUND}) + str(list(AROUND.items()))


def test_an_entry_notes_the_secrets_that_it_used_so_that_they_are_hidden() -> None:
    noting = Noting(AROUND)
    expand("${SECRET:a}", noting)
    assert noting.noted == (("SECRET:a", "canary-a"),)


@given(st.text(), st.text())
def test_any_secret_arrives_unchanged(value: str, around: str) -> None:
    secrets: dict[Reference, Secret | Problem] = {parse("a"): Secret(value)}
    text = around.replace("$", "") + "${SECRET:a}"
    assert expand(text, Surrounding({}, secrets)) == around.replace("$", "") + value
