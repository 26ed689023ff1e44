"""What a configuration amounts to, value by value, each with the place that it comes from and nothing secret in it."""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

from onemcp.config.interpolate import REFERENCE, SECRET, expand
from onemcp.config.keys import (
    ADDRESSES,
    ALERTS,
    DEFAULTS,
    DEFAULTS_IGNORED,
    ENTRY_IGNORED,
    SECRETS,
    SERVERS,
    SERVERS_ALIAS,
)
from onemcp.config.node import Node
from onemcp.core.redact import SECRET as HIDDEN
from onemcp.core.redact import is_credential
from onemcp.core.secrets import masked, masked_arguments, masked_reference
from onemcp.errors import ConfigError
from onemcp.net.origin import split_url

_SECTIONS: Final = (SERVERS, SERVERS_ALIAS, DEFAULTS, ALERTS, SECRETS)
_AS_WRITTEN: Final = frozenset(
    {
        "chain",
        "disabledTools",
        "envFilter",
        "excludeTools",
        "format",
        "isolation",
        "kinds",
        "severities",
        "severity",
        "tags",
        "template",
        "transport",
        "type",
    }
)
"""Members in whose texts nothing is a reference."""
_NAMED: Final = ("env", "headers")
_ARGUMENTS: Final = ("args", "command")


@dataclass(frozen=True, slots=True)
class Value:
    """One value that counts. An array of scalars is one, if it stands in one file."""

    key: str
    """As problems name it: `mcpServers.git.args`."""
    value: object
    """As in JSON; `***` in the place of what is secret."""
    file: str
    line: int
    references: tuple[str, ...] = ()
    """What was written in it for something else, as `${NAME}`."""
    path: tuple[str, ...] = field(default=(), repr=False)
    """The names that lead to it, indices left out."""

    @property
    def origin(self) -> str:
        """As `mcp.json:3`."""
        return f"{self.file}:{self.line}"


def values(tree: Node, environ: Mapping[str, str]) -> tuple[Value, ...]:
    """All values of servers, their defaults, alerts and secrets, in the order of the tree.

    References to variables are resolved, where they can be. What a variable holds is shown where a log would show it.
    Remarks, keys of other programs and what is `null` are left out, since they mean nothing.
    """
    members = tree.value if isinstance(tree.value, dict) else {}
    found = (_below(member.value, (name,)) for name, member in members.items() if name in _SECTIONS)
    veiled = _Veiled(environ)
    return tuple(_told(leaf, veiled) for leaves in found for leaf in leaves)


@dataclass(frozen=True, slots=True)
class _Leaf:
    node: Node
    path: tuple[str, ...]
    key: str


def _below(node: Node, path: tuple[str, ...], key: str = "") -> Iterator[_Leaf]:
    key = key or path[0]
    if isinstance(node.value, dict) and node.value:
        for name, member in node.value.items():
            if member.value.value is not None and not _means_nothing(name, path):
                shown = name if name.isprintable() and name else json.dumps(name)
                yield from _below(member.value, (*path, name), f"{key}.{shown}")
    elif isinstance(node.value, list) and any(_stands_alone(part, node) for part in node.value):
        for index, part in enumerate(node.value):
            yield from _below(part, path, f"{key}[{index}]")
    else:
        yield _Leaf(node, path, key)


def _means_nothing(name: str, path: tuple[str, ...]) -> bool:
    is_entry = len(path) == 2 and path[0] in (SERVERS, SERVERS_ALIAS)
    is_defaults = path == (DEFAULTS,)
    ignored = ENTRY_IGNORED if is_entry else DEFAULTS_IGNORED if is_defaults else frozenset()
    is_remark = name.startswith(("_", "//")) and path[-1] not in (SERVERS, SERVERS_ALIAS, *_NAMED)
    return name in ignored or is_remark


def _stands_alone(part: Node, array: Node) -> bool:
    """Whether an element is told by itself: it has members, or comes from another file than its array."""
    return isinstance(part.value, dict | list) or part.file != array.file


def _told(leaf: _Leaf, veiled: Mapping[str, str]) -> Value:
    node = leaf.node
    parts = node.value if isinstance(node.value, list) else [node]
    texts = [part.value for part in parts if isinstance(part.value, str)]
    is_raw = _is_as_written(leaf.path)
    references = () if is_raw else tuple(dict.fromkeys(each for text in texts for each in _references(text)))
    resolved = [_resolved(part.value, veiled) if not is_raw else part.value for part in parts]
    shown = _shown(leaf.path, resolved, is_array=isinstance(node.value, list))
    value: object = shown if isinstance(node.value, list) else shown[0]
    return Value(leaf.key, value, node.file, node.line, references, leaf.path)


def _is_as_written(path: tuple[str, ...]) -> bool:
    inner = path[2:] if path[0] in (SERVERS, SERVERS_ALIAS) else path[1:]
    return path[-2] not in _NAMED and not _AS_WRITTEN.isdisjoint(inner) if len(path) > 1 else False


def _references(text: str) -> Iterator[str]:
    """The references in a text; not what stands in them for a variable that is not set."""
    for match in REFERENCE.finditer(text):
        if match[2] and match[3]:
            name = match[2] if match[2].startswith(SECRET) else _name(match[2])
            yield f"${{{name}}}"


def _name(inner: str) -> str:
    return re.split(":[-?]", inner, maxsplit=1)[0]


def _resolved(value: object, veiled: Mapping[str, str]) -> object:
    if not isinstance(value, str):
        return {} if isinstance(value, dict) else value
    try:
        return expand(REFERENCE.sub(_without_default, value), veiled)
    except ConfigError:  # told as a fault of the entry
        return value


def _without_default(match: re.Match[str]) -> str:
    """A reference as it was written; `***` for one to a credential that has another one for a default."""
    inner = match[2] or ""
    has_default = ":-" in inner and not inner.startswith(SECRET)
    return HIDDEN if has_default and is_credential(_name(inner)) else match[0]


def _shown(path: tuple[str, ...], parts: list[object], *, is_array: bool) -> list[object]:
    name = path[-1]
    if is_array and name in _ARGUMENTS:
        return list(masked_arguments([str(part) for part in parts]))
    if is_array and name == "env":
        return [_assigned(part) for part in parts]
    return [_masked(name, path, part) if isinstance(part, str) else part for part in parts]


def _assigned(part: object) -> object:
    name, equals, value = str(part).partition("=")
    return f"{name}={masked(name, value)}" if equals else part


def _masked(name: str, path: tuple[str, ...], text: str) -> str:
    if path[:2] == (ALERTS, "webhooks") and name == "url":
        return _place(text)
    if path[-2:-1] and path[-2] in _NAMED:
        return masked(name, text)
    if name in (*ADDRESSES, "command"):
        return masked_arguments([text])[0]
    return text if name == "cwd" and HIDDEN not in text else masked(name, text)


def _place(url: str) -> str:
    """Of a webhook only scheme and host: paths of webhooks are secrets."""
    try:
        return f"{split_url(url)[0]}/{HIDDEN}"
    except ValueError:
        return HIDDEN


class _Veiled(Mapping[str, str]):
    """The environment as a log would show it, with something for every secret."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._environ = environ

    def __getitem__(self, name: str) -> str:
        return HIDDEN if name.startswith(SECRET) else masked_reference(name, self._environ[name])

    def __iter__(self) -> Iterator[str]:
        return iter(self._environ)

    def __len__(self) -> int:
        return len(self._environ)
