"""What one call of the crossing test is to do, and what its client must hear of it."""

from collections.abc import Sequence
from dataclasses import dataclass
from random import Random
from typing import Any, Final

SEVERITIES: Final = ("debug", "info", "notice", "warning", "error", "critical", "alert", "emergency")
LEVELS: Final = ("debug", "", "warning", "info", "emergency")
"""What the sessions ask for, one after the other; the empty one asks for nothing."""
LONGEST_WAIT: Final = 20.0
"""Milliseconds."""
ASKING: Final = 0.6
CANCELLED: Final = 0.2
"""How many of the calls."""

Step = tuple[str, Any]


@dataclass(frozen=True, slots=True)
class Plan:
    """One call; the number is its JSON-RPC id and its progress token, in every session the same ones."""

    number: int
    marker: str
    steps: Sequence[Step]
    cancel_after: float | None = None
    """Seconds until its client gives it up; None if it does not."""

    @property
    def progress(self) -> list[int]:
        """All progress, in order."""
        return [value for word, value in self.steps if word == "progress"]

    @property
    def questions(self) -> int:
        """How often the client is asked."""
        return sum(word == "ask" for word, _ in self.steps)

    def logs(self, level: str) -> list[str]:
        """The severities of the log messages that a client hears which asked for this level, in order."""
        return [value for word, value in self.steps if word == "log" and is_asked_for(value, level)]


def is_asked_for(severity: str, level: str) -> bool:
    """Whether a message is for a client that asked for this level (empty: for none)."""
    return bool(level) and SEVERITIES.index(severity) >= SEVERITIES.index(level)


def plans(session: int, calls: int, seed: int) -> list[Plan]:
    """The calls of one session."""
    random = Random(f"{seed}/{session}")
    return [_plan(session, number, random) for number in range(1, calls + 1)]


def _plan(session: int, number: int, random: Random) -> Plan:
    marker = f"session-{session}-call-{number}-{random.getrandbits(32):08x}"
    spoken: list[str] = ["progress"] * 3 + ["log"] * 3 + ["ask"] * (random.random() < ASKING)
    random.shuffle(spoken)
    steps: list[Step] = []
    for position, word in enumerate(spoken):
        steps.append(("wait", random.uniform(0, LONGEST_WAIT)))
        value = {"progress": position + 1, "log": random.choice(SEVERITIES), "ask": None}[word]
        steps.append((word, value))
    longest = sum(value for word, value in steps if word == "wait") / 1000
    is_cancelled = random.random() < CANCELLED
    return Plan(number, marker, steps, random.uniform(0, longest) if is_cancelled else None)
