"""What `1mcp alerts` prints."""

from pathlib import Path
from typing import Any, Final

import pytest
from tests.support.golden import compare

from onemcp.cli.alerts import render_history, render_list, render_test

GOLDEN: Final = Path(__file__).parent / "golden"
_DOWN: Final = {
    "kind": "server_down",
    "subject": "git",
    "severity": "critical",
    "since": "2025-10-09T08:53:20.000Z",
    "summary": "exited with status 1\x1b[31m\nsecond line",
}
_STORE: Final = {
    "kind": "store_unreachable",
    "subject": "",
    "severity": "critical",
    "since": "2025-10-09T08:54:20.000Z",
    "summary": "disk full",
}
_WELL: Final = {
    "webhook": "https://ops.example.com",
    "format": "json",
    "delivered": 12,
    "attempts": 12,
    "waiting": 0,
    "error": "",
}
_ILL: Final = {
    "webhook": "https://hooks.example.com",
    "format": "slack",
    "delivered": 3,
    "attempts": 9,
    "waiting": 2,
    "error": "answered with status 500",
}


@pytest.mark.parametrize(
    ("name", "answer"),
    [
        ("alerts_list", {"raised": [_DOWN, _STORE], "webhooks": [_WELL, _ILL], "dead": 2}),
        ("alerts_none", {"raised": [], "webhooks": [], "dead": 0}),
    ],
)
def test_what_is_raised_and_how_the_webhooks_are(name: str, answer: dict[str, Any]) -> None:
    compare(GOLDEN / f"{name}.txt", render_list(answer) + "\n")


def test_the_history_has_what_was_told_and_what_was_given_up() -> None:
    down = {**_DOWN, "at": _DOWN["since"], "status": "raised"}
    up = {**down, "kind": "server_recovered", "status": "cleared", "summary": "it is ready"}
    dead = {**down, "webhook": "https://ops.example.com", "error": "answered with status 410"}
    compare(GOLDEN / "alerts_history.txt", render_history({"alerts": [up, down], "dead": [dead]}) + "\n")
    assert render_history({"alerts": [], "dead": []}) == "no alerts yet"


def test_a_test_says_what_became_of_it() -> None:
    results = [
        {"webhook": "https://ops.example.com", "error": ""},
        {"webhook": "https://hooks.example.com", "error": "has an address that is not public"},
    ]
    compare(GOLDEN / "alerts_test.txt", render_test({"id": "1760000000000-5f0c", "results": results}) + "\n")
