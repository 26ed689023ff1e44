"""Flights: who asks while the same is being asked already waits for that answer."""

import asyncio
from collections.abc import Awaitable, Callable, Hashable
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class _Flight(Generic[V]):
    __slots__ = ("answer", "lock", "waiting")

    def __init__(self) -> None:
        self.lock = asyncio.Lock()
        self.waiting = 0
        self.answer: list[V] = []


class Flights(Generic[K, V]):
    """One question for each key at a time. An answer goes to those who waited for it, and is not kept.

    A question that fails or is cancelled is asked again by the next who waits, each in turn.
    """

    def __init__(self) -> None:
        self._flights: dict[K, _Flight[V]] = {}

    async def get(self, key: K, ask: Callable[[], Awaitable[V]]) -> V:
        """The answer. Raises what `ask` raises."""
        flight = self._flights.setdefault(key, _Flight())
        flight.waiting += 1
        try:
            async with flight.lock:
                if not flight.answer:
                    flight.answer.append(await ask())
                    # Whoever comes from now on asks anew.
                    if self._flights.get(key) is flight:
                        del self._flights[key]
                return flight.answer[0]
        finally:
            flight.waiting -= 1
            if not flight.waiting and self._flights.get(key) is flight:
                del self._flights[key]
