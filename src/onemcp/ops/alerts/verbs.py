"""What operators ask of alerts, and the answers."""

import asyncio
from collections.abc import Mapping
from typing import Any, Final

from onemcp.core.redact import sanitised
from onemcp.core.timestamps import utc
from onemcp.ops.alerts.alert import make_test
from onemcp.ops.alerts.alerting import Alerting
from onemcp.ops.alerts.delivery import Delivery
from onemcp.ops.alerts.outbox import MAX_HISTORY, USUAL_LIMIT
from onemcp.ops.alerts.webhook import post
from onemcp.ops.control import Verb
from onemcp.ops.logs.verbs import RefusedError

_DIGITS: Final = 10


class AlertVerbs:
    """The verbs about alerts. No URL and no secret of a webhook is in any answer."""

    def __init__(self, alerting: Alerting) -> None:
        self._alerting = alerting

    def table(self) -> dict[tuple[str, str], Verb]:
        """The verbs for the control API."""
        return {
            ("GET", "/alerts"): self._active,
            ("GET", "/alerts/history"): self._history,
            ("POST", "/alerts/test"): self._test,
        }

    async def _active(self, _asked: Mapping[str, str]) -> object:
        return self.active()

    async def _history(self, asked: Mapping[str, str]) -> object:
        return self.history(_limit(asked.get("limit", "")))

    async def _test(self, _asked: Mapping[str, str]) -> object:
        return await self.test()

    def active(self) -> dict[str, Any]:
        """What is raised now, and how every webhook is."""
        alerting = self._alerting
        return {
            "raised": [
                {
                    "kind": kind,
                    "subject": subject,
                    "severity": alerting.config.rules[kind].severity.value,
                    "since": utc(track.raised_at),
                    "summary": sanitised(track.summary),
                }
                for kind, subject, track in alerting.conditions
                if track.is_raised
            ],
            "silent": alerting.is_silent,
            "webhooks": [self._about(delivery) for delivery in alerting.deliveries],
            "dead": alerting.outbox.dead,
        }

    def _about(self, delivery: Delivery) -> dict[str, Any]:
        return {
            "webhook": delivery.webhook.label,
            "format": delivery.webhook.format.value,
            "delivered": delivery.delivered,
            "attempts": delivery.attempts,
            "timeout": delivery.webhook.timeout,
            "waiting": len(self._alerting.outbox.waiting(delivery.webhook.id)),
            "error": delivery.error,
        }

    def history(self, limit: int) -> dict[str, Any]:
        """What was told, and what could not be, the newest first."""
        alerting = self._alerting
        labels = {webhook.id: webhook.label for webhook in alerting.config.webhooks}
        dead = [
            {**letter, "webhook": labels.get(letter["webhook"], "a former webhook")}
            for letter in alerting.outbox.dead_letters()
        ]
        return {"alerts": alerting.outbox.history(limit), "dead": dead[:limit]}

    async def test(self) -> dict[str, Any]:
        """Try every webhook now, once, past the queues: what became of it."""
        alert = make_test(self._alerting.now(), self._alerting.gateway)
        webhooks = self._alerting.config.webhooks
        outcomes = await asyncio.gather(*(post(webhook, alert) for webhook in webhooks))
        results = [
            {"webhook": webhook.label, "error": outcome.error}
            for webhook, outcome in zip(webhooks, outcomes, strict=True)
        ]
        return {"id": alert.id, "results": results}


def _limit(text: str) -> int:
    if not text:
        return USUAL_LIMIT
    if not (text.isascii() and text.isdecimal() and len(text) < _DIGITS and 1 <= int(text) <= MAX_HISTORY):
        raise RefusedError(f"limit={text[:20]} is no number from 1 to {MAX_HISTORY}")
    return int(text)
