"""The values of a configuration's text, with the place of each: what every reader makes, whatever its format."""

from dataclasses import dataclass
from typing import Any, TypeAlias

Value: TypeAlias = "dict[str, Member] | list[Node] | str | int | float | bool | None"


@dataclass(frozen=True, slots=True)
class Node:
    """One value and where it stands: the offsets `start` to `end`, and line and column (from 1, in characters)."""

    value: Value
    start: int
    end: int
    line: int
    column: int
    file: str = ""
    """How the file is named to people."""


@dataclass(frozen=True, slots=True)
class Member:
    """One member of an object; the key is a node too, for its position."""

    key: Node
    value: Node


def plain(node: Node) -> Any:
    """The value as ordinary dicts, lists and scalars."""
    if isinstance(node.value, dict):
        return {name: plain(member.value) for name, member in node.value.items()}
    if isinstance(node.value, list):
        return [plain(item) for item in node.value]
    return node.value
