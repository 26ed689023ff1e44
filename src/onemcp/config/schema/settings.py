"""The settings in the schema: one member for each row of the table that has a key."""

from collections.abc import Iterable
from typing import Any, Final

from onemcp.config.keys import IGNORED_IN
from onemcp.config.schema.parts import (
    Schema,
    boolean,
    closed,
    either,
    loosely,
    number,
    or_referred,
    text,
    texts,
)
from onemcp.config.setting import Kind, Setting

_SIZE: Final = "^[0-9]{1,15}[kmgKMG]$"
"""A number of bytes with a unit."""
_PATTERNS: Final = {
    Kind.URL: r"^$|^https?://",
    Kind.NAME: r"^$|^[A-Za-z0-9][A-Za-z0-9_-]*$",
    Kind.TEXT: r"[^\n]",
}


def settings_schema(table: Iterable[Setting]) -> dict[str, Schema]:
    """The members at the top of a document that are settings, or have some in them."""
    sections: dict[str, dict[str, Schema]] = {}
    for setting in table:
        if setting.key:
            _put(sections, setting.key, _setting(setting))
            for key in setting.former:
                former = {**_setting(setting), "deprecated": True}
                _put(sections, key, {**former, "description": f"Is called {setting.key} now."})
    top = sections.pop("", {})
    inner = {head: closed("", members, IGNORED_IN.get(head, ())) for head, members in sections.items()}
    return {**top, **inner}


def _put(sections: dict[str, dict[str, Schema]], key: str, schema: Schema) -> None:
    head, _, tail = key.rpartition(".")
    sections.setdefault(head, {})[tail] = schema


def _setting(setting: Setting) -> Schema:
    what = f"{setting.help[:1].upper()}{setting.help[1:]}"
    unit = f" ({setting.unit})" if setting.unit else ""
    option = f", option {setting.flag}" if setting.flag else ""
    return _value(setting, f"{what}{unit}. Variable {setting.variable}{option}.")


def _value(setting: Setting, what: str) -> Schema:
    default: Any = setting.default
    match setting.kind:
        case Kind.BOOLEAN:
            return or_referred(boolean(what, default))
        case Kind.INTEGER if setting.unit == "bytes":
            whole = number("", setting.low, high=setting.high, whole=True)
            return either(what, whole, text("", pattern=_SIZE), default=default)
        case Kind.INTEGER:
            return or_referred(number(what, setting.low, default, high=setting.high, whole=True))
        case Kind.MILLISECONDS | Kind.FRACTION:
            return or_referred(number(what, setting.low, default, high=setting.high))
        case Kind.LIST:
            return or_referred(texts(what, list(default)))
        case Kind.CHOICE:
            spelled = "|".join(map(loosely, setting.choices))
            choices: Schema = {"enum": [*setting.choices, None]}
            return either(what, choices, text("", pattern=f"^(?:{spelled})$"), default=default)
    return text(what, default or None, pattern=_PATTERNS.get(setting.kind, ""))
