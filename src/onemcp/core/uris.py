"""Resource URIs: telling apart equal ones of two upstreams, and which URIs a template stands for."""

from dataclasses import dataclass
from typing import Final
from urllib.parse import quote, unquote

SCHEME: Final = "onemcp://"
MAX_TEMPLATE: Final = 4096
"""A longer template matches nothing (characters)."""
MAX_URI: Final = 16_384
"""A longer URI matches no template (characters)."""

_OPERATORS: Final = "+#./;?&"


def qualify(server: str, uri: str) -> str:
    """`onemcp://<server>/<uri>`: the URI (or URI template), as it is, of this one server."""
    return f"{SCHEME}{quote(server, safe='')}/{uri}"


def unqualify(uri: str) -> tuple[str, str] | None:
    """The server and the URI that `qualify` was given; None for any other URI."""
    if not uri.startswith(SCHEME):
        return None
    server, slash, original = uri[len(SCHEME) :].partition("/")
    return (unquote(server), original) if server and slash else None


class Template:
    """A URI template, for matching alone.

    `{a}` stands for one or more characters without `/`, `{+a}` and `{a*}` for one or more of any; `{#a}`, `{.a}`,
    `{/a}`, `{;a}`, `{?a}` and `{&a}` for nothing or for their first character and what it begins: one piece without
    `/` for `{.a}`, `{/a}` and `{;a}`, the rest of any kind for the others and for lists of variables. What a template
    with unpaired braces stands for is unknown: it matches nothing.

    Matching follows all ways at once, as bits of an integer, and so is linear in the length of the template (times
    that of the URI in machine words), whatever either says.

    Source: RFC 6570, sections 2 and 3; templates come from upstreams and URIs from clients, so neither is trusted.
    """

    def __init__(self, template: str) -> None:
        self._template = template
        split = _split(template) if len(template) <= MAX_TEMPLATE else None
        self._known = split is not None
        self._prefix, self._rest = split or ("", [])
        self._alphabet = frozenset("/").union(*(hole.first + literal for hole, literal in self._rest))

    def __repr__(self) -> str:
        return f"Template({self._template!r})"

    def matches(self, uri: str) -> bool:
        """Whether the URI may be an expansion of the template."""
        if not self._known or not uri.startswith(self._prefix) or len(uri) > MAX_URI:
            return False
        ways = _Ways(uri, len(self._prefix), self._alphabet) if self._rest else None
        if ways is None:
            return len(uri) == len(self._prefix)
        for hole, literal in self._rest:
            ways.fill(hole)
            ways.spell(literal)
            if not ways.open:
                return False
        return ways.at_end


@dataclass(frozen=True, slots=True)
class _Hole:
    """What an expression in braces stands for."""

    first: str
    """The character that its expansion begins with; such an expansion may also be empty."""
    slashes: bool
    """Whether the rest of it may have a `/`."""


def _split(template: str) -> tuple[str, list[tuple[_Hole, str]]] | None:
    """The text before the first expression, and each expression with the text after it; None if braces do not pair."""
    prefix, *pieces = template.split("{")
    rest: list[tuple[_Hole, str]] = []
    for piece in pieces:
        body, brace, literal = piece.partition("}")
        if not brace or not body.strip(_OPERATORS) or "}" in literal:
            return None
        rest.append((_hole(body), literal))
    return None if "}" in prefix else (prefix, rest)


def _hole(body: str) -> _Hole:
    operator = body[0] if body[0] in _OPERATORS else ""
    several = "*" in body or ("," in body and operator != "")
    return _Hole(operator.strip("+"), slashes=several or operator in tuple("+#?&"))


class _Ways:
    """The places in a URI up to which a template matches it so far: bit n stands for "the first n characters"."""

    def __init__(self, uri: str, start: int, alphabet: frozenset[str]) -> None:
        self._reached = 1 << start
        self._end = 1 << len(uri)
        self._places = dict.fromkeys(alphabet, 0)
        for place, char in enumerate(uri):
            if char in alphabet:
                self._places[char] |= 1 << place

    @property
    def open(self) -> bool:
        """Whether there is any way at all."""
        return self._reached != 0

    @property
    def at_end(self) -> bool:
        """Whether one of the ways uses the whole URI."""
        return self._reached & self._end != 0

    def spell(self, literal: str) -> None:
        """Go on by exactly these characters."""
        for char in literal:
            self._reached = (self._reached & self._places[char]) << 1
            if not self._reached:
                return

    def fill(self, hole: _Hole) -> None:
        """Go on by an expansion of the expression."""
        before = self._reached if hole.first else 0
        self.spell(hole.first)
        usable = self._end - 1
        if not hole.slashes:
            usable &= ~self._places["/"]
        starts = self._reached & usable
        # Adding carries each start up through the run of usable places that it stands in; what changed was reached.
        run = ((usable + starts) ^ usable | starts) & usable
        self._reached = run << 1 | before
