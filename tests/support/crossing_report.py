"""What the server of the crossing test saw of all calls, against what their clients know."""

from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Final

from tests.support.crossing_outcome import Outcome
from tests.support.crossing_upstream import Json

_ENDS: Final = ("asking", "cancelled", "done")


class Report:
    """The reports of one or several processes as one."""

    def __init__(self, parts: Iterable[Json]) -> None:
        self.seen: dict[str, Counter[str]] = {name: Counter() for name in ("begun", "answered", *_ENDS)}
        """How often each marker was noted, by what was noted."""
        self.refused: dict[str, str] = {}
        self.wrong: list[str] = []
        for part in parts:
            for name, markers in self.seen.items():
                markers.update(part[name])
            self.refused.update(part["refused"])
            self.wrong += part["wrong"]

    @property
    def running(self) -> set[str]:
        """Calls that have reached the server and not ended there."""
        ended = sum((self.seen[name] for name in _ENDS), Counter[str]())
        return set(self.seen["begun"] - ended)

    def faults(self, outcomes: Iterable[Outcome]) -> list[str]:
        """What does not agree with what the clients did and heard."""
        return [*self.wrong, *(fault for outcome in outcomes for fault in self._faults_of(outcome))]

    def _faults_of(self, outcome: Outcome) -> Iterator[str]:
        marker = outcome.plan.marker
        if outcome.is_given_up:
            return
        if self.seen["cancelled"][marker]:
            yield f"{marker} was cancelled, not by its client"
        if self.seen["done"][marker] != 1:
            yield f"{marker} was done {self.seen['done'][marker]} times"
        answers = self.seen["answered"][marker] + (marker in self.refused)
        if answers != outcome.plan.questions:
            yield f"{marker}: {answers} answers to {outcome.plan.questions} questions"
