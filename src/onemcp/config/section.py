"""Reading an object of a configuration file member by member, by type; what is wrong is collected, not raised."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from onemcp.config.interpolate import expand
from onemcp.config.node import Member, Node
from onemcp.config.setting import nearest
from onemcp.core.readable import readable
from onemcp.errors import ConfigError, Problem


@dataclass(frozen=True, slots=True)
class Item:
    """One value of the document: what problems are made from."""

    node: Node
    key: str
    """Its path, as `mcpServers.git.args[1]`."""

    @property
    def file(self) -> str:
        """The file that it stands in."""
        return self.node.file

    def problem(self, what: str, fix: str = "") -> Problem:
        """What is wrong with it."""
        return Problem(readable(what), fix, self.file, self.node.line, self.node.column, self.key)

    def fault(self, what: str, fix: str = "") -> ConfigError:
        """The same to be raised, where it spoils one entry only."""
        return ConfigError(self.problem(what, fix))

    @property
    def raw(self) -> str:
        """The text as it was written (for a value that is one)."""
        return str(self.node.value)

    def text(self, environ: Mapping[str, str]) -> str:
        """The text with its references resolved.

        Raises:
            ConfigError: one cannot be.
        """
        try:
            return expand(self.raw, environ)
        except ConfigError as error:
            problem = error.problems[0]
            raise self.fault(problem.what, problem.fix) from None


class Report:
    """What was found beside the values: problems of the document, keys that mean nothing here, and notices."""

    def __init__(self, file: str, problems: Iterable[Problem]) -> None:
        self.file = file
        self.problems = list(problems)
        self.ignored: set[str] = set()
        self.notices: list[str] = []

    def copy(self) -> "Report":
        """One that goes on from here."""
        other = Report(self.file, self.problems)
        other.ignored, other.notices = set(self.ignored), list(self.notices)
        return other


REMARKS: Final = ("_", "//")
"""What the keys of remarks begin with."""
_MOST: Final = 2**53
"""Above this a float no longer tells whole numbers apart."""
_SPOKEN: Final = {
    **dict.fromkeys(("yes", "on", "y"), "true"),
    **dict.fromkeys(("no", "off", "n"), "false"),
}
_NAMES: Final = {
    dict: "an object",
    list: "an array",
    str: "a string",
    int: "a number",
    float: "a number",
    type(None): "null",
}


def truth_hint(node: Node) -> str:
    """What to do about a text that many people take for a truth value, as YAML 1.1 did."""
    word = node.value.lower() if isinstance(node.value, str) else ""
    if word in ("true", "false"):
        return f"write {word} without quotes"
    if word not in _SPOKEN:
        return ""
    is_yaml = node.file.endswith((".yaml", ".yml"))
    return f"{f'{word} is a text in YAML 1.2; ' if is_yaml else ''}write {_SPOKEN[word]}"


class Section:
    """An object of the document. A member that is null counts as not there."""

    def __init__(self, item: Item, report: Report) -> None:
        self.item = item
        self._report = report
        value = item.node.value
        self.members: Mapping[str, Member] = value if isinstance(value, dict) else {}
        if not isinstance(value, dict):
            self.refuse(item, "an object")

    def only(self, known: Iterable[str], ignored: Iterable[str] = (), meant: Iterable[str] = ()) -> None:
        """Collect the keys of others, and report all that neither we nor they have.

        `meant` are further keys that somebody may have mistyped, though nothing reads them here any more.
        """
        known, ignored = frozenset(known), frozenset(ignored)
        for name, member in self.members.items():
            if name in ignored or name.startswith(REMARKS):
                self._report.ignored.add(name)
            elif name not in known:
                guess = nearest(name, known.union(meant))
                fix = f"did you mean {guess}?" if guess else "known are " + ", ".join(sorted(known))
                self._report.problems.append(self._item(member.key, name).problem("unknown key", fix))

    def get(self, name: str) -> Item | None:
        """A member of any type."""
        member = self.members.get(name)
        return None if member is None or member.value.value is None else self._item(member.value, name)

    def section(self, name: str) -> "Section | None":
        """A member that is an object."""
        item = self.get(name)
        return Section(item, self._report) if item is not None else None

    def text(self, name: str) -> Item | None:
        """A member that is a string."""
        item = self.get(name)
        return item if item is not None and self._is(item, str, "a string") else None

    def boolean(self, name: str) -> bool | None:
        """A member that is true or false."""
        item = self.get(name)
        return bool(item.node.value) if item is not None and self._is(item, bool, "true or false") else None

    def number(self, name: str, low: int, what: str, *, whole: bool = False) -> float | None:
        """A member that is a number from `low`; `what` says so in an error."""
        item = self.get(name)
        if item is None:
            return None
        value = item.node.value
        if isinstance(value, int | float) and not isinstance(value, bool) and low <= value <= _MOST:
            number = float(value)
            if number.is_integer() or not whole:
                return number
        self.refuse(item, what)
        return None

    def texts(self, name: str) -> tuple[Item, ...]:
        """A member that is an array of strings; empty if it is not there."""
        item = self.get(name)
        if item is None or not self._is(item, list, "an array of strings"):
            return ()
        return tuple(part for part in self.elements(name) if self._is(part, str, "a string"))

    def elements(self, name: str) -> tuple[Item, ...]:
        """The elements of a member that is an array, of any type; empty for anything else."""
        item = self.get(name)
        value = item.node.value if item is not None else None
        if item is None or not isinstance(value, list):
            return ()
        return tuple(Item(node, f"{item.key}[{index}]") for index, node in enumerate(value))

    def inner(self, item: Item) -> "Section":
        """An object among the elements of a member; what is wrong in it goes to the same report."""
        return Section(item, self._report)

    def pairs(self, name: str) -> dict[str, Item]:
        """A member that is an object of strings; empty if it is not there."""
        section = self.section(name)
        found = section.items() if section is not None else {}
        return {name: item for name, item in found.items() if self._is(item, str, "a string")}

    def sections(self) -> "dict[str, Section]":
        """All members, each an object; what is called like a remark and is none is one."""
        return {
            name: Section(item, self._report)
            for name, item in self.items().items()
            if isinstance(item.node.value, dict) or not name.startswith(REMARKS)
        }

    def items(self) -> dict[str, Item]:
        """All members, also those that are null."""
        return {name: self._item(member.value, name) for name, member in self.members.items()}

    def refuse(self, item: Item, wanted: str) -> None:
        """Report a value that is not what stands here."""
        value = item.node.value
        shown = json.dumps(value) if isinstance(value, bool | int | float) else ""
        found = shown if 0 < len(shown) <= 20 else _NAMES[type(value)]
        fix = truth_hint(item.node) if wanted.startswith("true") else ""
        self._report.problems.append(item.problem(f"expected {wanted}, found {found}", fix))

    def notice(self, name: str, what: str) -> None:
        """Remember a sentence about a member, for the start."""
        node = self.members[name].key
        self._report.notices.append(f"{node.file}:{node.line}: {self.item.key}.{name}: {what}")

    def _is(self, item: Item, kind: type, wanted: str) -> bool:
        if isinstance(item.node.value, kind):
            return True
        self.refuse(item, wanted)
        return False

    def _item(self, node: Node, name: str) -> Item:
        shown = name if name.isprintable() and name else json.dumps(name)
        path = f"{self.item.key}.{shown}" if self.item.key else shown
        return Item(node, path)
