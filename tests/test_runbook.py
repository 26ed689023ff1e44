"""The pages about alerts say what the code does: a page for every kind, and no other."""

import hashlib
import hmac
import json
import re
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
from tests.support.guide import DOCS, examples

from onemcp.config.alerts import RUNBOOKS
from onemcp.config.document import read
from onemcp.config.webhooks import FIELDS, Format
from onemcp.core.events import ALERT_KINDS, Nature
from onemcp.ops.alerts.alert import Alert
from onemcp.ops.alerts.webhook import signature

PAGE = DOCS / "alerts.md"
RUNBOOK = DOCS / "runbook"


def test_every_kind_has_a_page_and_every_page_a_kind() -> None:
    assert {page.stem for page in RUNBOOK.glob("*")} == set(ALERT_KINDS)
    assert (DOCS.parent / RUNBOOKS) == RUNBOOK


@pytest.mark.parametrize("kind", ALERT_KINDS)
def test_a_page_says_what_it_means_what_to_look_at_and_what_to_do(kind: str) -> None:
    text = (RUNBOOK / f"{kind}.md").read_text(encoding="utf-8")
    assert text.startswith(f"# {kind}\n\n")
    assert re.findall(r"^## (.+)$", text, re.MULTILINE) == ["What to look at", "What to do"]
    assert all(part.strip() for part in re.split(r"^#.*$", text, flags=re.MULTILINE)[1:])


def test_the_table_of_kinds_is_that_of_the_code() -> None:
    rows = re.findall(
        r"^\| \[(\w+)\]\(runbook/(\w+)\.md\) \| (\w+) \|(.+)\|$",
        PAGE.read_text(encoding="utf-8"),
        re.MULTILINE,
    )
    assert [(name, name, kind.severity.value) for name, kind in ALERT_KINDS.items()] == [
        row[:3] for row in rows
    ]
    for name, _, _, rest in rows:
        kind, numbers = ALERT_KINDS[name], [int(number) for number in re.findall(r"\b\d+\b(?! ms)", rest)]
        if kind.cooldown:
            assert numbers[-1] * 60 == kind.cooldown
        if kind.nature is Nature.BURST and kind.threshold > 1:
            assert numbers[0] == kind.threshold


def test_the_sample_is_a_good_document(tmp_path: Path) -> None:
    environ = {"ALERT_SECRET": "0123456789abcdef", "SLACK_WEBHOOK": "https://hooks.example.com/T/B/x"}
    document = read(examples(PAGE)["alerts"].text, str(tmp_path / "mcp.json"), environ)
    webhooks = document.alerts.webhooks
    assert [webhook.format for webhook in webhooks] == [Format.JSON, Format.SLACK, Format.TEMPLATE]
    assert document.alerts.rules["server_down"].seconds == 60
    assert not document.alerts.rules["instance_started"].enabled


def test_the_sample_of_what_is_sent_has_every_member_in_its_order() -> None:
    sample = json.loads(examples(PAGE)["alert"].text)
    assert list(sample) == ["version", *(member.name for member in fields(Alert))]
    sample.pop("version")
    times = {"at": 1760000000.0, "since": 1759999970.0}
    assert Alert(**{**sample, **times}).document() == {"version": 1, **sample}
    assert {*sample, "title"} == set(FIELDS)


def test_the_sample_of_a_receiver_accepts_what_is_signed_and_nothing_else() -> None:
    names: dict[str, Any] = {"hmac": hmac, "hashlib": hashlib}
    exec(examples(PAGE)["verify"].text, names)
    headers = {"Onemcp-Timestamp": "1760000000", "Onemcp-Signature": signature("s" * 16, "1760000000", b"{}")}
    assert names["is_genuine"]("s" * 16, headers, b"{}")
    assert not names["is_genuine"]("s" * 16, headers, b"{ }")
    assert not names["is_genuine"]("s" * 16, {**headers, "Onemcp-Timestamp": "1760000001"}, b"{}")
