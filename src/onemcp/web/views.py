"""What a request's query string narrows its view to; judged once per distinct query."""

from dataclasses import dataclass
from typing import Final
from urllib.parse import parse_qs

from onemcp.core.access import View
from onemcp.core.tags import TagError, from_query

_REMEMBERED: Final = 512
_LONG: Final = 1024


@dataclass(frozen=True, slots=True)
class Narrowing:
    """The outcome for one query string: a view, or what is wrong with it."""

    view: View
    paged: bool = False
    objection: str = ""


class Narrowings:
    """Query strings and what they mean."""

    def __init__(self) -> None:
        self._known: dict[bytes, Narrowing] = {b"": Narrowing(View())}

    def of(self, query: bytes) -> Narrowing:
        """The narrowing of a raw query string."""
        known = self._known.get(query)
        if known is None:
            known = _judge(query)
            if len(query) > _LONG:
                return known
            if len(self._known) >= _REMEMBERED:
                self._known = {b"": self._known[b""]}
            self._known[query] = known
        return known


def _judge(query: bytes) -> Narrowing:
    try:
        expression = from_query(query)
    except TagError as error:
        return Narrowing(View(), objection=str(error))
    paged = parse_qs(query.decode("latin-1")).get("pagination", [""])[-1].lower() in ("true", "1")
    return Narrowing(View(expression), paged)
