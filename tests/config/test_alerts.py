"""The section `alerts`: webhooks and rules, and every mistake with its place."""

import json
from pathlib import Path
from typing import Any

import pytest
from tests.support.golden import compare

from onemcp.config.alerts import AlertsConfig
from onemcp.config.document import read
from onemcp.config.webhooks import Format, Webhook
from onemcp.core.alerts import USUAL
from onemcp.core.events import ALERT_KINDS, Severity
from onemcp.errors import ConfigError

GOLDEN = Path(__file__).parent / "golden"
ENVIRON = {"HOOK": "https://hooks.example.com/T1/secret-path", "KEY": "0123456789abcdef"}
URL = "https://ops.example.com/hook"


def section(members: dict[str, Any]) -> AlertsConfig:
    return read(json.dumps({"mcpServers": {}, "alerts": members}), "mcp.json", ENVIRON).alerts


def webhook(**members: Any) -> Webhook:
    (found,) = section({"webhooks": [{"url": URL, **members}]}).webhooks
    return found


def test_without_the_section_nobody_is_told_and_the_usual_rules_hold() -> None:
    config = read('{"mcpServers": {}}', "mcp.json", {}).alerts
    assert (config.webhooks, config.rules, config.runbooks) == ((), USUAL, "docs/runbook")


def test_a_webhook_needs_a_url_and_nothing_else() -> None:
    found = webhook()
    assert (found.url, found.label, found.secret, found.format) == (
        URL,
        "https://ops.example.com",
        "",
        Format.JSON,
    )
    assert (found.timeout, found.allow_private) == (10.0, False)
    assert all(found.wants(kind, severity) for kind in ALERT_KINDS for severity in Severity)


def test_variables_hold_the_secrets_and_nothing_shows_them() -> None:
    found = webhook(url="${HOOK}", secret="${KEY}")
    assert (found.url, found.secret) == (ENVIRON["HOOK"], ENVIRON["KEY"])
    assert "secret-path" not in repr(found)
    assert ENVIRON["KEY"] not in repr(found)


def test_a_webhook_keeps_its_id_when_its_variable_changes_and_twins_have_two() -> None:
    text = json.dumps({"mcpServers": {}, "alerts": {"webhooks": [{"url": "${HOOK}"}, {"url": "${HOOK}"}]}})
    before = read(text, "mcp.json", ENVIRON).alerts.webhooks
    after = read(text, "mcp.json", {"HOOK": "https://other.example.com/"}).alerts.webhooks
    assert [one.id for one in before] == [one.id for one in after]
    assert len({one.id for one in before}) == 2


def test_who_gets_a_raise_gets_its_clear() -> None:
    found = webhook(kinds=["server_down"], severities=["critical"])
    assert found.wants("server_down", Severity.CRITICAL)
    assert found.wants("server_recovered", Severity.CRITICAL)
    assert not found.wants("server_down", Severity.WARNING)
    assert not found.wants("store_unreachable", Severity.CRITICAL)
    assert webhook(kinds=["server_recovered"]).wants("server_recovered", Severity.CRITICAL)
    assert not webhook(kinds=["server_recovered"]).wants("server_down", Severity.CRITICAL)


def test_a_template_is_a_format_by_itself() -> None:
    found = webhook(template={"text": "${title}", "n": 1})
    assert (found.format, json.loads(found.template)) == (Format.TEMPLATE, {"text": "${title}", "n": 1})


def test_a_rule_changes_what_it_names_and_no_more() -> None:
    rule = section({"rules": {"server_flapping": {"threshold": 9, "for": 1500, "severity": "info"}}}).rules
    usual = USUAL["server_flapping"]
    found = rule["server_flapping"]
    assert (found.threshold, found.seconds, found.severity) == (9, 1.5, Severity.INFO)
    assert (found.cooldown, found.enabled) == (usual.cooldown, True)
    assert rule["server_down"] == USUAL["server_down"]
    assert not section({"rules": {"server_down": {"enabled": False}}}).rules["server_down"].enabled


def test_the_pages_may_be_elsewhere() -> None:
    assert section({"runbooks": "https://wiki/${KEY}/"}).runbooks == "https://wiki/0123456789abcdef"


def test_a_secret_among_them_would_be_in_every_alert() -> None:
    with pytest.raises(ConfigError, match="a secret cannot stand here: every alert shows it"):
        section({"runbooks": "https://wiki/${SECRET:key}"})


def test_every_mistake_is_told_with_its_place_and_no_secret() -> None:
    with pytest.raises(ConfigError) as caught:
        read((GOLDEN / "faulty_alerts.json").read_text(), "mcp.json", {"SHORT": "tiny-secret", "EMPTY": " "})
    assert "tiny-secret" not in str(caught.value)
    compare(GOLDEN / "faulty_alerts.txt", f"{caught.value}\n")
