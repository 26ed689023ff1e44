"""A batch of operations and what became of it: `perform` does it in one transaction.

A transaction that fails was undone as a whole. Its parts are then done one after the other, so that each fails for
itself only: a full disk lets nobody write, but everybody read and delete.
"""

import asyncio
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from typing import Any, NamedTuple

from onemcp.errors import OnemcpError, StoreError
from onemcp.store.base import EVENT_OVERHEAD, VersionConflict
from onemcp.store.event_table import Append
from onemcp.store.tables import Tables


@dataclass(slots=True)
class Ask:
    """An operation whose answer somebody waits for."""

    run: Callable[[Tables], object]
    future: asyncio.Future[Any]
    weight: int


class Answer(NamedTuple):
    """What to wake somebody with: a result, or an error."""

    future: asyncio.Future[Any]
    result: object = None
    error: OnemcpError | None = None


Batch = Sequence[Append | Ask]
"""Operations in the order in which they were asked for."""


@dataclass(slots=True)
class Outcome:
    """What became of a batch; the answers are to be handed out now that it is over."""

    answers: list[Answer] = field(default_factory=list)
    added: int = 0
    """Events that were written."""
    refused: int = 0
    """Events that were out of order or too large."""
    failed: int = 0
    """Events that could not be written, because of `error`."""
    error: StoreError | None = None

    def __add__(self, other: "Outcome") -> "Outcome":
        """What became of both."""
        return Outcome(
            self.answers + other.answers,
            self.added + other.added,
            self.refused + other.refused,
            self.failed + other.failed,
            other.error or self.error,
        )


def weight(item: Append | Ask) -> int:
    """What an operation counts for in the queue, in bytes."""
    return item.weight if isinstance(item, Ask) else len(item.data) + EVENT_OVERHEAD


def perform(tables: Tables, batch: Batch) -> Outcome:
    """Do a batch in one transaction, or else its parts in one each. Raises nothing."""
    try:
        return _transact(tables, batch)
    except StoreError as error:
        parts = list(_parts(batch))
        if len(parts) == 1:
            return _failure(batch, error)
    return sum((perform(tables, part) for part in parts), Outcome())


def _transact(tables: Tables, batch: Batch) -> Outcome:
    """Do a batch.

    Raises:
        StoreError: nothing of it was done.
    """
    outcome = Outcome()
    with tables.transaction():
        for item in batch:
            if isinstance(item, Append):
                if tables.events.add(item):
                    outcome.added += 1
                else:
                    outcome.refused += 1
            elif not item.future.cancelled():  # whoever has gone does not take anything
                outcome.answers.append(_answer(item, tables))
    return outcome


def _answer(ask: Ask, tables: Tables) -> Answer:
    try:
        return Answer(ask.future, ask.run(tables))
    except VersionConflict as conflict:
        return Answer(ask.future, None, conflict)


def _failure(part: Batch, error: StoreError) -> Outcome:
    """Nothing of this was done."""
    answers = [Answer(item.future, None, error) for item in part if isinstance(item, Ask)]
    failed = len(part) - len(answers)
    return Outcome(answers, failed=failed, error=error if failed else None)


def _parts(batch: Batch) -> Iterator[Batch]:
    """A batch in its order: events that follow each other together, each operation by itself."""
    for is_event, items in groupby(batch, lambda item: isinstance(item, Append)):
        if is_event:
            yield list(items)
        else:
            yield from ([item] for item in items)
