"""What a new configuration changes about the settings."""

from hypothesis import given
from hypothesis import strategies as st

from onemcp.config.change import changes, in_force
from onemcp.config.settings import FileValue, Settings, resolve

KEYS = {
    "logging.level": st.sampled_from(["debug", "info", "warn"]),
    "port": st.integers(0, 65535),
    "lists.pageSize": st.integers(1, 10_000),
    "allowedHosts": st.lists(st.sampled_from(["a", "b"]), max_size=2),
    "strict": st.booleans(),
}
SETTINGS = st.fixed_dictionaries({}, optional=KEYS).map(
    lambda values: resolve({}, {}, {key: FileValue(value, "mcp.json", 3) for key, value in values.items()})
)


def test_what_can_count_at_once_is_in_force_and_the_rest_waits_for_a_restart() -> None:
    now = resolve({})
    new = resolve(
        {}, {}, {key: FileValue(value, "m.json", 7) for key, value in {"port": 1, "strict": True}.items()}
    )
    found = changes(now, new)
    assert [(change.setting.name, change.before, change.after, change.origin) for change in found] == [
        ("port", 3050, 1, "m.json:7"),
        ("strict", False, True, "m.json:7"),
    ]
    assert [change.needs_restart for change in found] == [True, False]
    settings = in_force(now, new)
    assert (settings.port, settings.origins["port"]) == (3050, "default")
    assert (settings.strict, settings.origins["strict"]) == (True, "m.json:7")


def test_a_change_shows_no_value_in_its_repr() -> None:
    now, new = resolve({}), resolve({"ONE_MCP_SECRETS_KEY": "canarybird"})
    assert "canarybird" not in repr(changes(now, new)) + repr(new)


@given(SETTINGS, SETTINGS)
def test_after_it_only_what_needs_a_restart_differs(now: Settings, new: Settings) -> None:
    left = changes(in_force(now, new), new)
    assert all(change.needs_restart for change in left)
    assert {change.setting.name for change in left} == {
        change.setting.name for change in changes(now, new) if change.needs_restart
    }


@given(SETTINGS)
def test_the_same_settings_change_nothing(settings: Settings) -> None:
    assert changes(settings, settings) == ()
    assert in_force(settings, settings) == settings
