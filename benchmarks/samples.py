"""Samples of figures, and what repeated ones come to."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Final

WORTH_TRUSTING: Final = 2.0
"""How many times faster the direct calls must be, so that the figure is the gateway's and not the generator's."""
BUSY: Final = 0.8
"""The share of a core from which on the generator may be what limits the gateway."""
STARVED: Final = 0.7
"""The share of a core below which a gateway with a full queue must have been waiting for a core."""


@dataclass(frozen=True, slots=True)
class Setting:
    """How to measure: the gateway's executable, a folder for logs, and seconds of window and of warm-up."""

    executable: Path
    folder: Path
    seconds: float
    warmup: float
    sessions: int


@dataclass(frozen=True, slots=True)
class Sample:
    """One measurement of the figure `key`; `direct` is the same without a gateway, where that means anything.

    `at_least` says that the direct one is the load generator's limit and not the upstream's.
    """

    key: str
    value: float
    direct: float | None = None
    errors: int = 0
    at_least: bool = False
    warning: str = ""


@dataclass(slots=True)
class Summary:
    """The medians of a figure's samples, their extremes, and what went wrong."""

    key: str
    value: float
    low: float
    high: float
    direct: float | None
    errors: int
    at_least: bool
    warnings: list[str] = field(default_factory=list)

    @property
    def ratio(self) -> float | None:
        """The gateway's figure as a multiple of the direct one."""
        return self.value / self.direct if self.direct else None


def summarise(samples: Iterable[Sample]) -> list[Summary]:
    """One summary a key, in the order in which the keys first came."""
    grouped: dict[str, list[Sample]] = {}
    for sample in samples:
        grouped.setdefault(sample.key, []).append(sample)
    return [_summary(key, group) for key, group in grouped.items()]


def _summary(key: str, group: list[Sample]) -> Summary:
    values = [sample.value for sample in group]
    direct = [sample.direct for sample in group if sample.direct is not None]
    return Summary(
        key=key,
        value=median(values),
        low=min(values),
        high=max(values),
        direct=median(direct) if direct else None,
        errors=sum(sample.errors for sample in group),
        at_least=any(sample.at_least for sample in group),
        warnings=sorted({sample.warning for sample in group if sample.warning}),
    )
