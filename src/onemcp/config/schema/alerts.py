"""The section `alerts` in the schema."""

from typing import Final

from onemcp.config.alerts import RUNBOOKS
from onemcp.config.schema.parts import REFERENCE, Schema, boolean, closed, number, text, words
from onemcp.config.webhooks import MAX_WEBHOOKS, MIN_SECRET, Format
from onemcp.core.alerts import FOLLOWS, USUAL
from onemcp.core.events import ALERT_KINDS, Nature, Severity

_NULL: Final[Schema] = {"type": "null"}


def alerts_schema() -> Schema:
    """The section as a whole."""
    rules = {name: _rule(name) for name in ALERT_KINDS if name not in FOLLOWS}
    webhooks = {
        "description": "Where alerts are sent.",
        "type": ["array", "null"],
        "maxItems": MAX_WEBHOOKS,
        "items": {"$ref": "#/$defs/webhook"},
    }
    members = {
        "webhooks": webhooks,
        "rules": closed("When, by kind of alert.", rules),
        "runbooks": text("The folder or URL with a page for every kind.", RUNBOOKS, pattern=r"\S"),
    }
    return closed("Who is told of what.", members)


def webhook_schema() -> Schema:
    """One place that alerts are sent to."""
    severities = {"enum": list(Severity)}
    members = {
        "url": text("Where to send them.", pattern="://"),
        "secret": {
            "description": "Signs what is sent.",
            "type": ["string", "null"],
            "anyOf": [{"minLength": MIN_SECRET}, {"pattern": REFERENCE}],
        },
        "format": words("What is sent.", Format, Format.JSON),
        "template": {
            "description": "What is sent with the format template, with ${field} in its texts.",
            "type": ["object", "array", "null"],
        },
        "severities": _array("Only these.", severities),
        "kinds": _array("Only these.", {"enum": list(ALERT_KINDS)}),
        "allowPrivate": boolean("Connect to addresses that are not public too.", default=False),
        "timeout": number("For one attempt (ms).", 1, 10_000),
    }
    return {**closed("", members), "type": "object", "required": ["url"]}


def _array(what: str, item: Schema) -> Schema:
    return {"description": what, "type": ["array", "null"], "items": item}


def _rule(name: str) -> Schema:
    nature, rule = ALERT_KINDS[name].nature, USUAL[name]
    least = 1 if nature is Nature.BURST else 0
    members = {
        "enabled": boolean("Whether it is told at all.", default=True),
        "severity": words("How much it matters.", Severity, rule.severity),
        "cooldown": number("How long it is not told again (ms).", 0, int(rule.cooldown * 1000)),
        "for": number("How long it must last (ms).", least, int(rule.seconds * 1000))
        if nature is not Nature.MOMENT
        else _NULL,
        "threshold": number("How many times within that.", 1, rule.threshold, whole=True)
        if nature is Nature.BURST
        else _NULL,
    }
    meaning = ALERT_KINDS[name].meaning
    return closed(f"{meaning[:1].upper()}{meaning[1:]}.", members)
