"""References to variables in texts."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from onemcp.config.interpolate import Noting, expand, is_secret_missing, is_unresolved, under_home
from onemcp.errors import ConfigError, Problem

ENVIRON = {"A": "one", "B_2": "${A}", "EMPTY": "", "SECRET": "s"}


@pytest.mark.parametrize(
    ("text", "expanded"),
    [
        ("", ""),
        ("${A}", "one"),
        ("<${A}${A}>", "<oneone>"),
        ("${env:A}", "one"),
        ("${EMPTY}", ""),
        ("${EMPTY:-two}", "two"),
        ("${NONE:-two}", "two"),
        ("${NONE:-}", ""),
        ("${A:-two}", "one"),
        ("${A:?is needed}", "one"),
        ("${SECRET}", "s"),
        ("$A $ $$ {A}", "$A $ $$ {A}"),
        ("$${A}", "${A}"),
        ("$$${A}", "$${A}"),
        ("$${A} ${A}", "${A} one"),
    ],
)
def test_references_are_replaced(text: str, expanded: str) -> None:
    assert expand(text, ENVIRON) == expanded


def test_what_a_variable_holds_is_not_expanded_again() -> None:
    assert expand("${B_2}", ENVIRON) == "${A}"


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("${NONE:?make one at the bank}", "the variable NONE is not set; make one at the bank"),
        ("${EMPTY:?}", "the variable EMPTY is not set; set it where the gateway starts"),
        ("${NONE}", "the variable NONE is not set; set it where the gateway starts, or write ${NONE:-text}"),
        (
            "${SECRET:api-key}",
            "${SECRET:api-key}: secrets cannot be used here; use an environment variable, as ${NAME}",
        ),
        (
            "${input:token}",
            "${input:token}: nobody can be asked for it here; use an environment variable, as ${NAME}",
        ),
        ("${A", "${A does not end, } is missing; write $${ for the two characters themselves"),
        ("${}", "${} is no reference to a variable; write $${ for the two characters themselves"),
        ("${1A}", "${1A} is no reference to a variable; write $${ for the two characters themselves"),
        ("${A%%x}", "${A%%x} is no reference to a variable; write $${ for the two characters themselves"),
        ("${ A }", "${ A } is no reference to a variable; write $${ for the two characters themselves"),
    ],
)
def test_what_cannot_be_replaced_is_an_error_that_says_what_to_write(text: str, sentence: str) -> None:
    with pytest.raises(ConfigError) as caught:
        expand(text, ENVIRON)
    assert str(caught.value) == sentence


@given(st.text(), st.dictionaries(st.text(), st.text()))
def test_any_text_is_expanded_or_refused(text: str, environ: dict[str, str]) -> None:
    try:
        expanded = expand(text, environ)
    except ConfigError:
        return
    assert "${" in text or expanded == text


@given(st.text())
def test_a_text_with_all_its_braces_escaped_comes_out_as_it_was(text: str) -> None:
    assert expand(text.replace("${", "$${"), {}) == text


@given(st.text())
def test_a_value_arrives_unchanged(value: str) -> None:
    assert expand("${X}", {"X": value}) == value


def test_a_tilde_is_the_home_folder_only_at_the_start_of_a_path() -> None:
    environ = {"HOME": "/home/ada"}
    assert under_home("~", environ) == "/home/ada"
    assert under_home("~/bin/x", environ) == "/home/ada/bin/x"
    assert under_home("~eve/x", environ) == "~eve/x"
    assert under_home("/a/~", environ) == "/a/~"
    assert under_home("~/x", {}) == "~/x"


NAMES = st.from_regex(r"[A-Za-z_][A-Za-z0-9_]{0,5}", fullmatch=True)
VALUES = st.text() | st.sampled_from(["${A}", "$${A}", "${A:-x}", "${SECRET:a}", "${", "}", "$", "$$"])
PLAIN = st.text(st.characters(exclude_characters="$"))


@given(st.lists(st.tuples(PLAIN, NAMES, VALUES)), PLAIN)
def test_every_reference_becomes_its_value_and_nothing_else_is_touched(
    parts: list[tuple[str, str, str]], end: str
) -> None:
    environ = {name: value for _, name, value in parts}
    text = "".join(f"{before}${{{name}}}" for before, name, _ in parts) + end
    assert expand(text, environ) == "".join(before + environ[name] for before, name, _ in parts) + end


@given(NAMES, VALUES, PLAIN)
def test_the_three_ways_to_name_a_variable_agree_where_it_is_set(name: str, value: str, other: str) -> None:
    other = other.replace("{", "").replace("}", "")
    environ = {name: value}
    spellings = [f"${{env:{name}}}", *([f"${{{name}:-{other}}}", f"${{{name}:?{other}}}"] if value else [])]
    assert {expand(text, environ) for text in (f"${{{name}}}", *spellings)} == {value}


@given(NAMES, PLAIN)
def test_the_other_text_stands_where_a_variable_is_not_set_or_empty(name: str, other: str) -> None:
    other = other.replace("{", "").replace("}", "")
    for environ in ({}, {name: ""}):
        assert expand(f"<${{{name}:-{other}}}>", environ) == f"<{other}>"


@given(st.lists(st.tuples(PLAIN, NAMES, VALUES)))
def test_it_is_noted_which_variables_were_asked_for_and_no_others(parts: list[tuple[str, str, str]]) -> None:
    environ = {name: value for _, name, value in parts}
    noting = Noting({**environ, "ANOTHER_ONE": "x"})
    expand("".join(f"{before}${{{name}}}" for before, name, _ in parts), noting)
    assert dict(noting.noted) == environ


@pytest.mark.parametrize(
    ("what", "is_missing"),
    [
        ("${SECRET:a}: there is no such secret (asked: env)", True),
        ("${SECRET:vault:a/b#c}: vault did not answer within 10 s", True),
        ("${SECRET:a} is no usable url: it names no host", False),
        ("${SECRET:a}/x: it is no folder", False),
        ("${A}: x", False),
    ],
)
def test_a_secret_that_is_missing_is_told_from_one_that_does_not_fit(what: str, is_missing: bool) -> None:
    assert is_secret_missing(Problem(what)) is is_unresolved(Problem(what)) is is_missing
