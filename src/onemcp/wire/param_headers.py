"""Tool arguments that are repeated in `Mcp-Param-*` headers, so that what routes a request need not read its body.

Source: basic/transports/streamable-http, "Custom Headers from Tool Parameters" (2026-07-28).
"""

import string
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal, cast

import msgspec
from msgspec import Raw

from onemcp.errors import RpcError
from onemcp.wire.envelope import open_object
from onemcp.wire.headers import decode_value, encode_value

ANNOTATION: Final = "x-mcp-header"

Kind = Literal["string", "integer", "boolean"]

_KINDS: Final = ("string", "integer", "boolean")
_TOKEN: Final = frozenset(string.ascii_letters + string.digits + "!#$%&'*+-.^_`|~")
# The keywords of JSON Schema under which further schemas stand: directly or in a list, and by a name. What stands
# under any other keyword is data, in which the annotation's name means nothing.
_DIRECT: Final = frozenset(
    {
        "additionalItems",
        "additionalProperties",
        "allOf",
        "anyOf",
        "contains",
        "contentSchema",
        "else",
        "if",
        "items",
        "not",
        "oneOf",
        "prefixItems",
        "propertyNames",
        "then",
        "unevaluatedItems",
        "unevaluatedProperties",
    }
)
_NAMED: Final = frozenset(("$defs", "definitions", "dependencies", "dependentSchemas", "patternProperties"))

_Path = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ParamHeader:
    """One annotated property of a tool's input."""

    header: str
    """The header's full name, like `Mcp-Param-Region`."""
    path: tuple[str, ...]
    """Where the value stands in the arguments."""
    kind: Kind = "string"


def param_headers(input_schema: Raw | bytes) -> tuple[ParamHeader, ...]:
    """The headers that calls of a tool carry, outermost first.

    Raises:
        ValueError: an annotation that the specification does not allow, with the reason; the tool must not be
            listed over HTTP. Also for a schema that is not JSON.
    """
    try:
        schema = msgspec.json.decode(input_schema)
    except (msgspec.DecodeError, RecursionError) as error:
        raise ValueError(f"the input schema is not JSON: {error}") from None
    found: dict[str, ParamHeader] = {}
    for path, position in _positions(schema):
        if ANNOTATION not in position:
            continue
        header = _annotated(path, position)
        other = found.setdefault(header.header.lower(), header)
        if other is not header:
            raise ValueError(f"{_where(other.path)} and {_where(header.path)} have the same {ANNOTATION}")
    return tuple(found.values())


def _positions(root: object) -> Iterator[tuple[_Path | None, dict[str, Any]]]:
    """Every schema in a schema, with the way through `properties` that leads to it (None: it takes another way)."""
    queue: list[tuple[_Path | None, Any]] = [((), root)]
    for path, schema in queue:
        if not isinstance(schema, dict):
            continue
        yield path, schema
        for keyword, value in schema.items():
            if keyword == "properties" and isinstance(value, dict):
                queue += [(None if path is None else (*path, name), inner) for name, inner in value.items()]
            elif keyword in _DIRECT:
                queue += [(None, inner) for inner in (value if isinstance(value, list) else [value])]
            elif keyword in _NAMED and isinstance(value, dict):
                queue += [(None, inner) for inner in value.values()]


def _annotated(path: _Path | None, schema: dict[str, Any]) -> ParamHeader:
    if not path:
        raise ValueError(
            f"{ANNOTATION} stands where a call's arguments cannot be looked up (only `properties` may lead there)"
        )
    name, kind = schema[ANNOTATION], schema.get("type")
    if not isinstance(name, str) or not name or not _TOKEN.issuperset(name):
        raise ValueError(f"{_where(path)}: {ANNOTATION} is not a header name")
    if kind not in _KINDS:
        raise ValueError(f"{_where(path)}: {ANNOTATION} is for the types string, integer and boolean alone")
    return ParamHeader(f"Mcp-Param-{name}", path, cast("Kind", kind))


def _where(path: _Path) -> str:
    return f'"{".".join(path)}"'


def param_values(headers: Sequence[ParamHeader], arguments: Raw | bytes) -> tuple[tuple[str, str], ...]:
    """The headers to send with these arguments, values encoded; none for an argument that is absent or null.

    Raises:
        RpcError: -32602 for arguments that are not an object.
    """
    if not headers:
        return ()
    members = open_object(arguments)
    texts = [(header.header, _text(header.kind, _lookup(members, header.path))) for header in headers]
    return tuple((name, encode_value(text)) for name, text in texts if text is not None)


def check_params(headers: Sequence[ParamHeader], arguments: Raw | bytes, given: Mapping[str, str]) -> str:
    """Why the headers `given` (names in lower case, each once) do not agree with the arguments; empty if they do.

    A header without its argument is as wrong as an argument without its header: what routed the request by it
    has seen a value that the body never had.

    Raises:
        RpcError: -32602 for arguments that are not an object.
    """
    if not headers:
        return ""
    members = open_object(arguments)
    for header in headers:
        reason = _check(header, _lookup(members, header.path), given.get(header.header.lower()))
        if reason:
            return f"{header.header}: {reason}"
    return ""


def _check(header: ParamHeader, value: bytes, given: str | None) -> str:
    text = _text(header.kind, value)
    where = f"the argument {_where(header.path)}"
    if text is None:
        return "" if given is None else f"the header is there without {where}"
    if given is None:
        return f"the header is missing, but {where} is there"
    try:
        told = decode_value(given)
    except ValueError:
        return "the header's value cannot be decoded"
    if told == text or (header.kind == "integer" and _same_integer(value, told)):
        return ""
    return f"the header does not agree with {where}"


def _lookup(members: dict[str, Raw], path: _Path) -> bytes:
    """The JSON text at a path of member names; empty if there is nothing."""
    value = bytes(members.get(path[0], b""))
    for name in path[1:]:
        try:
            value = bytes(open_object(value).get(name, b""))
        except RpcError:  # Not an object: nothing can be in it.
            return b""
    return value


def _text(kind: Kind, value: bytes) -> str | None:
    """How a header spells a JSON value; None for one that no header carries: absent, null, an array, an object."""
    match value[:1]:
        case b"" | b"n" | b"[" | b"{":
            return None
        case b'"':
            return msgspec.json.decode(value, type=str)
        case b"t" | b"f":
            return value.decode()
        case _:
            number = value.decode()
            plain = _integer(number) if kind == "integer" or number.lstrip("-").isdigit() else None
            return plain or str(float(number))


def _same_integer(value: bytes, told: str) -> bool:
    if not value[-1:].isdigit() or "e" in told.lower():
        return False
    plain = _integer(told)
    return plain is not None and plain == _integer(value.decode())


def _integer(text: str) -> str | None:
    """The plain digits of a JSON number without a fraction, exact at any length; None for other text (without an e)."""
    if "e" in text.lower():
        number = float(text)
        return str(int(number)) if number.is_integer() else None
    whole, point, fraction = text.partition(".")
    digits = whole.removeprefix("-")
    if not (digits.isascii() and digits.isdigit()) or fraction.strip("0") or (point and not fraction):
        return None
    digits = digits.lstrip("0") or "0"
    return f"-{digits}" if whole.startswith("-") and digits != "0" else digits
