"""The section `alerts` of the configuration file: who is told of what, and by which rules."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from onemcp.config.interpolate import NO_SECRETS, secrets_in
from onemcp.config.section import Item, Report, Section
from onemcp.config.webhooks import Webhook, read_webhooks, resolved
from onemcp.core.alerts import FOLLOWS, USUAL, Rule
from onemcp.core.events import ALERT_KINDS, Nature, Severity

RUNBOOKS: Final = "docs/runbook"
"""Where the pages are if the section does not say: in the source of the gateway."""
_RULE: Final = ("cooldown", "enabled", "for", "severity", "threshold")


@dataclass(frozen=True, slots=True)
class AlertsConfig:
    """What the section says."""

    webhooks: tuple[Webhook, ...] = ()
    rules: Mapping[str, Rule] = field(default_factory=lambda: USUAL)
    """One for every kind."""
    runbooks: str = RUNBOOKS
    """The folder or URL with a page for every kind, without a slash at the end."""


def read_alerts(section: Section | None, environ: Mapping[str, str], report: Report) -> AlertsConfig:
    """The section, or what holds without one; mistakes go to the report."""
    if section is None:
        return AlertsConfig()
    section.only({"rules", "runbooks", "webhooks"})
    return AlertsConfig(
        read_webhooks(section, environ, report),
        _rules(section.section("rules"), report),
        _runbooks(section.text("runbooks"), environ, report),
    )


def _rules(section: Section | None, report: Report) -> Mapping[str, Rule]:
    if section is None:
        return USUAL
    section.only(ALERT_KINDS)
    rules = dict(USUAL)
    for name, inner in section.sections().items():
        if name in FOLLOWS:
            report.problems.append(
                inner.item.problem(f"{name} has no rule of its own", f"write one for {FOLLOWS[name]}")
            )
        elif name in rules:
            rules[name] = _rule(name, inner, report)
    return rules


def _rule(name: str, section: Section, report: Report) -> Rule:
    section.only(_RULE)
    kind, rule = ALERT_KINDS[name], USUAL[name]
    for key, natures in (("threshold", (Nature.BURST,)), ("for", (Nature.BURST, Nature.STATE))):
        item = section.get(key)
        if item is not None and kind.nature not in natures:
            report.problems.append(item.problem(f"{name} has no such thing: it is a {kind.nature}"))
    threshold = section.number("threshold", 1, "a whole number from 1", whole=True)
    least = 1 if kind.nature is Nature.BURST else 0
    seconds = section.number("for", least, f"a number of milliseconds from {least}")
    cooldown = section.number("cooldown", 0, "a number of milliseconds from 0")
    enabled = section.boolean("enabled")
    return Rule(
        _severity(section, rule.severity),
        rule.seconds if seconds is None else seconds / 1000,
        rule.cooldown if cooldown is None else cooldown / 1000,
        rule.threshold if threshold is None else min(int(threshold), 10_000),
        enabled=enabled is not False,
    )


def _severity(section: Section, usual: Severity) -> Severity:
    item = section.text("severity")
    if item is None:
        return usual
    if item.raw not in set(Severity):
        section.refuse(item, " or ".join(f'"{word}"' for word in Severity))
        return usual
    return Severity(item.raw)


def _runbooks(item: Item | None, environ: Mapping[str, str], report: Report) -> str:
    if item is None:
        return RUNBOOKS
    if any(secrets_in(item.raw)):
        report.problems.append(item.problem(f"{NO_SECRETS}: every alert shows it", "write it out"))
        return RUNBOOKS
    return resolved(item, environ, report).rstrip("/")
