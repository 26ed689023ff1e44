"""The pieces that the schema is made of: what a value can be, as the readers take it.

`null` may stand everywhere, since a file that is laid over another takes something away with it.
"""

import re
from collections.abc import Iterable, Mapping
from typing import Any, Final

Schema = dict[str, Any]

REFERENCE: Final = r"\$\{"
"""In a text that refers to something, whose value nobody knows yet."""
PARAMETER: Final[Schema] = {"type": "string", "pattern": r"^\$\{param:[^{}]*\}$"}
"""A text that is nothing but a parameter of a template, which becomes the parameter's value whatever its type."""
REMARK: Final = "^(?:_|//)"
"""Keys that are remarks."""
MOST: Final = 2**53
_ABOUT: Final[tuple[str, ...]] = ("description", "default", "examples", "deprecated")


def boolean(what: str, default: object = None) -> Schema:
    """True or false."""
    return _about({"type": ["boolean", "null"]}, what, default)


def number(
    what: str, low: float, default: object = None, *, high: float = MOST, whole: bool = False
) -> Schema:
    """A number between two others, both included."""
    kind = "integer" if whole else "number"
    most = {"maximum": high} if high < MOST else {}
    return _about({"type": [kind, "null"], "minimum": low, **most}, what, default)


def text(what: str, default: object = None, *, pattern: str = "") -> Schema:
    """A text, that has to match if it refers to nothing."""
    found: Schema = {"type": ["string", "null"]}
    if pattern:
        found["pattern"] = f"(?:{pattern})|{REFERENCE}"
    return _about(found, what, default)


def texts(what: str, default: object = None) -> Schema:
    """An array of texts."""
    return _about({"type": ["array", "null"], "items": {"type": "string"}}, what, default)


def pairs(what: str) -> Schema:
    """An object of texts."""
    return _about({"type": ["object", "null"], "additionalProperties": {"type": ["string", "null"]}}, what)


def words(what: str, known: Iterable[str], default: object = None) -> Schema:
    """One of some words, written just so."""
    return _about({"enum": [*known, None]}, what, default)


def either(what: str, *choices: Schema, default: object = None) -> Schema:
    """What one of several schemas takes."""
    return _about({"anyOf": list(choices)}, what, default)


def closed(what: str, properties: Mapping[str, Schema], ignored: Iterable[str] = ()) -> Schema:
    """An object with these members, remarks, and keys of other programs."""
    others = "|".join(sorted(map(re.escape, ignored)))
    known: Schema = {
        "type": ["object", "null"],
        "properties": dict(properties),
        "patternProperties": {f"{REMARK}|^(?:{others})$" if others else REMARK: True},
        "additionalProperties": False,
    }
    return _about(known, what)


def named(what: str, member: Schema, pattern: str = "") -> Schema:
    """An object whose members have names of their own."""
    found: Schema = {"type": ["object", "null"], "additionalProperties": member}
    if pattern:
        found["propertyNames"] = {"pattern": pattern}
    return _about(found, what)


def or_referred(schema: Schema) -> Schema:
    """The same, or a text with a reference in it."""
    return _or(schema, {"type": "string", "pattern": REFERENCE})


def or_parameter(schema: Schema) -> Schema:
    """The same, or a parameter of a template."""
    is_any_text = schema.get("type") == ["string", "null"] and "pattern" not in schema
    return schema if is_any_text else _or(schema, {"$ref": "#/$defs/parameter"})


def loosely(word: str, between: str = "") -> str:
    """A pattern for a word in any case, with any number of the characters `between` around its letters."""
    gap = f"[{between}]*" if between else ""
    letters = (f"[{char.lower()}{char.upper()}]" if char.isalpha() else re.escape(char) for char in word)
    return gap + gap.join(letters) + gap


def _or(schema: Schema, other: Schema) -> Schema:
    about = {name: schema[name] for name in _ABOUT if name in schema}
    rest = {name: value for name, value in schema.items() if name not in _ABOUT}
    choices = rest["anyOf"] if rest.keys() == {"anyOf"} else [rest]
    return {**about, "anyOf": [*choices, other]}


def _about(schema: Schema, what: str, default: object = None) -> Schema:
    about = {"description": what} if what else {}
    return {**about, **({"default": default} if default is not None else {}), **schema}
