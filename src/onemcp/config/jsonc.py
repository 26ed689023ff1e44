"""JSON with comments, read with the position of every value: the reader of configuration files.

Beyond JSON (RFC 8259) it takes `//` and `/* */` comments, a comma after the last member, and a byte order mark;
nothing else. Half of a surrogate pair, escaped or not, is refused, since no file, header or process could be given
it; so are numbers that a float or an integer of 4,300 digits cannot hold. Lines end at LF, CR or both.
"""

import re
from bisect import bisect_right
from typing import Final, NoReturn

from onemcp.config.node import Member, Node, Value
from onemcp.errors import ConfigError, Problem

MAX_DEPTH: Final = 200
"""How deep objects and arrays may nest."""


def parse(text: str, file: str = "") -> Node:
    """Read a text.

    Raises:
        ConfigError: it is not JSON with comments (one problem), or has keys twice in one object (all of them).
    """
    node, repeated = scan(text, file)
    if repeated:
        raise ConfigError(*repeated)
    return node


def scan(text: str, file: str = "") -> tuple[Node, tuple[Problem, ...]]:
    """Read a text, its repeated keys told as problems beside it (the last one counts), for who has more to tell.

    Raises:
        ConfigError: it is not JSON with comments.
    """
    parser = _Parser(text, file)
    return parser.document(), tuple(parser.repeated)


_BOM: Final = "\ufeff"
_LINE_END: Final = re.compile(r"\r\n|\r|\n")
_SPACE: Final = re.compile(r"(?:[ \t\r\n]+|//[^\r\n]*|/\*.*?\*/)*", re.DOTALL)
_NUMBER: Final = re.compile(r"-?(?:0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?")
_WORD: Final = re.compile(r"[-+.\w$]+")
_PLAIN: Final = re.compile('[^"\\\\\x00-\x1f\ud800-\udfff]*')
_UNICODE: Final = re.compile(r"\\u([0-9a-fA-F]{4})")
_ESCAPES: Final = {
    '"': '"',
    "\\": "\\",
    "/": "/",
    "b": "\b",
    "f": "\f",
    "n": "\n",
    "r": "\r",
    "t": "\t",
}
_HARMLESS: Final = re.compile(r"-?[A-Za-z]{1,12}|[-+]?[0-9.eE+-]{1,12}")
_WORDS: Final[dict[str, bool | None]] = {"true": True, "false": False, "null": None}
_MEANT: Final = {"none": "null", "nil": "null", "undefined": "null"}


class _Parser:
    """Recursive descent; `pos` stands at the next character to read."""

    def __init__(self, text: str, file: str) -> None:
        self._text = text
        self._file = file
        self._pos = 1 if text.startswith(_BOM) else 0
        self._lines = [self._pos, *(match.end() for match in _LINE_END.finditer(text))]
        self.repeated: list[Problem] = []

    def document(self) -> Node:
        self._skip()
        if self._pos == len(self._text):
            self._fail("there is nothing in it", 'an empty configuration is {"mcpServers": {}}')
        node = self._value(0)
        self._skip()
        if self._pos < len(self._text):
            self._fail(f"{self._found()} after the end of the value", "one file holds one value")
        return node

    def _value(self, depth: int) -> Node:
        start, char = self._pos, self._peek()
        value: Value
        if depth > MAX_DEPTH:
            self._fail(f"nested deeper than {MAX_DEPTH} levels")
        if char == "{":
            value = self._object(start, depth)
        elif char == "[":
            value = self._array(start, depth)
        elif char == '"':
            value = self._string()
        elif char == "-" or (char.isascii() and char.isdigit()):
            value = self._number()
        else:
            value = self._word()
        return self._node(value, start)

    def _object(self, start: int, depth: int) -> dict[str, Member]:
        members: dict[str, Member] = {}
        self._pos += 1
        self._skip()
        while self._peek() != "}":
            self._expect_inside("object", start)
            key = self._key()
            self._skip()
            if self._peek() != ":":
                self._fail(f"expected : after the key, found {self._found()}")
            self._pos += 1
            self._skip()
            self._expect_inside("object", start)
            self._add(members, key, self._value(depth + 1))
            self._comma("}", "object", start)
        self._pos += 1
        return members

    def _array(self, start: int, depth: int) -> list[Node]:
        items: list[Node] = []
        self._pos += 1
        self._skip()
        while self._peek() != "]":
            self._expect_inside("array", start)
            items.append(self._value(depth + 1))
            self._comma("]", "array", start)
        self._pos += 1
        return items

    def _comma(self, closing: str, kind: str, start: int) -> None:
        self._skip()
        self._expect_inside(kind, start)
        if self._peek() == ",":
            self._pos += 1
            self._skip()
        elif self._peek() != closing:
            self._fail(f"expected , or {closing} in the {kind}, found {self._found()}")

    def _key(self) -> Node:
        start = self._pos
        if self._peek() != '"':
            self._fail(f"expected a key, found {self._found()}", 'keys stand in double quotes, as "key"')
        return self._node(self._string(), start)

    def _add(self, members: dict[str, Member], key: Node, value: Node) -> None:
        name = str(key.value)
        if name in members:
            first = members[name].key
            what = f"the key stands here a second time, first at {first.line}:{first.column}"
            self.repeated.append(Problem(what, "keep one", self._file, key.line, key.column, name))
        members[name] = Member(key, value)

    def _string(self) -> str:
        start = self._pos
        self._pos += 1
        parts: list[str] = []
        while True:
            match = _PLAIN.match(self._text, self._pos)
            assert match is not None  # the pattern matches nothing too
            parts.append(match[0])
            self._pos = match.end()
            char = self._peek()
            if char == '"':
                self._pos += 1
                return "".join(parts)
            if char != "\\":
                self._refuse_in_string(char, start)
            parts.append(self._escape())

    def _refuse_in_string(self, char: str, start: int) -> NoReturn:
        if char in ("", "\r", "\n"):
            self._pos = start
            self._fail('the string does not end on its line, " is missing')
        if char < " ":
            self._fail(f"control character U+{ord(char):04X} in a string", f"write it as \\u{ord(char):04x}")
        self._fail("half of a surrogate pair in a string")

    def _escape(self) -> str:
        match = _UNICODE.match(self._text, self._pos)
        if match is not None:
            return self._unicode(match)
        char = self._text[self._pos + 1 : self._pos + 2]
        if char not in _ESCAPES:
            self._fail(f"\\{_shown(char)} is no escape", "a backslash itself is written \\\\")
        self._pos += 2
        return _ESCAPES[char]

    def _unicode(self, match: re.Match[str]) -> str:
        code = int(match[1], 16)
        if not 0xD800 <= code <= 0xDFFF:
            self._pos = match.end()
            return chr(code)
        low = _UNICODE.match(self._text, match.end())
        if low is None or code > 0xDBFF or not 0xDC00 <= int(low[1], 16) <= 0xDFFF:
            self._fail(f"{match[0]} is half of a surrogate pair")
        self._pos = low.end()
        return chr(0x10000 + (code - 0xD800) * 0x400 + int(low[1], 16) - 0xDC00)

    def _number(self) -> int | float:
        match = _NUMBER.match(self._text, self._pos)
        if match is None or _WORD.match(self._text, match.end()):
            self._fail(f"{self._found()} is no number")
        try:
            number = float(match[0]) if match[1] or match[2] else int(match[0])
        except ValueError:
            number = float("inf")
        if number in (float("inf"), float("-inf")):
            self._fail("the number is too large")
        self._pos = match.end()
        return number

    def _word(self) -> bool | None:
        match = _WORD.match(self._text, self._pos)
        if match is None:
            if self._peek() == "'":
                self._fail("expected a value, found '", "strings stand in double quotes")
            self._fail(f"expected a value, found {self._found()}")
        word = match[0]
        if word not in _WORDS:
            meant = _MEANT.get(word.lower(), word.lower())
            fix = f"write {meant}" if meant in _WORDS else "strings stand in double quotes"
            self._fail(f"{self._found()} is no value", fix)
        self._pos = match.end()
        return _WORDS[word]

    def _skip(self) -> None:
        match = _SPACE.match(self._text, self._pos)
        assert match is not None  # the pattern matches nothing too
        self._pos = match.end()
        if self._text.startswith("/*", self._pos):
            self._fail("the comment does not end, */ is missing")

    def _peek(self) -> str:
        return self._text[self._pos : self._pos + 1]

    def _found(self) -> str:
        """What stands here, if it is a word that nobody takes for a secret: it may be one without its quotes."""
        match = _WORD.match(self._text, self._pos)
        if match is not None and not _HARMLESS.fullmatch(match[0]):
            return "what stands here"
        return _shown(match[0] if match else self._peek())

    def _expect_inside(self, kind: str, start: int) -> None:
        if self._pos == len(self._text):
            line, column = self._place(start)
            self._fail(f"the text ends inside the {kind} that begins at {line}:{column}")

    def _node(self, value: Value, start: int) -> Node:
        return Node(value, start, self._pos, *self._place(start), self._file)

    def _place(self, pos: int) -> tuple[int, int]:
        line = bisect_right(self._lines, pos)
        return line, pos - self._lines[line - 1] + 1

    def _fail(self, what: str, fix: str = "") -> NoReturn:
        raise ConfigError(Problem(what, fix, self._file, *self._place(self._pos)))


def _shown(text: str) -> str:
    """What stands in the text, short and on one line."""
    if not text:
        return "the end of the text"
    short = text if len(text) <= 40 else text[:37] + "..."
    return short if short.isprintable() else ascii(short)
