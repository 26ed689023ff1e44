"""Names as clients see them."""

import string

from hypothesis import example, given
from hypothesis import strategies as st

from onemcp.core.names import prefixed, shortened

SEPARATOR = "_1mcp_"
SERVERS = st.text(min_size=1, max_size=30).filter(lambda server: SEPARATOR not in server + SEPARATOR[:-1])
ALLOWED = frozenset(string.ascii_letters + string.digits + "_.-")


@given(SERVERS, st.text(max_size=80), st.integers(10, 128))
def test_a_name_stays_within_the_limit(server: str, name: str, limit: int) -> None:
    assert len(prefixed(server, name, SEPARATOR, limit)) <= limit


@given(SERVERS, st.text(st.sampled_from("aZ0_.-"), max_size=80))
def test_whatever_the_server_is_called_clients_take_the_name(server: str, name: str) -> None:
    assert ALLOWED.issuperset(prefixed(server, name, SEPARATOR))


@given(st.sets(st.tuples(SERVERS, st.text(max_size=80)), min_size=2, max_size=10))
@example({("a b", "x"), ("a_b", "x")})
@example({("s", "x" * 70), ("s", "x" * 71)})
@example({("é", "x"), ("è", "x")})
def test_different_tools_have_different_names(pairs: set[tuple[str, str]]) -> None:
    assert len({prefixed(server, name, SEPARATOR) for server, name in pairs}) == len(pairs)


def test_a_name_that_fits_is_left_alone() -> None:
    assert prefixed("git", "git_status", SEPARATOR) == "git_1mcp_git_status"
    assert prefixed("my.server-1", "do/it", ".") == "my.server-1.do/it"


def test_a_shortened_name_begins_like_the_full_one_and_never_changes() -> None:
    name = prefixed("server", "tool" * 20, SEPARATOR)
    assert name == "server_1mcp_" + "tool" * 10 + "too_613a91cf"
    assert len(name) == 64
    assert len(shortened("x" * 100, 64)) == 64
    assert shortened("x" * 64, 64) == "x" * 64


def test_what_clients_refuse_in_a_servers_name_is_replaced_and_told_apart() -> None:
    name = prefixed("my server", "tool", SEPARATOR)
    assert name.startswith("my_server_1mcp_tool_")
    assert name != prefixed("my:server", "tool", SEPARATOR)
