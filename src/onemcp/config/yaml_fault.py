"""What is wrong with a text that is no YAML, in our own words: the library says it for who knows its grammar.

With and without its C part the library words its errors differently; what is looked for here is in both.
"""

import re
from typing import Final

import yaml

from onemcp.config.jsonc import MAX_DEPTH
from onemcp.config.lines import Lines
from onemcp.errors import Problem

_INDENTED: Final = "is the line indented rightly?"
_ENDED: Final = "is the line indented rightly, or does a quote end too early?"
_QUOTES: Final = "text with a character in it that YAML uses itself stands in quotes"
_BACKSLASH: Final = "a backslash itself is written \\\\, or the text stands in single quotes"
_ODD: Final = re.compile(
    r"(?<!\\)(?:\\\\)*(\\(?:u[dD][89a-fA-F][0-9a-fA-F]{2}|U(?!000|0010)[0-9a-fA-F]{8}|U0000[dD][89a-fA-F][0-9a-fA-F]{2}))"
)
_SAID: Final = (
    ("nesting depth", f"nested deeper than {MAX_DEPTH} levels", ""),
    (
        "mapping values",
        "a : cannot stand here",
        "is the line indented rightly, and text with ': ' in it in quotes?",
    ),
    ("directive", "this line is no directive of YAML", "text that begins with % stands in quotes"),
    ("mapping keys", "a ? cannot stand here", "text that begins so stands in quotes"),
    ("sequence entries", "a - cannot stand here", _INDENTED),
    ("tag", "tags are not taken", "text that begins with ! stands in quotes"),
    ("alias", "expected a name after *", "text that begins with * stands in quotes"),
    ("anchor", "expected a name after &", "text that begins with & stands in quotes"),
    ("block scalar", "expected the end of the line after | or >", "text that begins so stands in quotes"),
    ("incompatible", "this is a later version of YAML", "leave the line out"),
    ("node", "expected a value", _QUOTES),
    ("<document start>", "expected the end of the text, or --- before a value", _INDENTED),
)
_COLLECTIONS: Final = {
    "flow mapping": ("object", "expected , or }} in the object that begins at {}", _QUOTES),
    "flow sequence": ("array", "expected , or ] in the array that begins at {}", _QUOTES),
    "block mapping": ("object", "the object that begins at {} does not go on like this", _ENDED),
    "block collection": ("array", "the array that begins at {} does not go on like this", _ENDED),
    "block sequence": ("array", "the array that begins at {} does not go on like this", _ENDED),
}


def told(error: yaml.MarkedYAMLError, text: str, start: int, file: str) -> Problem:
    """The problem of a text; the library was given what follows its first `start` characters."""
    lines = Lines(text)
    context, said = error.context or "", error.problem or ""
    pos = start + (error.problem_mark.index if error.problem_mark else 0)
    begin = start + error.context_mark.index if error.context_mark else pos
    if "quoted scalar" in context:
        return _quoted(said, text, file, pos, begin)
    if "expected ':'" in said:
        return Problem("expected : after the key", _INDENTED, file, *lines.place(begin))
    what, fix = _words(context, said, text[pos : pos + 1], "{}:{}".format(*lines.place(begin)))
    return Problem(what, fix, file, *lines.place(pos))


def odd_escape(text: str, file: str, start: int = 0) -> Problem:
    """The first escape in a text that stands for half of a surrogate pair, or for no character at all."""
    found = _ODD.search(text, start)
    place = Lines(text).place(found.start(1) if found else start)
    what = f"{found[1] if found else 'an escape'} is no character"
    fix = "a character beyond U+FFFF is written as it is, or as \\U and eight digits"
    return Problem(what, fix, file, *place)


def _quoted(said: str, text: str, file: str, pos: int, begin: int) -> Problem:
    lines = Lines(text)
    if "escape code" in said:
        return odd_escape(text, file, begin)
    if "escape" in said or "hexdecimal" in said:
        at = text.rindex("\\", begin, pos + 1)
        escape = text[at : at + 2]
        escape = escape if escape.isprintable() else "\\"
        return Problem(f"{escape} is no escape", _BACKSLASH, file, *lines.place(at))
    return Problem("the quotes that begin here do not end", "", file, *lines.place(begin))


def _words(context: str, said: str, char: str, begin: str) -> tuple[str, str]:
    if "tab character" in said or ("any token" in said and char == "\t"):
        return "a tab stands where only spaces may", "indent with spaces"
    if "any token" in said:
        return f"a value cannot begin with {char}", "text that begins so stands in quotes"
    for word, (kind, what, fix) in _COLLECTIONS.items():
        if word in context:
            if not char and word.startswith("flow"):
                return f"the text ends inside the {kind} that begins at {begin}", ""
            return what.format(begin), fix
    if not char and "node" in context:
        return "the text ends where a value must stand", ""
    for word, what, fix in _SAID:
        if word in f"{context} {said}":
            return what, fix
    return f"this is no YAML: {said}", ""
