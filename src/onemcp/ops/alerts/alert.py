"""One alert: what is told, the same at every attempt, and the forms in which it is sent."""

import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, Final

from onemcp.config.webhooks import FIELDS, Format, Webhook
from onemcp.core.alerts import Notice, Told, Turn
from onemcp.core.events import Severity
from onemcp.core.redact import sanitised
from onemcp.core.template import filled
from onemcp.core.timestamps import utc

VERSION: Final = 1
"""Of our own document; it changes when a member changes its meaning or goes, not when one is added."""
TEST: Final = "test"
"""The kind of what `1mcp alerts test` sends; no rule makes one."""
_MARKS: Final = {
    Severity.CRITICAL: ":red_circle:",
    Severity.WARNING: ":large_orange_circle:",
    Severity.INFO: ":information_source:",
}


@dataclass(frozen=True, slots=True)
class Alert:
    """What is told of one condition. Fit for strangers: no credentials, paths and addresses in its texts."""

    id: str
    """Unique, and in the order of time; the same whenever it is sent again."""
    kind: str
    status: str
    """`raised` or `cleared`."""
    severity: str
    subject: str
    """What it is about, as the name of a server; empty for the gateway itself."""
    key: str
    """The condition: a clear has that of its raise."""
    summary: str
    at: float
    """Seconds since the epoch, as is `since`."""
    since: float
    missed: int
    runbook: str
    gateway: str
    """Which gateway says so, as `host:port`."""

    @property
    def title(self) -> str:
        """A few words for a person, as `server down: git`."""
        words = self.kind.replace("_", " ")
        over = " (over)" if self.status == Turn.CLEARED and self.key.startswith(f"{self.kind}/") else ""
        return f"{words}{over}: {self.subject}" if self.subject else f"{words}{over}"

    def document(self) -> dict[str, Any]:
        """Our own document."""
        return {"version": VERSION, **asdict(self), "at": utc(self.at), "since": utc(self.since)}

    def fields(self) -> dict[str, str]:
        """What a template may name, all as texts."""
        values = {**self.document(), "title": self.title}
        return {name: str(values[name]) for name in FIELDS}


def new_id(now: float) -> str:
    """An identifier that sorts by time and that nobody else makes."""
    return f"{int(now * 1000):013d}-{os.urandom(6).hex()}"


def make(notice: Notice, condition: str, runbooks: str, gateway: str) -> Alert:
    """The alert that a notice becomes; `condition` is the kind that has the rule."""
    return Alert(
        id=new_id(notice.at),
        kind=notice.kind,
        status=notice.turn.value,
        severity=notice.severity.value,
        subject=notice.subject,
        key=f"{condition}/{notice.subject}",
        summary=sanitised(notice.summary),
        at=notice.at,
        since=notice.since,
        missed=notice.missed,
        runbook=f"{runbooks}/{notice.kind}.md",
        gateway=gateway,
    )


def told(document: Mapping[str, Any]) -> Told:
    """What a document of the history says of its condition.

    Raises:
        KeyError, ValueError: it is none of ours.
    """
    at, since = (datetime.fromisoformat(document[name]).timestamp() for name in ("at", "since"))
    return Told(Turn(document["status"]), at, since, str(document["summary"]))


def make_test(now: float, gateway: str) -> Alert:
    """An alert that says nothing but that alerts arrive."""
    summary = "nothing has happened: an operator tries whether alerts arrive"
    runbook = "docs/alerts.md"
    return Alert(new_id(now), TEST, "raised", "info", "", f"{TEST}/", summary, now, now, 0, runbook, gateway)


def body(alert: Alert, webhook: Webhook) -> bytes:
    """The alert in the form that a webhook takes."""
    document: Any = alert.document()
    if webhook.format is Format.SLACK:
        document = {"text": _slack(alert)}
    elif webhook.format is Format.TEMPLATE:
        document = filled(json.loads(webhook.template), alert.fields())
    return json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode()


def _slack(alert: Alert) -> str:
    """Slack's markup: `&`, `<` and `>` are escaped, and nothing else is needed (its reference, "escaping text")."""
    mark = ":white_check_mark:" if alert.status == Turn.CLEARED else _MARKS[Severity(alert.severity)]
    page = f"<{alert.runbook}|runbook>" if "://" in alert.runbook else f"see {alert.runbook}"
    lines = [f"{mark} *{_escaped(alert.title)}*"]
    if alert.summary:
        lines.append(_escaped(alert.summary))
    missed = f", {alert.missed} times more since the last alert" if alert.missed else ""
    lines.append(f"_{_escaped(alert.gateway)}, since {utc(alert.since)}{missed}_ {page}")
    return "\n".join(lines)


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
