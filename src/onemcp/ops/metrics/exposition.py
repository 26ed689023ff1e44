"""Readings as the text that Prometheus reads, written by its client library. Imported by the first scrape."""

from collections.abc import Iterable, Iterator, Sequence
from math import inf
from typing import TYPE_CHECKING, Final

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.exposition import generate_latest
from prometheus_client.metrics_core import Metric as Family
from prometheus_client.openmetrics import exposition as openmetrics_exposition
from prometheus_client.process_collector import ProcessCollector
from prometheus_client.registry import Collector

from onemcp.core.histogram import Histogram
from onemcp.ops.metrics.metric import METRICS, Kind, Metric

if TYPE_CHECKING:
    from onemcp.ops.metrics.metrics import Reading

_process: Final = ProcessCollector(registry=None)


class _Readings(Collector):
    """Hands the readings of one moment to the library."""

    def __init__(self, readings: "Sequence[Reading]") -> None:
        self._readings = readings

    def collect(self) -> Iterator[Family]:
        """One family for each metric, in the order of the table, those without a value included."""
        grouped: dict[Metric, list[Reading]] = {metric: [] for metric in METRICS}
        for reading in self._readings:
            grouped[reading.metric].append(reading)
        for metric, readings in grouped.items():
            yield _family(metric, readings)
        yield from _process.collect()


def _family(metric: Metric, readings: "Iterable[Reading]") -> Family:
    if metric.kind is Kind.HISTOGRAM:
        histogram = HistogramMetricFamily(metric.name, metric.help, labels=metric.labels)
        for reading in readings:
            assert isinstance(reading.value, Histogram)  # what the table says
            histogram.add_metric(reading.labels, _buckets(reading.value), reading.value.total)
        return histogram
    simple = CounterMetricFamily if metric.kind is Kind.COUNTER else GaugeMetricFamily
    family = simple(metric.name, metric.help, labels=metric.labels)
    for reading in readings:
        assert isinstance(reading.value, int | float)
        family.add_metric(reading.labels, reading.value)
    return family


def _buckets(histogram: Histogram) -> list[tuple[str, float]]:
    return [("+Inf" if bound == inf else repr(bound), count) for bound, count in histogram.cumulative()]


def write(readings: "Sequence[Reading]", *, openmetrics: bool) -> bytes:
    """The text: OpenMetrics 1.0, or Prometheus's own format 0.0.4."""
    if openmetrics:
        text: bytes = openmetrics_exposition.generate_latest(_Readings(readings))  # type: ignore[no-untyped-call] # the library says no types here
        return text
    return generate_latest(_Readings(readings))
