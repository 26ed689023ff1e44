"""One alert in the forms in which it is sent."""

import json
from typing import Any

import pytest

from onemcp.config.webhooks import FIELDS, Format, Webhook
from onemcp.core.alerts import Notice, Turn
from onemcp.core.events import Severity
from onemcp.ops.alerts.alert import Alert, body, make, make_test, new_id

NOTICE = Notice(
    "server_down", "git", Turn.RAISED, Severity.CRITICAL, 1000.5, 970.0, "exited with status 1", 2
)


def alert(**other: Any) -> Alert:
    notice = NOTICE if not other else Notice(**{**{f: getattr(NOTICE, f) for f in NOTICE.__slots__}, **other})
    return make(notice, "server_down", "docs/runbook", "node:3050")


def webhook(form: Format = Format.JSON, template: object = None) -> Webhook:
    return Webhook("id", "https://h/", "https://h", format=form, template=json.dumps(template))


def test_our_own_document_has_everything() -> None:
    document = json.loads(body(alert(), webhook()))
    assert document.pop("id").startswith("0000001000500-")
    assert document == {
        "version": 1,
        "kind": "server_down",
        "status": "raised",
        "severity": "critical",
        "subject": "git",
        "key": "server_down/git",
        "summary": "exited with status 1",
        "at": "1970-01-01T00:16:40.500Z",
        "since": "1970-01-01T00:16:10.000Z",
        "missed": 2,
        "runbook": "docs/runbook/server_down.md",
        "gateway": "node:3050",
    }


def test_a_clear_has_the_key_of_its_raise() -> None:
    cleared = alert(kind="server_recovered", turn=Turn.CLEARED)
    assert (cleared.key, cleared.title) == ("server_down/git", "server recovered: git")
    assert cleared.runbook == "docs/runbook/server_recovered.md"
    reload = make(
        Notice("config_reload_failed", "", Turn.CLEARED, Severity.WARNING, 1, 0, ""),
        "config_reload_failed",
        "",
        "",
    )
    assert reload.title == "config reload failed (over)"


def test_what_strangers_must_not_read_is_not_in_it() -> None:
    told = alert(summary="GET https://10.0.0.1/x failed: token=abc123 in /srv/app/key.pem")
    for secret in ("10.0.0.1", "abc123", "/srv"):
        assert secret.encode() not in body(told, webhook())


def test_for_slack_it_is_one_text_in_its_markup() -> None:
    document = json.loads(body(alert(subject="<!channel> & co"), webhook(Format.SLACK)))
    assert list(document) == ["text"]
    lines = document["text"].splitlines()
    assert lines[0] == ":red_circle: *server down: &lt;!channel&gt; &amp; co*"
    assert lines[1] == "exited with status 1"
    assert lines[2] == (
        "_node:3050, since 1970-01-01T00:16:10.000Z, 2 times more since the last alert_ see docs/runbook/server_down.md"
    )


def test_for_slack_a_page_with_a_url_is_a_link() -> None:
    told = make(NOTICE, "server_down", "https://wiki/x", "node")
    assert "<https://wiki/x/server_down.md|runbook>" in json.loads(body(told, webhook(Format.SLACK)))["text"]


def test_a_template_may_name_every_field() -> None:
    template = {name: f"<${{{name}}}>" for name in FIELDS}
    document = json.loads(body(alert(subject='a"b\\'), webhook(Format.TEMPLATE, template)))
    assert document["title"] == '<server down: a"b\\>'
    assert document["missed"] == "<2>"
    assert set(document) == set(FIELDS)


def test_ids_sort_by_time_and_are_unique() -> None:
    assert new_id(999.0) < new_id(1000.0) < new_id(1_760_000_000.0)
    assert len({new_id(1.0) for _ in range(100)}) == 100


@pytest.mark.parametrize("form", [Format.JSON, Format.SLACK])
def test_a_test_says_that_nothing_has_happened(form: Format) -> None:
    assert b"nothing has happened" in body(make_test(1.0, "node"), webhook(form))
