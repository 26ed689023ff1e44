"""What a request may see and use."""

from hypothesis import given
from hypothesis import strategies as st

from onemcp.core.access import ALLOW, ANONYMOUS, Deny, Principal, View, decide
from onemcp.core.tags import Expression, parse

EXPRESSIONS = st.none() | st.sampled_from(["a", "-a", "a,b", "a+-b", "-(a,b)", "!b or c"]).map(parse)
TAGS = st.frozensets(st.sampled_from("abc"))


@given(EXPRESSIONS, TAGS)
def test_what_is_not_shown_cannot_be_called(expression: Expression | None, tags: frozenset[str]) -> None:
    view = View(expression)
    decision = decide(ANONYMOUS, view, tags, "server", "tools/call", "tool")
    assert (decision is ALLOW) == view.shows(tags)


def test_a_view_without_an_expression_shows_everything() -> None:
    assert View().shows(frozenset())


def test_tags_are_the_same_in_upper_and_lower_case() -> None:
    assert View(parse("web")).shows(frozenset({"Web"}))


def test_a_denial_says_who_was_denied_what() -> None:
    decision = decide(Principal(subject="ada"), View(parse("web")), frozenset(), "db", "tools/call", "drop")
    assert decision == Deny("tools/call drop: ada does not see db")


def test_equal_views_are_one_key() -> None:
    assert len({View(parse("a, B")), View(parse("A or b"))}) == 1
