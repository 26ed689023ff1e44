"""A tool's input schema, for a person: its arguments as a list, and a call to try."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

Schema = Mapping[str, Any]

_DEPTH: Final = 4
"""Types inside types that are spelled out; a schema may refer to itself."""
_BY_NAME: Final = {
    "timezone": "UTC",
    "path": ".",
    "repo_path": ".",
    "directory": ".",
    "text": "hello",
    "message": "hello",
    "query": "hello",
}
"""Values that mean something harmless for arguments of this name."""


@dataclass(frozen=True, slots=True)
class Argument:
    """One argument of a tool."""

    name: str
    type: str
    required: bool
    description: str


def arguments(schema: Schema) -> list[Argument]:
    """The arguments, the required ones first, else in the schema's order."""
    required = _names(schema.get("required"))
    found = [
        Argument(name, type_of(part, schema), name in required, _description(part))
        for name, part in _properties(schema).items()
    ]
    return sorted(found, key=lambda argument: not argument.required)


def type_of(part: Any, root: Schema, depth: int = _DEPTH) -> str:
    """A schema's type in a few words, as `"string"`, `"array of integer"` or `'"a" | "b"'`."""
    part = _resolved(part, root)
    if not isinstance(part, Mapping) or not depth:
        return "any"
    if "const" in part:
        return json.dumps(part["const"])
    if isinstance(part.get("enum"), list):
        return " | ".join(json.dumps(value, ensure_ascii=False) for value in part["enum"])
    for word in ("anyOf", "oneOf"):
        if isinstance(part.get(word), list):
            return " | ".join(dict.fromkeys(type_of(choice, root, depth - 1) for choice in part[word]))
    kind = part.get("type", "any")
    if isinstance(kind, list):
        return " | ".join(map(str, kind))
    if kind == "array" and isinstance(part.get("items"), Mapping):
        return f"array of {type_of(part['items'], root, depth - 1)}"
    return str(kind)


def example_call(tools: Iterable[Mapping[str, Any]]) -> tuple[str, str] | None:
    """The first tool that can be called without doing harm, with arguments that it will take, as JSON.

    A tool that does not say that it only reads is proposed last, one that says that it does not, never.
    """
    ranked: dict[int, tuple[str, str]] = {}
    for tool in tools:
        rank = _rank(tool.get("annotations"))
        values = _example_values(tool.get("inputSchema"))
        if rank is not None and values is not None and rank not in ranked:
            ranked[rank] = (str(tool.get("name")), _compact(values))
    return ranked[min(ranked)] if ranked else None


def _rank(annotations: Any) -> int | None:
    hints = annotations if isinstance(annotations, Mapping) else {}
    if hints.get("readOnlyHint") is True:
        return 0
    if hints.get("readOnlyHint") is False or hints.get("destructiveHint") is True:
        return None
    return 1


def _example_values(schema: Any) -> dict[str, Any] | None:
    """A value for every required argument; None if one cannot be guessed."""
    if not isinstance(schema, Mapping):
        return {}
    values: dict[str, Any] = {}
    properties = _properties(schema)
    for name in _names(schema.get("required")):
        part = _resolved(properties.get(name), schema)
        found = _example_value(name, part if isinstance(part, Mapping) else {})
        if not found:
            return None
        values[name] = found[0]
    return values


def _example_value(name: str, part: Schema) -> list[Any]:
    """One value in a list, or none."""
    for word in ("examples", "enum"):
        if isinstance(part.get(word), list) and part[word]:
            return [part[word][0]]
    for word in ("default", "const"):
        if word in part:
            return [part[word]]
    if part.get("type") == "string" and name in _BY_NAME:
        return [_BY_NAME[name]]
    return []


def _properties(schema: Schema) -> Mapping[str, Any]:
    properties = schema.get("properties")
    return properties if isinstance(properties, Mapping) else {}


def _names(required: Any) -> list[str]:
    return [name for name in required if isinstance(name, str)] if isinstance(required, list) else []


def _description(part: Any) -> str:
    if not isinstance(part, Mapping):
        return ""
    text = part.get("description")
    words = text if isinstance(text, str) else ""
    if "default" in part:
        words = f"{words} (default {_compact(part['default'])})".lstrip()
    return words


def _resolved(part: Any, root: Schema) -> Any:
    """The part that a local reference of one step points to."""
    reference = part.get("$ref") if isinstance(part, Mapping) else None
    if not isinstance(reference, str) or not reference.startswith("#/"):
        return part
    target: Any = root
    for step in reference[2:].split("/"):
        target = target.get(step) if isinstance(target, Mapping) else None
    return target


def _compact(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
