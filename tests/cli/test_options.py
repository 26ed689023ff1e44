"""The settings as options."""

import pytest

from onemcp.cli.arguments import Parser
from onemcp.cli.options import add_settings, typed_settings
from onemcp.config.setting import Kind, Setting
from onemcp.config.settings import resolve
from onemcp.config.table import TABLE


def parser() -> Parser:
    made = Parser("x", "")
    add_settings(made)
    return made


@pytest.mark.parametrize("setting", TABLE, ids=lambda row: row.name)
def test_every_setting_but_a_secret_has_its_option_with_meaning_and_variable(setting: Setting) -> None:
    text = " ".join(parser().format_help().split())
    if setting.secret:
        assert f"{setting.variable})" not in text
        return
    assert f" {setting.flag}" in text
    assert setting.help in text
    assert f"{setting.variable})" in text


def test_settings_stand_in_groups_as_they_do_in_the_file() -> None:
    headings = [line.strip() for line in parser().format_help().splitlines() if line.endswith(":")]
    heads = {row.key.partition(".")[0] for row in TABLE if "." in row.key}
    assert set(headings) == {"options:", "gateway:", "secrets:", *(f"{head}:" for head in heads)}
    assert len(headings) == len(set(headings))


def test_what_was_typed_and_nothing_else_is_handed_on() -> None:
    assert typed_settings(parser().parse([])) == {}
    args = parser().parse(["--port", "1", "--no-strict", "--allowed-hosts", "a,b", "--allowed-hosts", "c"])
    typed = typed_settings(args)
    assert typed == {"port": "1", "strict": False, "allowed_hosts": ["a,b", "c"]}
    assert resolve({}, typed).allowed_hosts == ("a", "b", "c")


def test_a_command_may_take_a_few_of_them() -> None:
    made = Parser("x", "")
    add_settings(made, ("config", "port"))
    assert "--host" not in made.format_help()
    assert typed_settings(made.parse(["-c", "a", "-P", "2"])) == {"config": "a", "port": "2"}


def test_a_default_is_shown_with_its_unit() -> None:
    text = " ".join(parser().format_help().split())
    for row in TABLE:
        if row.kind is Kind.MILLISECONDS:
            assert f"default {row.default:g} ms; {row.variable}" in text
