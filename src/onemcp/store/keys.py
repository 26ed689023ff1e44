"""Keys in order: `SortedKeys` finds those with a prefix without looking at the others."""

from bisect import bisect_left, insort
from collections.abc import Iterator


class SortedKeys:
    """A sorted set of strings. Adding and removing move memory, which up to some 100,000 keys is microseconds."""

    __slots__ = ("_keys",)

    def __init__(self) -> None:
        self._keys: list[str] = []

    def add(self, key: str) -> None:
        """Add a key that is not there."""
        insort(self._keys, key)

    def remove(self, key: str) -> None:
        """Remove a key that is there."""
        del self._keys[bisect_left(self._keys, key)]

    def starting(self, prefix: str) -> Iterator[str]:
        """The keys with this prefix, in order; none may be added or removed meanwhile."""
        for place in range(bisect_left(self._keys, prefix), len(self._keys)):
            key = self._keys[place]
            if not key.startswith(prefix):
                return
            yield key
