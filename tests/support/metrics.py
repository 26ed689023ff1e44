"""Scrapes, read by the parser of Prometheus's own client library."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final
from urllib.request import Request, urlopen

from prometheus_client.openmetrics.parser import text_string_to_metric_families as open_families
from prometheus_client.parser import text_string_to_metric_families

LIMIT: Final = 10.0
_HISTOGRAM: Final = ("_bucket", "_sum", "_count")


@dataclass(frozen=True, slots=True)
class Sample:
    """One line of a scrape."""

    name: str
    labels: Mapping[str, str]
    value: float


class Scrape:
    """What a gateway said of itself at one moment."""

    def __init__(self, text: str, *, openmetrics: bool = False) -> None:
        parse = open_families if openmetrics else text_string_to_metric_families
        families = list(parse(text))
        self.types = {family.name: family.type for family in families}
        self.samples = [Sample(s.name, s.labels, s.value) for family in families for s in family.samples]

    def value(self, name: str, **labels: str) -> float:
        """The sum of the samples of this name that have these labels; 0 for none."""
        return sum(each.value for each in self.of(name) if labels.items() <= each.labels.items())

    def of(self, name: str) -> list[Sample]:
        """The samples of a name."""
        return [each for each in self.samples if each.name == name]

    def labels_of(self, metric: str) -> set[frozenset[str]]:
        """The sets of labels that samples of a metric have, the bounds of buckets aside."""
        names = {metric, *(metric + ending for ending in _HISTOGRAM)}
        return {frozenset(each.labels) - {"le"} for each in self.samples if each.name in names}

    @property
    def series(self) -> int:
        """How many lines there are."""
        return len(self.samples)


def scrape(base: str, *, openmetrics: bool = False) -> Scrape:
    """`/metrics` of a gateway at an address, as `http://127.0.0.1:41233`."""
    accept = "application/openmetrics-text; version=1.0.0" if openmetrics else "*/*"
    with urlopen(Request(f"{base}/metrics", headers={"accept": accept}), timeout=LIMIT) as response:
        return Scrape(response.read().decode(), openmetrics=openmetrics)
