"""Pages of a list, with cursors that survive a change of the catalog between two of them.

A cursor names the last entry that was given out, not a number in the whole list. What it guarantees, as long as the
upstreams keep their order in the configuration and their entries keep theirs:

- over a list that does not change, every entry comes once, in order;
- while the entry that the cursor names is there, every entry that is there throughout comes exactly once, whatever
  else comes or goes;
- if that entry goes, the same holds for the other upstreams' entries, and for those of its own upstream if it alone
  went from before the cursor; otherwise some of them may be missed or come twice;
- if its upstream goes from the configuration, the same holds for the other upstreams' entries if as many as before
  stand in front of it.

After a change the client is told that the list changed and asks anew, so that nothing is missed for long.
"""

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import msgspec

from onemcp.core.names import shortened

_VERSION: Final = 1
_LONGEST_KEY: Final = 200
"""Longer keys are told apart by a digest, so that a cursor has a bounded size."""
_LONGEST_CURSOR: Final = 4096

_decode = msgspec.json.Decoder(tuple[int, str, int, int, str]).decode


@dataclass(frozen=True, slots=True)
class Position:
    """The last entry that was given out; names of more than 200 characters stand shortened in it."""

    upstream: str
    ordinal: int
    """The upstream's place in the configuration."""
    index: int
    """The entry's place among those of its upstream."""
    key: str


def encode(upstream: str, ordinal: int, index: int, key: str) -> str:
    """The cursor for the page after an entry: that of the `ordinal`-th upstream, its `index`-th, called `key`."""
    text = msgspec.json.encode((_VERSION, _mark(upstream), ordinal, index, _mark(key)))
    return base64.urlsafe_b64encode(text).rstrip(b"=").decode()


def decode(text: str) -> Position:
    """What a cursor says.

    Raises:
        ValueError: it is not one of ours.
    """
    if len(text) > _LONGEST_CURSOR:
        raise ValueError("a cursor of this length is none of ours")
    data = base64.b64decode(text.encode("ascii") + b"=" * (-len(text) % 4), altchars=b"-_", validate=True)
    version, upstream, ordinal, index, key = _decode(data)
    if version != _VERSION or encode(upstream, ordinal, index, key) != text or ordinal < 0 or index < 0:
        raise ValueError("not a cursor of ours")
    return Position(upstream, ordinal, index, key)


def _mark(name: str) -> str:
    return shortened(name, _LONGEST_KEY)


def after(position: Position, keys: Sequence[tuple[str, str]], order: Sequence[str]) -> int:
    """Where in `keys` the next page starts (their length if there is none).

    `keys` are the (upstream, key) of the list as it is now, `order` the upstreams in configuration order.
    """
    own = [index for index, (upstream, _) in enumerate(keys) if _mark(upstream) == position.upstream]
    for index in own:
        if _mark(keys[index][1]) == position.key:
            return index + 1
    if own:
        return own[position.index] if position.index < len(own) else own[-1] + 1
    places = {_mark(upstream): place for place, upstream in enumerate(order)}
    gone = position.upstream not in places
    floor = position.ordinal if gone else places[position.upstream] + 1
    later = (index for index, (name, _) in enumerate(keys) if places.get(_mark(name), len(order)) >= floor)
    return next(later, len(keys))
