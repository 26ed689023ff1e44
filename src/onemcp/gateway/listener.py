"""The listener: the GET stream of a session, whose event ids say how far its client has heard.

There are two things to hear: the notices of the notifier, which all sessions share, and what is told to this one
session, which is in the log. An id has the place in both, so that whoever comes back with it hears exactly the rest.
"""

from collections.abc import Sequence
from typing import Final, NamedTuple, Self

from onemcp.core.access import View
from onemcp.gateway.streams import Event, Stream

NAME: Final = "listener"
"""The stream's name in the log, and the first word of its ids."""
_DIGITS: Final = 18
_LONGEST_EPOCH: Final = 64


class Position(NamedTuple):
    """How far a client has heard."""

    epoch: str
    """Which notifier counted `seen`; a word of another one says nothing."""
    seen: int
    """The last notice."""
    told: int
    """The number of the last message that was told to this session alone."""

    def __str__(self) -> str:
        """The event id."""
        return f"{NAME}-{self.epoch}-{self.seen}-{self.told}"

    @classmethod
    def parse(cls, text: str) -> Self | None:
        """The position that an event id names; None for the id of another stream, or none at all."""
        name, *parts = text.split("-")
        if name != NAME or len(parts) != 3 or not all(_is_number(part) for part in parts[1:]):
            return None
        if not (parts[0].isascii() and parts[0].isalnum() and len(parts[0]) <= _LONGEST_EPOCH):
            return None
        return cls(parts[0], int(parts[1]), int(parts[2]))


NOWHERE: Final = Position("0", 0, 0)
"""The position of a client of which nothing is known."""


class Listener(Stream):
    """The open GET stream of a session."""

    __slots__ = ("position", "reached")

    def __init__(self, view: View, endpoint: str, position: Position) -> None:
        super().__init__(view, endpoint)
        self.position = position
        """Where a client is that has read all that is queued."""
        self.reached = position
        """Where it is now, if all that was written has arrived."""

    def push(self, message: bytes) -> None:
        """Queue a message that is in no log."""
        self.put(Event(message, str(self.position)))

    def tell(self, message: bytes, upstream: str, number: int) -> None:
        """Queue a message that the log has under this number."""
        self.position = self.position._replace(told=number)
        self.put(Event(message, str(self.position), upstream, number))

    def recall(self, past: Sequence[tuple[int, str, bytes]]) -> None:
        """Put what the log has (number, upstream, message) before what has been told since it was asked."""
        if past:
            self.position = self.position._replace(told=max(self.position.told, past[-1][0]))
        self.precede(
            [
                Event(message, str(self.reached._replace(told=number)), upstream, number)
                for number, upstream, message in past
            ]
        )

    async def next_event(self) -> Event | None:
        """The next event, or None at the end; what is taken counts as heard."""
        event = await super().next_event()
        if event is not None:
            self.reached = Position.parse(event.id) or self.reached
        return event

    @property
    def heard(self) -> Position:
        """How far the client has heard; what it was not meant to hear counts once nothing waits before it."""
        return self.reached if self._queue else self.position


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= _DIGITS
