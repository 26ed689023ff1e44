"""What stands between `${SECRET:` and `}`."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from onemcp.config.secrets.reference import MAX_LENGTH, Reference, parse
from onemcp.errors import ConfigError

FORMS = "write ${SECRET:name} or ${SECRET:provider:path#field}"


@pytest.mark.parametrize(
    ("body", "reference"),
    [
        ("api-key", Reference("api-key")),
        ("db/main#password", Reference("db/main", field="password")),
        ("vault:db#password", Reference("db", "vault", "password")),
        ("vault:team/db", Reference("team/db", "vault")),
        ("op:op://private/github/token", Reference("op://private/github/token", "op")),
        (
            "aws:arn:aws:secretsmanager:eu:1:secret:x#k",
            Reference("arn:aws:secretsmanager:eu:1:secret:x", "aws", "k"),
        ),
    ],
)
def test_a_reference_names_a_secret(body: str, reference: Reference) -> None:
    assert parse(body) == reference
    assert str(reference) == body


@pytest.mark.parametrize(
    ("body", "sentence"),
    [
        ("", "${SECRET:} is not complete; write ${SECRET:name} or ${SECRET:provider:path#field}"),
        ("vault:", "${SECRET:vault:} is not complete; write ${SECRET:name} or ${SECRET:provider:path#field}"),
        ("a#", "${SECRET:a#} is not complete; write ${SECRET:name} or ${SECRET:provider:path#field}"),
        (
            "a#b#c",
            "${SECRET:a#b#c} has more than one #; write ${SECRET:name} or ${SECRET:provider:path#field}",
        ),
        (
            "name:-text",
            "${SECRET:name:-text} is no reference: a secret has no default; take what follows the : away",
        ),
        (
            "My Vault:a",
            "${SECRET:My Vault:a} has no name of a provider before its first colon ('My Vault'); " + FORMS,
        ),
        (
            "-rf",
            "${SECRET:-rf} begins with a hyphen, as an option would; " + FORMS,
        ),
        (
            " a",
            "${SECRET: a} has a blank at an edge, or a character that cannot be printed; " + FORMS,
        ),
    ],
)
def test_what_is_no_reference_is_refused_in_a_sentence(body: str, sentence: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse(body)
    assert str(caught.value) == sentence


@given(st.text() | st.text(alphabet="ab:#-/ .$"))
def test_every_text_is_a_reference_that_reads_the_same_again_or_is_refused(body: str) -> None:
    try:
        reference = parse(body)
    except ConfigError as error:
        assert str(error).isprintable()
        return
    assert str(reference) == body
    assert parse(str(reference)) == reference
    assert not reference.path.startswith("-")


def test_a_long_one_is_not_repeated_since_it_may_be_a_value() -> None:
    with pytest.raises(ConfigError) as caught:
        parse("x" * (MAX_LENGTH + 1))
    assert len(str(caught.value)) < 150
