import re
from typing import Final

import pytest
from tests.support.guide import DOCS

from onemcp.gateway.meter import OUTCOMES
from onemcp.ops.metrics import metric
from onemcp.ops.metrics.metric import METRICS, PROCESS, Kind, Metric

ALL: Final = (*METRICS, *PROCESS)
PAGE: Final = (DOCS / "monitor.md").read_text(encoding="utf-8")


def row(each: Metric) -> str:
    labels = ", ".join(f"`{label}`" for label in each.labels)
    return f"| `{each.name}` | {each.kind.value} | {labels} | {each.help} |"


def test_the_page_has_exactly_the_metrics_that_there_are() -> None:
    assert [line for line in PAGE.splitlines() if re.match(r"\| `(onemcp|mcp|process)_", line)] == [
        row(each) for each in ALL
    ]


def test_the_page_has_exactly_the_outcomes_that_there_are() -> None:
    described = re.findall(r"^\| `(\w+)` \| [^|]*\|$", PAGE, re.MULTILINE)
    assert [word for word in described if word in OUTCOMES] == list(OUTCOMES)


def test_every_metric_that_is_declared_is_in_the_list() -> None:
    declared = [value for value in vars(metric).values() if isinstance(value, Metric)]
    assert set(declared) == set(METRICS)
    assert len({each.name for each in ALL}) == len(ALL)


@pytest.mark.parametrize("each", ALL, ids=lambda each: each.name)
def test_a_name_follows_the_rules_of_prometheus(each: Metric) -> None:
    assert re.fullmatch(r"[a-z][a-z0-9_]*", each.name)
    assert each.name.endswith("_total") == (each.kind is Kind.COUNTER)
    assert not each.help.endswith(".")
    assert all(re.fullmatch(r"[a-z][a-z0-9_]*", label) and label != "le" for label in each.labels)
