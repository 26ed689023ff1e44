"""The table of settings, and how values are found."""

from collections.abc import Mapping
from dataclasses import fields
from typing import get_type_hints

import pytest
from hypothesis import given
from hypothesis import strategies as st

from onemcp.config.setting import Kind, Setting, nearest
from onemcp.config.settings import FileValue, Settings, flags, resolve
from onemcp.config.table import TABLE
from onemcp.config.variables import service_links
from onemcp.core.merge import NamePolicy, Naming
from onemcp.errors import ConfigError

TYPES = {
    Kind.BOOLEAN: bool,
    Kind.INTEGER: int,
    Kind.MILLISECONDS: float,
    Kind.TEXT: str,
    Kind.NAME: str,
    Kind.PATH: str,
    Kind.LIST: tuple[str, ...],
    Kind.CHOICE: str,
    Kind.FRACTION: float,
    Kind.URL: str,
    Kind.SECRET: str,
}
ROWS = st.sampled_from(TABLE)


def in_file(**values: object) -> dict[str, FileValue]:
    keys = {setting.name: setting.key for setting in TABLE}
    return {keys[name]: FileValue(value, "etc/mcp.json", 3, 5) for name, value in values.items()}


def problems(
    environ: Mapping[str, str] | None = None,
    typed: Mapping[str, object] | None = None,
    file: Mapping[str, FileValue] | None = None,
) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        resolve(environ or {}, typed, file)
    return [str(problem) for problem in caught.value.problems]


def test_table_and_class_agree_in_names_order_and_types() -> None:
    hints = get_type_hints(Settings)
    assert [field.name for field in fields(Settings)] == [*(row.name for row in TABLE), "origins", "notices"]
    for row in TABLE:
        assert hints[row.name] == TYPES[row.kind], row.name


def test_no_secret_has_a_flag() -> None:
    assert Setting(name="x", kind=Kind.TEXT, default="", help="x", secret=True).flag == ""
    assert all(not setting.secret and setting.flag for setting in flags())


def test_names_are_used_once_in_each_place() -> None:
    for names in (
        [row.name for row in TABLE],
        [row.key for row in TABLE if row.key],
        [row.short for row in TABLE if row.short],
    ):
        assert len(names) == len(set(names))


def test_a_key_is_a_setting_or_has_settings_beneath_it_and_never_both() -> None:
    heads = {row.key.partition(".")[0] for row in TABLE if "." in row.key}
    assert not heads & {row.key for row in TABLE}


def test_no_setting_is_taken_for_a_service_link() -> None:
    assert not service_links({row.variable: "1" for row in TABLE}).names


@given(ROWS)
def test_every_default_is_a_value_that_the_setting_takes(setting: Setting) -> None:
    assert setting.from_value(setting.default) == setting.default or not setting.default
    assert setting.help.rstrip(".") == setting.help


def test_the_defaults_are_those_of_the_parts_that_they_are_for() -> None:
    settings = resolve({})
    plain = Naming()
    assert NamePolicy(settings.name_policy) is plain.policy
    assert (settings.name_separator, settings.tool_name_limit) == (plain.separator, plain.limit)
    policies = next(row.choices for row in TABLE if row.name == "name_policy")
    assert policies == tuple(NamePolicy)


def test_the_names_of_the_guide_and_of_1mcp_are_kept() -> None:
    rows = {row.name: row for row in TABLE}
    assert rows["enable_async_loading"].variable == "ONE_MCP_ENABLE_ASYNC_LOADING"
    assert rows["enable_async_loading"].flag == "--enable-async-loading"
    assert rows["enable_async_loading"].key == "asyncLoading.enabled"
    assert rows["async_batch_delay"].flag == "--async-batch-delay"
    assert (rows["config"].short, rows["port"].short, rows["transport"].short) == ("-c", "-P", "-t")


def test_environment_comes_before_flag_before_file_before_default() -> None:
    environ = {"ONE_MCP_PORT": "1"}
    typed = {"port": "2", "host": "::1"}
    file = in_file(port=3, host="0.0.0.0", log_level="warn")
    settings = resolve(environ, typed, file)
    assert (settings.port, settings.host, settings.log_level, settings.strict) == (1, "::1", "warn", False)
    assert settings.origins["port"] == "variable ONE_MCP_PORT"
    assert settings.origins["host"] == "flag --host"
    assert settings.origins["log_level"] == "etc/mcp.json:3"
    assert settings.origins["strict"] == "default"
    assert settings.origins.keys() == {row.name for row in TABLE}


def test_a_variable_that_overrides_a_flag_is_told() -> None:
    settings = resolve({"ONE_MCP_PORT": "4000"}, {"port": "5000"})
    assert settings.notices == ("ONE_MCP_PORT=4000 overrides --port, since the environment comes first",)
    assert not resolve({"ONE_MCP_PORT": "4000"}, {"port": "4000"}).notices
    assert not resolve({"ONE_MCP_PORT": "4000"}, {"port": None}, in_file(port=5000)).notices


def test_an_empty_variable_is_one_that_is_not_set() -> None:
    assert resolve({"ONE_MCP_PORT": "", "ONE_MCP_NOTHING": " "}, {"port": "5000"}).port == 5000


def test_an_option_that_is_not_typed_is_none() -> None:
    assert resolve({}, {"port": None, "strict": None}).port == 3050


@pytest.mark.parametrize("word", ["true", "1", "yes", "on", "TRUE", " Yes "])
def test_words_for_true(word: str) -> None:
    assert resolve({"ONE_MCP_STRICT": word}).strict is True


@pytest.mark.parametrize("word", ["false", "0", "no", "off", "OFF"])
def test_words_for_false(word: str) -> None:
    assert resolve({"ONE_MCP_STRICT": word}, {"strict": True}).strict is False


def test_lists_are_separated_by_commas_and_may_be_typed_more_than_once() -> None:
    assert resolve({"ONE_MCP_ALLOWED_HOSTS": "a, b,,c:1 "}).allowed_hosts == ("a", "b", "c:1")
    assert resolve({}, {"allowed_hosts": ["a,b", "c"]}).allowed_hosts == ("a", "b", "c")
    assert resolve({}, {}, in_file(allowed_hosts=["a", "b"])).allowed_hosts == ("a", "b")


def test_choices_are_taken_in_any_case() -> None:
    assert resolve({"ONE_MCP_LOG_LEVEL": "WARN"}).log_level == "warn"


def test_numbers_of_milliseconds_may_have_a_fraction() -> None:
    assert resolve({"ONE_MCP_CALL_WAIT": "0.5"}).call_wait == 0.5
    assert resolve({}, {}, in_file(call_wait=20)).call_wait == 20.0


def test_paths_know_the_home_folder_and_those_in_a_file_start_at_its_folder() -> None:
    environ = {"HOME": "/home/ada"}
    assert resolve({**environ, "ONE_MCP_CONFIG": "~/mcp.json"}).config == "/home/ada/mcp.json"
    assert resolve(environ, {"state_dir": "state"}).state_dir == "state"
    assert resolve(environ, {}, in_file(state_dir="state")).state_dir == "etc/state"
    assert resolve(environ, {}, in_file(state_dir="~/state")).state_dir == "/home/ada/state"


def test_what_means_nothing_is_an_error_wherever_it_stands_and_all_are_told() -> None:
    environ = {"ONE_MCP_PORT": "99999", "ONE_MCP_STRICT": "maybe", "ONE_MCP_TRANSPORT": "sse"}
    typed = {"port": "x", "log_level": "loud"}
    assert problems(environ, typed, in_file(port="3050", name_separator="")) == [
        "ONE_MCP_TRANSPORT: sse is not one of http, stdio",
        "ONE_MCP_PORT: 99999 is not a whole number from 0 to 65535",
        "--port: x is not a whole number from 0 to 65535",
        "etc/mcp.json:3:5: port: 3050 is not a whole number from 0 to 65535",
        "ONE_MCP_STRICT: maybe is not true or false",
        "--log-level: loud is not one of debug, info, warn, error",
        'etc/mcp.json:3:5: names.separator: "" is not a text that is not empty',
    ]


@pytest.mark.parametrize("text", ["-1", "1.5", "1_0", "٣", "0x10", "nan", "inf", "1e3", "9" * 5000])
def test_what_is_no_port_is_refused(text: str) -> None:
    assert len(problems({"ONE_MCP_PORT": text})) == 1


@pytest.mark.parametrize("text", ["-0.1", "1.1", "nan", "x"])
def test_what_is_no_fraction_is_refused(text: str) -> None:
    assert len(problems({"ONE_MCP_HEALTH_UNHEALTHY_BELOW": text})) == 1


@pytest.mark.parametrize(
    "text", ["h", "ftp://h", "https://", "https://h?x", "https://h/#x", "https://u:p@h", "https://h/a b"]
)
def test_what_is_no_url_of_a_place_is_refused(text: str) -> None:
    assert len(problems({"ONE_MCP_EXTERNAL_URL": text})) == 1


def test_a_url_may_have_a_path() -> None:
    assert resolve({"ONE_MCP_EXTERNAL_URL": "https://h:8443/a/b"}).external_url == "https://h:8443/a/b"


@pytest.mark.parametrize("text", ["-1", "nan", "inf", "1_0", "1e99"])
def test_what_is_no_time_is_refused(text: str) -> None:
    assert len(problems({"ONE_MCP_CALL_WAIT": text})) == 1


@given(ROWS, st.text())
def test_any_text_is_a_value_of_the_right_type_or_a_value_error(setting: Setting, text: str) -> None:
    try:
        value = setting.from_text(text)
    except ValueError:
        assert setting.refusal(text).endswith("not allowed" if setting.secret else setting.accepts)
        return
    assert isinstance(value, tuple if setting.kind is Kind.LIST else TYPES[setting.kind])


@given(
    ROWS,
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5), st.lists, max_leaves=3
    ),
)
def test_any_value_of_a_file_is_taken_or_a_value_error(setting: Setting, value: object) -> None:
    try:
        taken = setting.from_value(value)
    except ValueError:
        assert setting.refusal(value)
        return
    assert isinstance(taken, tuple if setting.kind is Kind.LIST else TYPES[setting.kind])


def test_a_long_value_is_not_told_in_full() -> None:
    assert problems({"ONE_MCP_PORT": "9" * 5000}) == [
        f"ONE_MCP_PORT: {'9' * 60}... is not a whole number from 0 to 65535"
    ]


def test_a_refused_secret_is_not_shown() -> None:
    secret = Setting(name="x", kind=Kind.INTEGER, default=0, help="x", secret=True)
    assert secret.refusal("hunter2") == "the value is not allowed"


def test_the_nearest_word_is_the_one_with_the_same_letters_before_one_of_the_same_likeness() -> None:
    assert nearest("agrs", ["tags", "args"]) == "args"
    assert nearest("Requesttimeout", ["requestTimeout", "timeout"]) == "requestTimeout"
    assert nearest("zzz", ["tags", "args"]) == ""


@pytest.mark.parametrize(
    ("text", "size"), [("10m", 10 * 1024**2), ("64K", 65536), ("1g", 1024**3), ("2048", 2048)]
)
def test_a_number_of_bytes_may_have_a_unit_in_every_place(text: str, size: int) -> None:
    assert resolve({"ONE_MCP_LOG_MAX_SIZE": text}).log_max_size == size
    if not text.isdigit():
        assert resolve({}, {}, in_file(log_max_size=text)).log_max_size == size


@pytest.mark.parametrize("text", ["10mb", "m", "-1k", "1.5m", "9999999999999g", "10 m"])
def test_what_is_no_number_of_bytes_is_refused(text: str) -> None:
    assert len(problems({"ONE_MCP_LOG_MAX_SIZE": text})) == 1


def test_other_numbers_have_no_unit() -> None:
    assert len(problems({"ONE_MCP_PORT": "3k"})) == 1
