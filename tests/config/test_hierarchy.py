"""The hierarchy, for every setting there is: variable, option, file, default."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import product
from typing import Any, Final

import pytest
import yaml

from onemcp.config.document import read
from onemcp.config.setting import Kind, Setting
from onemcp.config.settings import FileValue, Settings, resolve
from onemcp.config.table import TABLE
from onemcp.errors import ConfigError

FILE: Final = "mcp.json"


@dataclass(frozen=True, slots=True)
class Sample:
    """A good value: as a variable or an option has it, as a file has it, and what it means."""

    text: str
    written: Any
    meant: object


def _numbers(setting: Setting) -> list[Sample]:
    top = min(setting.high, setting.low + 1_000_000)
    found = [setting.low, (setting.low + top) // 2, top]
    cast: Callable[[Any], object] = int if setting.kind is Kind.INTEGER else float
    return [Sample(str(int(number)), int(number), cast(int(number))) for number in found]


def samples(setting: Setting) -> list[Sample]:
    """Three of them; different ones, as far as there are so many."""
    match setting.kind:
        case Kind.BOOLEAN:
            on, off = Sample("true", True, True), Sample("off", False, False)
            return [off, on, off] if setting.default else [on, off, on]
        case Kind.INTEGER | Kind.MILLISECONDS:
            return _numbers(setting)
        case Kind.FRACTION:
            return [Sample(text, float(text), float(text)) for text in ("0.25", "0.75", "1")]
        case Kind.LIST:
            return [Sample(text, text.split(","), tuple(text.split(","))) for text in ("a,b", "c", "d,e,f")]
        case Kind.CHOICE:
            words = (*setting.choices, *setting.choices)[:3]
            return [Sample(word.upper(), word, word) for word in words]
        case Kind.URL:
            return [Sample(text, text, text) for text in ("http://a", "https://b/x", "http://c:1")]
        case Kind.PATH:
            return [Sample(text, text, text) for text in ("/a", "/b/c", "/d.json")]
    return [Sample(text, text, text) for text in ("one", "two", "three")]


BAD: Final[Mapping[Kind, tuple[str | None, Any]]] = {
    Kind.BOOLEAN: ("maybe", "yes"),
    Kind.INTEGER: ("1.5", "x"),
    Kind.MILLISECONDS: ("1s", "1s"),
    Kind.FRACTION: ("1.5", True),
    Kind.LIST: (None, [1]),  # every text is a list
    Kind.CHOICE: ("neither", "neither"),
    Kind.URL: ("mcp.example.com", "mcp.example.com"),
    Kind.NAME: ("a b", "a b"),
    Kind.PATH: ("a\x07b", 5),
    Kind.TEXT: ("a\x07b", ""),
    Kind.SECRET: ("a\x07b", 5),
}
"""By kind: what no variable or option can be, and what no file can say."""

ROWS: Final = pytest.mark.parametrize("setting", TABLE, ids=lambda row: row.name)
IN_FILES: Final = pytest.mark.parametrize(
    "setting", [row for row in TABLE if row.key], ids=lambda row: row.name
)


def found(setting: Setting, variable: str | None, option: str | None, file: Any) -> Settings:
    """The settings where these places say something of one of them."""
    return resolve(
        {setting.variable: variable} if variable is not None else {},
        {setting.name: option} if option is not None else {},
        {setting.key: FileValue(file, FILE, 3, 5)} if file is not None else {},
    )


@ROWS
def test_the_highest_place_that_says_something_counts_and_is_named(setting: Setting) -> None:
    high, middle, low = samples(setting)
    for has_variable, has_option, has_file in product((True, False), repeat=3):
        if (has_option and not setting.flag) or (has_file and not setting.key):
            continue
        settings = found(
            setting,
            high.text if has_variable else None,
            middle.text if has_option else None,
            low.written if has_file else None,
        )
        expected = (
            (high.meant, f"variable {setting.variable}")
            if has_variable
            else (middle.meant, f"flag {setting.flag}")
            if has_option
            else (low.meant, f"{FILE}:3")
            if has_file
            else (setting.default, "default")
        )
        assert (getattr(settings, setting.name), settings.origins[setting.name]) == expected
        others = [row.name for row in TABLE if row is not setting]
        assert {settings.origins[name] for name in others} == {"default"}


@ROWS
def test_an_invalid_value_is_refused_wherever_it_stands_and_whatever_else_there_is(setting: Setting) -> None:
    good = samples(setting)[0]
    bad_text, bad_written = BAD[setting.kind]
    for place in ("variable", "option", "file"):
        bad = bad_written if place == "file" else bad_text
        if bad is None or (place == "option" and not setting.flag) or (place == "file" and not setting.key):
            continue
        for beside in (False, True):
            says = {
                "variable": good.text if beside else None,
                "option": good.text if beside and setting.flag else None,
                "file": good.written if beside and setting.key else None,
                place: bad,
            }
            with pytest.raises(ConfigError) as caught:
                found(setting, says["variable"], says["option"], says["file"])
            (problem,) = caught.value.problems
            names = {"variable": setting.variable, "option": setting.flag, "file": setting.key}
            assert problem.key == names[place]
            assert (problem.file, problem.line) == ((FILE, 3) if place == "file" else ("", 0))


@ROWS
def test_an_empty_variable_says_nothing(setting: Setting) -> None:
    settings = found(setting, " ", None, None)
    assert getattr(settings, setting.name) == setting.default
    assert settings.origins[setting.name] == "default"


def as_json(key: str, value: Any) -> str:
    document: Any = value
    for name in reversed(key.split(".")):
        document = {name: document}
    return json.dumps({"mcpServers": {}, **document})


def as_yaml(key: str, value: Any) -> str:
    return yaml.safe_dump(json.loads(as_json(key, value)))


def as_toml(key: str, value: Any) -> str:
    return f"{key} = {json.dumps(value)}\n[mcpServers]\n"


FORMATS: Final = {"mcp.json": as_json, "mcp.yaml": as_yaml, "mcp.toml": as_toml}


@IN_FILES
def test_a_value_is_the_same_from_a_text_and_from_a_file_of_any_format(setting: Setting) -> None:
    for sample in samples(setting):
        spoken = getattr(resolve({setting.variable: sample.text}), setting.name)
        assert spoken == sample.meant
        for file, written in FORMATS.items():
            document = read(written(setting.key, sample.written), file, {})
            settings = resolve({}, {}, document.settings)
            assert getattr(settings, setting.name) == spoken
            assert type(getattr(settings, setting.name)) is type(spoken)
            assert settings.origins[setting.name].startswith(f"{file}:")


@IN_FILES
def test_a_value_may_refer_to_a_variable_in_a_file_of_any_format(setting: Setting) -> None:
    for sample in samples(setting):
        for file, written in FORMATS.items():
            document = read(written(setting.key, "${VALUE}"), file, {"VALUE": sample.text})
            assert getattr(resolve({}, {}, document.settings), setting.name) == sample.meant


@IN_FILES
def test_a_value_that_a_file_cannot_say_is_refused_in_any_format(setting: Setting) -> None:
    for file, written in FORMATS.items():
        with pytest.raises(ConfigError) as caught:
            read(written(setting.key, BAD[setting.kind][1]), file, {})
        (problem,) = caught.value.problems
        assert (problem.key, problem.file) == (setting.key, file)
        assert problem.line
        assert problem.column


@ROWS
def test_a_former_key_counts_as_the_present_one_does_and_is_told(setting: Setting) -> None:
    sample = samples(setting)[0]
    for key in setting.former:
        document = read(as_json(key, sample.written), FILE, {})
        assert getattr(resolve({}, {}, document.settings), setting.name) == sample.meant
        assert any(f"{key} is now called {setting.key}" in notice for notice in document.notices)


def test_what_is_secret_cannot_be_typed() -> None:
    secret = [row for row in TABLE if row.secret]
    assert secret
    for row in secret:
        assert row.flag == ""
        assert getattr(resolve({}, {row.name: "typed"}), row.name) == row.default


def test_every_setting_has_its_meaning_in_words() -> None:
    assert [row.name for row in TABLE if not row.help.strip() or row.help.endswith(".")] == []
