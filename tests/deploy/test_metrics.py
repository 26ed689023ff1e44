"""The dashboard and the alert rules ask for metrics that there are, by labels that they have."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest
import yaml

from onemcp.core.health import Status
from onemcp.core.lifecycle import State
from onemcp.core.offering import Listing
from onemcp.gateway.meter import METHODS, OTHER, OUTCOMES
from onemcp.ops.metrics.metric import METRICS, PROCESS, Kind

ROOT: Final = Path(__file__).parents[2]
RULES: Final = ROOT / "deploy" / "prometheus" / "onemcp.rules.yml"
DASHBOARD: Final = ROOT / "deploy" / "grafana" / "onemcp.json"
PAGE: Final = ROOT / "docs" / "monitor.md"

OF_THE_SCRAPE: Final = frozenset({"job", "instance"})
FUNCTIONS: Final = frozenset(
    {"sum", "max", "count", "rate", "increase", "histogram_quantile", "label_values"}
)
WORDS: Final = frozenset({"by", "on", "or", "unless", "group_left", "vector"})
VALUES: Final = {
    "state": {state.value for state in State},
    "status": {status.value for status in Status},
    "outcome": {*OUTCOMES, "ok", "failed"},
    "error_type": {"", *OUTCOMES},
    "method": METHODS | {OTHER},
    "mcp_method_name": METHODS | {OTHER},
    "kind": {listing.value for listing in Listing},
}
"""The values that a label takes where they are fixed."""


def labels_by_name() -> dict[str, frozenset[str]]:
    """The names that samples have, each with its labels."""
    names: dict[str, frozenset[str]] = {"up": frozenset()}
    for metric in (*METRICS, *PROCESS):
        labels = frozenset(metric.labels)
        if metric.kind is Kind.HISTOGRAM:
            names |= {
                f"{metric.name}_bucket": labels | {"le"},
                f"{metric.name}_sum": labels,
                f"{metric.name}_count": labels,
            }
        else:
            names[metric.name] = labels
    return names


NAMES: Final = labels_by_name()


def rules() -> list[dict[str, Any]]:
    (group,) = yaml.safe_load(RULES.read_text(encoding="utf-8"))["groups"]
    found: list[dict[str, Any]] = group["rules"]
    return found


def panels() -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(DASHBOARD.read_text(encoding="utf-8"))["panels"]
    return found


def questions() -> Iterator[tuple[str, str]]:
    """Every expression there is, with where it stands."""
    for rule in rules():
        yield rule["alert"], rule["expr"]
    for panel in panels():
        for target in panel.get("targets", ()):
            yield f"{panel['title']} {target['refId']}", target["expr"]


QUESTIONS: Final = dict(questions())


def without_strings(expression: str) -> str:
    """The expression with empty strings in it, so that what stands in them is no name."""
    return re.sub(r'"[^"]*"', '""', expression)


@pytest.mark.parametrize("expression", QUESTIONS.values(), ids=QUESTIONS.keys())
def test_brackets_close_and_every_word_is_known(expression: str) -> None:
    bare = without_strings(expression)
    closing = {")": "(", "]": "[", "}": "{"}
    opened: list[str] = []
    for char in bare:
        if char in closing.values():
            opened.append(char)
        elif char in closing:
            assert opened.pop() == closing[char]
    assert not opened
    outside = re.sub(r"\{[^}]*\}|\[[^\]]*\]|\b(?:by|on|group_left) \([^)]*\)", " ", bare)
    assert set(re.findall(r"[a-z_]\w*", outside)) <= NAMES.keys() | FUNCTIONS | WORDS


@pytest.mark.parametrize("expression", QUESTIONS.values(), ids=QUESTIONS.keys())
def test_labels_that_are_asked_for_are_there_and_so_are_their_values(expression: str) -> None:
    selected = re.findall(r"\b([a-z]\w*)\{([^}]*)\}", expression)
    for name, matchers in selected:
        for label, operator, value in re.findall(r'(\w+)(=~|!~|!=|=)"([^"]*)"', matchers):
            assert label in NAMES[name] | OF_THE_SCRAPE, (name, label)
            values = value.split("|") if operator in ("=~", "!~") else [value]
            if label in VALUES and "$" not in value and value:
                assert set(values) <= VALUES[label], (name, label, value)
    asked = {name for name in re.findall(r"[a-z]\w*", without_strings(expression)) if name in NAMES}
    have = frozenset[str]().union(*(NAMES[name] for name in asked)) | OF_THE_SCRAPE
    for group in re.findall(r"\b(?:by|on|group_left) \(([^)]*)\)", expression):
        assert set(group.replace(" ", "").split(",")) <= have


def test_counters_are_asked_for_their_rate() -> None:
    counters = {metric.name for metric in (*METRICS, *PROCESS) if metric.kind is Kind.COUNTER}
    for where, expression in QUESTIONS.items():
        for name in counters & set(re.findall(r"[a-z]\w*", expression)):
            assert re.search(rf"(?:rate|increase)\({name}[{{\[]", expression), where


def test_every_alert_says_how_bad_it_is_and_what_to_do_and_the_page_knows_it() -> None:
    page = PAGE.read_text(encoding="utf-8")
    for rule in rules():
        assert rule["labels"]["severity"] in ("critical", "warning")
        assert set(rule["annotations"]) == {"summary", "description"}
        assert f"`{rule['alert']}`" in page
    names = [rule["alert"] for rule in rules()]
    assert len(set(names)) == len(names)
    assert set(re.findall(r"`(Onemcp\w+)`", page)) == set(names)


def test_a_label_in_a_text_is_one_that_the_alert_has() -> None:
    for rule in rules():
        grouped = re.match(r"(?:histogram_quantile\([\d.]+, )?sum by \(([^)]*)\)", rule["expr"])
        name = next(word for word in re.findall(r"[a-z]\w*", rule["expr"]) if word in NAMES)
        has = set(re.split(r", ?", grouped[1])) if grouped else NAMES[name] | OF_THE_SCRAPE
        said = re.findall(r"\$labels\.(\w+)", " ".join(rule["annotations"].values()))
        assert set(said) <= has, rule["alert"]


def test_panels_have_places_and_numbers_of_their_own() -> None:
    cells: set[tuple[int, int]] = set()
    for panel in panels():
        place = panel["gridPos"]
        mine = {(place["x"] + x, place["y"] + y) for x in range(place["w"]) for y in range(place["h"])}
        assert not mine & cells, panel["title"]
        assert place["x"] + place["w"] <= 24
        cells |= mine
        assert panel["type"] == "row" or panel["description"]
    numbers = [panel["id"] for panel in panels()]
    assert len(set(numbers)) == len(numbers)


def test_every_metric_of_the_gateway_is_on_the_dashboard() -> None:
    expressions = " ".join(target["expr"] for panel in panels() for target in panel.get("targets", ()))
    assert [metric.name for metric in METRICS if metric.name not in expressions] == []
