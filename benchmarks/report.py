"""The results as a table for people and as a value for JSON."""

from collections.abc import Sequence

from benchmarks.figures import GROUPS, Figure, figure
from benchmarks.samples import Summary

HEAD = f"{'':<38}{'unit':>5}{'onemcp':>11}{'target':>11}{'':>8}{'direct':>11}{'onemcp/direct':>15}"


def table(summaries: Sequence[Summary]) -> str:
    """One line a figure, a heading a group, warnings below the figure that they are about."""
    lines = [HEAD, "-" * len(HEAD)]
    group = ""
    for summary in summaries:
        if summary.key.partition(".")[0] != group:
            group = summary.key.partition(".")[0]
            lines.append(GROUPS[group])
        lines.append(_line(summary, figure(summary.key)))
        lines += [f"    warning: {warning}" for warning in summary.warnings]
        if summary.errors:
            lines.append(f"    ERROR: {summary.errors} answers were missing or wrong")
    if any(summary.at_least for summary in summaries):
        lines.append("\n≥: the load generator, and not the upstream, is what limited the direct calls")
    return "\n".join(lines)


def _line(summary: Summary, line: Figure) -> str:
    target = "" if line.target is None else number(line.target)
    verdict = {None: "", True: "reached", False: "MISSED"}[line.reached(summary.value)]
    direct = "" if summary.direct is None else ("≥ " if summary.at_least else "") + number(summary.direct)
    ratio = "" if summary.ratio is None else f"{number(summary.ratio)}x"
    return f"  {line.label:<36}{line.unit:>5}{number(summary.value):>11}{target:>11}{verdict:>8}{direct:>11}{ratio:>15}"


def number(value: float) -> str:
    """A number with three digits that mean something, or all digits before the point."""
    if abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.3g}"


def as_json(summaries: Sequence[Summary], machine: dict[str, object]) -> dict[str, object]:
    """Everything that the table says, with the extremes of the rounds."""
    return {"machine": machine, "figures": {summary.key: _entry(summary) for summary in summaries}}


def _entry(summary: Summary) -> dict[str, object]:
    line = figure(summary.key)
    return {
        "group": GROUPS[summary.key.partition(".")[0]],
        "label": line.label,
        "unit": line.unit,
        "value": summary.value,
        "low": summary.low,
        "high": summary.high,
        "target": line.target,
        "reached": line.reached(summary.value),
        "direct": summary.direct,
        "ratio": summary.ratio,
        "direct_is_at_least": summary.at_least,
        "errors": summary.errors,
        "warnings": summary.warnings,
    }
