"""The tree of a YAML text, made from the library's events, which tell where everything stands.

Imported only where there is YAML to read: the library is an extra.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final, NoReturn

import yaml

from onemcp.config.jsonc import MAX_DEPTH
from onemcp.config.lines import BOM, Lines
from onemcp.config.node import Member, Node, Value
from onemcp.config.yaml_fault import odd_escape, told
from onemcp.config.yaml_scalar import meaning
from onemcp.errors import ConfigError, Problem

MAX_ADDED: Final = 10 * 1024 * 1024
"""How much text aliases may stand for, all together, in characters: as much as a file may have."""
_HALF: Final = re.compile("[\ud800-\udfff]")
_LOADER: Final = yaml.CSafeLoader if yaml.__with_libyaml__ else yaml.SafeLoader


def tree(text: str, file: str, loader: Any = _LOADER) -> tuple[Node, tuple[Problem, ...]]:
    """The tree, and problems with single keys and values beside it.

    Raises:
        ConfigError: the text is not YAML that is taken here.
    """
    start = 1 if text.startswith(BOM) else 0
    try:
        builder = _Builder(text, file, start, yaml.parse(text[start:], Loader=loader))
        return builder.document(), tuple(builder.problems)
    except yaml.MarkedYAMLError as error:
        raise ConfigError(told(error, text, start, file)) from error
    except (ValueError, OverflowError) as error:  # of chr(), where the library is without its C part
        raise ConfigError(odd_escape(text, file)) from error


@dataclass(frozen=True, slots=True)
class _Anchored:
    node: Node
    weight: int
    """Its characters, with what aliases in it stand for, and two for each value."""
    height: int
    """How many levels there are below it."""


class _Builder:
    """Takes one event after the other; `depth` is the level of the value that is made."""

    def __init__(self, text: str, file: str, start: int, events: Iterator[Any]) -> None:
        self._text, self._file, self._start = text, file, start
        self._events = events
        self._lines = Lines(text)
        self._anchors: dict[str, _Anchored | None] = {}
        self._weight = self._added = self._deepest = 0
        self.problems: list[Problem] = []

    def document(self) -> Node:
        self._next()  # the stream's start
        event = self._next()
        node = None
        if isinstance(event, yaml.DocumentStartEvent):
            node = self._node(self._next(), 0)
            self._next()  # the document's end
            event = self._next()
        if node is None or (node.value is None and node.start == node.end):
            self._fail(len(self._text), "there is nothing in it", "an empty configuration is mcpServers: {}")
        if not isinstance(event, yaml.StreamEndEvent):
            self._fail(self._begin(event), "a second document begins here", "one file holds one document")
        return node

    def _node(self, event: Any, depth: int) -> Node:
        start = self._begin(event)
        if depth > MAX_DEPTH:
            self._fail(start, f"nested deeper than {MAX_DEPTH} levels")
        self._deepest = max(self._deepest, depth)
        if isinstance(event, yaml.AliasEvent):
            return self._alias(event, depth)
        if event.tag is not None:
            self._tag(event)
        if event.anchor is None:
            return self._value(event, depth)
        return self._anchor(event, depth)

    def _value(self, event: Any, depth: int) -> Node:
        self._weight += 2
        if isinstance(event, yaml.ScalarEvent):
            return self._made(event, self._scalar(event), self._end(event))
        if isinstance(event, yaml.SequenceStartEvent):
            return self._sequence(event, depth)
        return self._mapping(event, depth)

    def _scalar(self, event: Any) -> Value:
        self._weight += len(event.value)
        if not event.style:
            try:
                return meaning(event.value)
            except ConfigError as error:
                problem = error.problems[0]
                self._tell(self._begin(event), problem.what, problem.fix)
                return None
        if _HALF.search(event.value):
            raise ConfigError(odd_escape(self._text, self._file, self._begin(event)))
        return str(event.value)

    def _sequence(self, event: Any, depth: int) -> Node:
        items: list[Node] = []
        end = self._end(event)
        while not isinstance(inner := self._next(), yaml.SequenceEndEvent):
            items.append(self._node(inner, depth + 1))
            end = items[-1].end
        return self._made(event, items, self._end(inner) if event.flow_style else end)

    def _mapping(self, event: Any, depth: int) -> Node:
        members: dict[str, Member] = {}
        own: dict[str, Node] = {}
        end = self._end(event)
        while not isinstance(inner := self._next(), yaml.MappingEndEvent):
            key = self._node(inner, depth + 1)
            value = self._node(self._next(), depth + 1)
            end = value.end
            if key.value == "<<" and _is_plain(inner):
                self._once(own, "<<", key)
                self._merge(members, value)
            elif isinstance(key.value, str):
                self._once(own, key.value, key)
                members[key.value] = Member(key, value)
            else:
                self._refuse_key(key)
        return self._made(event, members, self._end(inner) if event.flow_style else end)

    def _once(self, own: dict[str, Node], name: str, key: Node) -> None:
        first = own.setdefault(name, key)
        if first is not key:
            what = f"the key stands here a second time, first at {first.line}:{first.column}"
            self._tell(key.start, what, "keep one", name)

    def _merge(self, members: dict[str, Member], value: Node) -> None:
        """What is there already, from the object itself or from an earlier one of an array, stays."""
        for source in value.value if isinstance(value.value, list) else [value]:
            if isinstance(source.value, dict):
                for name, member in source.value.items():
                    members.setdefault(name, member)
            else:
                self._tell(
                    source.start, "<< takes an object, or an array of objects", 'as a key, write it as "<<"'
                )

    def _refuse_key(self, key: Node) -> None:
        written = self._text[key.start : key.end]
        if isinstance(key.value, (dict, list)):
            what = "a key is a string, this one is an " + (
                "object" if isinstance(key.value, dict) else "array"
            )
            self._tell(key.start, what, "text that begins with { or [ stands in quotes")
        elif not written:
            self._tell(key.start, "there is no key before the :", 'the empty string is written ""')
        else:
            self._tell(key.start, f"a key is a string, {written} is none", f'write it as "{written}"')

    def _anchor(self, event: Any, depth: int) -> Node:
        self._anchors[event.anchor] = None  # until it is complete
        weight, deepest = self._weight, self._deepest
        self._deepest = depth
        node = self._value(event, depth)
        self._anchors[event.anchor] = _Anchored(node, self._weight - weight, self._deepest - depth)
        self._deepest = max(deepest, self._deepest)
        return node

    def _alias(self, event: Any, depth: int) -> Node:
        start, name = self._begin(event), event.anchor
        if name not in self._anchors:
            self._fail(
                start, f"there is no &{name} before *{name}", "text that begins with * stands in quotes"
            )
        anchored = self._anchors[name]
        if anchored is None:
            self._fail(start, f"*{name} stands inside of &{name}, so that it has no end")
        self._weight += anchored.weight
        self._added += anchored.weight
        if self._added > MAX_ADDED:
            self._fail(start, "the aliases up to here stand for more than 10 MiB of text")
        self._deepest = max(self._deepest, depth + anchored.height)
        if self._deepest > MAX_DEPTH:
            self._fail(start, f"nested deeper than {MAX_DEPTH} levels by *{name}")
        return self._made(event, anchored.node.value, self._end(event))

    def _tag(self, event: Any) -> None:
        start = max(self._text.find("!", self._begin(event)), 0)
        written = self._text[start : start + 40].split(None, 1)[0].rstrip(",[]{}")
        self._tell(start, f"the tag {written} is not taken", "leave it out; text stands in quotes")

    def _made(self, event: Any, value: Value, end: int) -> Node:
        start = self._begin(event)
        return Node(value, start, end, *self._lines.place(start), self._file)

    def _next(self) -> Any:
        return next(self._events)

    def _begin(self, event: Any) -> int:
        return int(event.start_mark.index) + self._start

    def _end(self, event: Any) -> int:
        return int(event.end_mark.index) + self._start

    def _tell(self, pos: int, what: str, fix: str = "", key: str = "") -> None:
        self.problems.append(Problem(what, fix, self._file, *self._lines.place(pos), key))

    def _fail(self, pos: int, what: str, fix: str = "") -> NoReturn:
        raise ConfigError(Problem(what, fix, self._file, *self._lines.place(pos)))


def _is_plain(event: Any) -> bool:
    return isinstance(event, yaml.ScalarEvent) and not event.style
