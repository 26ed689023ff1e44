"""Tag expressions: which upstreams a request asks for, by their tags.

    expression = all-of { ( "," | "or" | "||" ) all-of }
    all-of     = one { ( "+" | "and" | "&&" ) one }
    one        = ( "-" | "!" | "not" ) one | "(" expression ")" | tag
    tag        = one or more of A-Z a-z 0-9 _ . - and not "-" first

Upper and lower case are the same. Two tags without an operator between them are a mistake, not an "and".
"""

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Final, NoReturn
from urllib.parse import unquote_to_bytes

MAX_LENGTH: Final = 1000
"""Characters that an expression may have."""
MAX_DEPTH: Final = 50
"""How deep parentheses and negations may nest."""
PARAMETERS: Final = ("tags", "filter", "tag-filter")
"""The query parameters that hold an expression, of which a request may have one."""


class TagError(ValueError):
    """A mistake in an expression; its text is what is wrong, the expression on a line, and a caret beneath."""

    def __init__(self, message: str, position: int, text: str) -> None:
        shown = "".join(char if char.isprintable() else "?" for char in text[: max(MAX_LENGTH, position) + 1])
        super().__init__(f"{message}\n{shown}\n{' ' * position}^")
        self.message = message
        self.position = position
        """Index of the mistake in the expression, or in the query string where two parameters clash."""


@dataclass(frozen=True, slots=True)
class Tag:
    """Holds for upstreams with this tag (in lower case)."""

    name: str

    def holds(self, tags: frozenset[str]) -> bool:
        """Whether it is true of these tags."""
        return self.name in tags

    def __str__(self) -> str:
        return self.name


@dataclass(frozen=True, slots=True)
class Not:
    """Holds where its operand does not."""

    operand: "Node"

    def holds(self, tags: frozenset[str]) -> bool:
        """Whether it is true of these tags."""
        return not self.operand.holds(tags)

    def __str__(self) -> str:
        return f"-{_grouped(self.operand, AllOf, AnyOf)}"


@dataclass(frozen=True, slots=True)
class AllOf:
    """Holds where all operands do; two or more of them."""

    operands: tuple["Node", ...]

    def holds(self, tags: frozenset[str]) -> bool:
        """Whether it is true of these tags."""
        return all(operand.holds(tags) for operand in self.operands)

    def __str__(self) -> str:
        return "+".join(_grouped(operand, AllOf, AnyOf) for operand in self.operands)


@dataclass(frozen=True, slots=True)
class AnyOf:
    """Holds where at least one operand does; two or more of them."""

    operands: tuple["Node", ...]

    def holds(self, tags: frozenset[str]) -> bool:
        """Whether it is true of these tags."""
        return any(operand.holds(tags) for operand in self.operands)

    def __str__(self) -> str:
        return ",".join(_grouped(operand, AnyOf) for operand in self.operands)


Node = Tag | Not | AllOf | AnyOf


def _grouped(node: Node, *loose: type) -> str:
    return f"({node})" if isinstance(node, loose) else str(node)


@dataclass(frozen=True, slots=True, repr=False)
class Expression:
    """A parsed expression; its `str` parses to an equal one."""

    root: Node

    def matches(self, tags: frozenset[str]) -> bool:
        """Whether an upstream with these tags is asked for."""
        return self.root.holds(_folded(tags))

    def __and__(self, other: "Expression") -> "Expression":
        """The expression that matches what both match."""
        return Expression(AllOf((self.root, other.root)))

    def __str__(self) -> str:
        return str(self.root)

    def __repr__(self) -> str:
        return f"parse({str(self)!r})"


@lru_cache(maxsize=1024)  # The sets come from the configuration: few, and the same ones for every request.
def _folded(tags: frozenset[str]) -> frozenset[str]:
    return frozenset(tag.lower() for tag in tags)


def parse(text: str) -> Expression:
    """Read an expression.

    Raises:
        TagError: it is not one, is longer than `MAX_LENGTH` or nests deeper than `MAX_DEPTH`.
    """
    return Expression(_Parser(text).whole())


def simple(text: str) -> Expression:
    """Read a plain list of tags, `a,b,c`: any of them.

    Raises:
        TagError: an item is not a tag, or empty.
    """
    _check_length(text)
    tags: list[Node] = []
    start = 0
    for item in text.split(","):
        name = item.strip().lower()
        position = start + len(item) - len(item.lstrip())
        match = _TOKEN.fullmatch(name)
        if not name:
            raise TagError("a tag is missing", start, text)
        if match is None or match.lastgroup != "tag":
            raise TagError("not a tag; operators belong into `filter`", position, text)
        tags.append(Tag(name))
        start += len(item) + 1
    return Expression(tags[0] if len(tags) == 1 else AnyOf(tuple(tags)))


def from_query(raw_query: bytes | str) -> Expression | None:
    """The expression in a URL's query string; None if there is none.

    `tags` is a plain list, `filter` and `tag-filter` are expressions. In the latter a `+` means "and" as it was
    typed; where that makes no sense it is the space of form encoding. No text makes sense both ways.

    Raises:
        TagError: two of the parameters (or one twice), or a mistake in the expression.
    """
    query = raw_query.decode("latin-1") if isinstance(raw_query, bytes) else raw_query
    found: tuple[str, str] | None = None
    start = 0
    for pair in query.split("&"):
        name, _, value = pair.partition("=")
        if _unquoted(name) in PARAMETERS:
            if found is not None:
                raise TagError("give one of tags, filter and tag-filter, and give it once", start, query)
            found = _unquoted(name), value
        start += len(pair) + 1
    if found is None:
        return None
    name, value = found
    if name == "tags":
        return simple(_unquoted(value.replace("+", " ")))
    try:
        return parse(_unquoted(value))
    except TagError:
        if "+" in value:
            spaced = _unquoted(value.replace("+", " "))
            try:
                return parse(spaced)
            except TagError:
                pass  # The mistake is told as it stands with the "+" that was typed.
        raise


def _unquoted(text: str) -> str:
    return unquote_to_bytes(text).decode(errors="replace")


def _check_length(text: str) -> None:
    if len(text) > MAX_LENGTH:
        raise TagError(f"{len(text)} characters are too many; {MAX_LENGTH} are allowed", MAX_LENGTH, text)


_TOKEN: Final = re.compile(
    r"(?P<open>\()|(?P<close>\))"
    r"|(?P<or>,|\|\||or(?![\w.-]))|(?P<and>\+|&&|and(?![\w.-]))|(?P<not>[-!]|not(?![\w.-]))"
    r"|(?P<tag>[\w.][\w.-]*)|(?P<end>\Z)",
    re.IGNORECASE | re.ASCII,
)


class _Parser:
    """Recursive descent, one token ahead."""

    def __init__(self, text: str) -> None:
        _check_length(text)
        self._text = text
        self._start = self._end = 0
        self._kind: str | None = None
        self._depth = 0
        self._advance()

    def whole(self) -> Node:
        node = self._any_of()
        if self._kind == "close":
            self._fail("nothing is open that this closes")
        if self._kind != "end":
            self._fail("an operator is missing before this")
        return node

    def _any_of(self) -> Node:
        operands = [self._all_of()]
        while self._kind == "or":
            self._advance()
            operands.append(self._all_of())
        return operands[0] if len(operands) == 1 else AnyOf(tuple(operands))

    def _all_of(self) -> Node:
        operands = [self._one()]
        while self._kind == "and":
            self._advance()
            operands.append(self._one())
        return operands[0] if len(operands) == 1 else AllOf(tuple(operands))

    def _one(self) -> Node:
        kind, start, word = self._kind, self._start, self._text[self._start : self._end]
        if kind not in {"tag", "not", "open"}:
            self._fail("a tag is missing here")
        if kind == "tag":
            self._advance()
            return Tag(word.lower())
        self._depth += 1
        if self._depth > MAX_DEPTH:
            self._fail(f"nested more than {MAX_DEPTH} deep")
        self._advance()
        node = Not(self._one()) if kind == "not" else self._any_of()
        if kind == "open":
            self._close(start)
        self._depth -= 1
        return node

    def _close(self, opened: int) -> None:
        if self._kind == "end":
            raise TagError("this is not closed", opened, self._text)
        if self._kind != "close":
            self._fail("an operator is missing before this")
        self._advance()

    def _advance(self) -> None:
        text, start = self._text, self._end
        while start < len(text) and text[start].isspace():
            start += 1
        match = _TOKEN.match(text, start)
        self._start = start
        if match is None:
            self._fail("not part of a tag nor an operator")
        self._kind, self._end = match.lastgroup, match.end()

    def _fail(self, message: str) -> NoReturn:
        raise TagError(message, self._start, self._text)
