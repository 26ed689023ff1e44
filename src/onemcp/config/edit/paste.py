"""An entry as text for a file that people change by hand: YAML or TOML."""

import json
import re
from collections.abc import Mapping
from typing import Any, Final

_PLAIN: Final = re.compile(r"[A-Za-z][\w-]*", re.ASCII)
_BARE: Final = re.compile(r"[\w-]+", re.ASCII)
_WORDS: Final = frozenset({"true", "false", "null", "yes", "no", "on", "off", "y", "n"})


def as_yaml(value: Mapping[str, Any], indent: str = "", unit: str = "  ") -> str:
    """The members of a value, each a line or more that begins with `indent`. Texts stand in quotes, as JSON has them."""
    return "\n".join(_yaml_members(value, indent, unit))


def _yaml_members(value: Mapping[str, Any], indent: str, unit: str) -> list[str]:
    lines: list[str] = []
    for name, part in value.items():
        if isinstance(part, dict) and part:
            lines.append(f"{indent}{_yaml_key(name)}:")
            lines += _yaml_members(part, indent + unit, unit)
        else:
            lines.append(f"{indent}{_yaml_key(name)}: {_json(part)}")
    return lines


def _yaml_key(name: str) -> str:
    return name if _PLAIN.fullmatch(name) and name.lower() not in _WORDS else _json(name)


def as_toml(keys: tuple[str, ...], value: Mapping[str, Any]) -> str:
    """The value as a table of that name. There is no null in TOML: members that are null are left out."""
    head = ".".join(map(_toml_key, keys))
    members = [f"{_toml_key(name)} = {_toml(part)}" for name, part in value.items() if part is not None]
    return "\n".join([f"[{head}]", *members])


def _toml(value: Any) -> str:
    if isinstance(value, dict):
        members = [f"{_toml_key(name)} = {_toml(part)}" for name, part in value.items() if part is not None]
        return f"{{ {', '.join(members)} }}" if members else "{}"
    if isinstance(value, list):
        return f"[{', '.join(_toml(part) for part in value)}]"
    return _json(value)


def _toml_key(name: str) -> str:
    return name if _BARE.fullmatch(name) else _json(name)


def _json(value: Any) -> str:
    """As JSON, which YAML takes and, for scalars, TOML too; both refuse some characters as they are."""
    text = json.dumps(value, ensure_ascii=False)
    return "".join(char if char.isprintable() else f"\\U{ord(char):08x}" for char in text)
