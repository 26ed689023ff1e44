"""The environment of a child process."""

from hypothesis import given
from hypothesis import strategies as st

from onemcp.core.environment import child_environment
from onemcp.core.spec import StdioTransport

PARENT = {
    "HOME": "/home/ada",
    "PATH": "/usr/bin",
    "LC_TIME": "C",
    "XDG_RUNTIME_DIR": "/run/1",
    "https_proxy": "http://proxy",
    "API_TOKEN": "t",
    "API_URL": "u",
    "OTHER": "o",
    "FUNCTION": "() { :; }",
    "ONE_MCP_PORT": "3050",
}
NAMES = st.sampled_from([*PARENT, "MISSING"])
PATTERNS = st.builds(
    lambda deny, name, length, star: ("!" if deny else "") + (name[:length] + "*" if star else name),
    st.booleans(),
    NAMES,
    st.integers(0, 12),
    st.booleans(),
)
TRANSPORTS = st.builds(
    StdioTransport,
    argv=st.just(("x",)),
    inherit_env=st.booleans(),
    env_filter=st.lists(PATTERNS, max_size=4).map(tuple),
)


def names(*env_filter: str, inherit: bool = False) -> set[str]:
    return set(child_environment(StdioTransport(("x",), inherit_env=inherit, env_filter=env_filter), PARENT))


ALLOWED = {"HOME", "PATH", "LC_TIME", "XDG_RUNTIME_DIR", "https_proxy"}
ALL = ALLOWED | {"API_TOKEN", "API_URL", "OTHER"}


def test_a_child_gets_what_is_allowed_and_no_more() -> None:
    assert names() == ALLOWED


def test_a_filter_names_more() -> None:
    assert names("API_URL") == ALLOWED | {"API_URL"}
    assert names("API_*") == ALLOWED | {"API_URL", "API_TOKEN"}
    assert names("*") == ALL


def test_a_denial_wins() -> None:
    assert names("API_*", "!API_TOKEN") == ALLOWED | {"API_URL"}
    assert names("!LC_*", "!HOME") == ALLOWED - {"LC_TIME", "HOME"}
    assert names("!API_*", inherit=True) == ALL - {"API_URL", "API_TOKEN"}


def test_everything_can_be_inherited_but_our_own_settings_and_shell_functions() -> None:
    assert names(inherit=True) == ALL


def test_inheriting_with_a_filter_that_names_something_is_only_that() -> None:
    assert names("API_URL", inherit=True) == ALLOWED | {"API_URL"}


def test_the_entrys_own_variables_come_on_top() -> None:
    transport = StdioTransport(("x",), env=(("HOME", "/tmp"), ("ONE_MCP_PORT", "1"), ("F", "() x")))
    environment = child_environment(transport, PARENT)
    assert environment["HOME"] == "/tmp"
    assert environment["ONE_MCP_PORT"] == "1"
    assert environment["F"] == "() x"


@given(TRANSPORTS)
def test_whatever_is_asked_for_our_settings_stay_here_and_denied_names_too(transport: StdioTransport) -> None:
    environment = child_environment(transport, PARENT)
    assert environment.items() <= PARENT.items()
    assert "ONE_MCP_PORT" not in environment
    assert "FUNCTION" not in environment
    assert not environment.keys() & {
        pattern[1:] for pattern in transport.env_filter if pattern.startswith("!")
    }
