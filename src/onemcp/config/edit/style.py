"""How a text is laid out, and new values laid out like it."""

import json
from dataclasses import dataclass
from typing import Any, Final

from onemcp.config.edit.gaps import NEWLINE, begins_line, indent_of
from onemcp.config.node import Node

_UNIT: Final = "  "
_WIDTH: Final = 88
"""Columns of an array that is written on one line."""


@dataclass(frozen=True, slots=True)
class Style:
    """The habits of a text."""

    newline: str = "\n"
    unit: str = _UNIT
    """What one level is indented by."""
    is_tight: bool = False
    """There is no blank after `:` and `,`."""
    has_last_comma: bool = False
    """A comma stands behind the last member too."""

    def member(self, name: str, value: Any, indent: str | None) -> str:
        """A member that stands at `indent`; on one line if that is None."""
        return f"{_scalar(name)}{self._colon}{self.value(value, indent)}"

    def value(self, value: Any, indent: str | None) -> str:
        """A value whose first line is indented by `indent`; on one line if that is None."""
        if isinstance(value, dict):
            parts = [self.member(name, part, self._inner(indent)) for name, part in value.items()]
            return self._between("{}", parts, indent)
        if isinstance(value, list):
            flat = self._between("[]", [self.value(part, None) for part in value], None)
            has_objects = any(isinstance(part, dict) for part in value)
            if indent is None or (len(indent) + len(flat) <= _WIDTH and not has_objects):
                return flat
            return self._between("[]", [self.value(part, self._inner(indent)) for part in value], indent)
        return _scalar(value)

    @property
    def _colon(self) -> str:
        return ":" if self.is_tight else ": "

    @property
    def comma(self) -> str:
        """What stands between two values on one line."""
        return "," if self.is_tight else ", "

    def _inner(self, indent: str | None) -> str | None:
        return None if indent is None else indent + self.unit

    def _between(self, marks: str, parts: list[str], indent: str | None) -> str:
        if indent is None or not parts:
            return marks[0] + self.comma.join(parts) + marks[1]
        inner = self.newline + indent + self.unit
        last = "," if self.has_last_comma else ""
        return f"{marks[0]}{inner}{f',{inner}'.join(parts)}{last}{self.newline}{indent}{marks[1]}"


def _scalar(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


def style_of(text: str, root: Node) -> Style:
    """The habits of a text, told by its first newline and its first members."""
    newline = NEWLINE.search(text)
    members = list(root.value.values()) if isinstance(root.value, dict) else []
    is_tight = bool(members) and text[members[0].key.end : members[0].value.start] == ":"
    return Style(newline[0] if newline else "\n", _unit(text, root) or _UNIT, is_tight)


def _unit(text: str, node: Node) -> str:
    """What the first member that begins a line is indented by more than the line of its object."""
    if not isinstance(node.value, dict):
        return ""
    outer = indent_of(text, node.start)
    for member in node.value.values():
        if begins_line(text, member.key.start):
            indent = indent_of(text, member.key.start)
            if indent.startswith(outer) and indent != outer:
                return indent[len(outer) :]
        if inner := _unit(text, member.value):
            return inner
    return ""
