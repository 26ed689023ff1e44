"""What a reload changes, in words."""

from pathlib import Path
from typing import Any, Final

import pytest
from tests.support.golden import compare

from onemcp.cli.config.plan import is_different, render

GOLDEN: Final = Path(__file__).parent / "golden"
ANSWER: Final[dict[str, Any]] = {
    "file": "mcp.json",
    "servers": [
        {"name": "new", "change": "add", "because": []},
        {"name": "old", "change": "remove", "because": []},
        {"name": "db", "change": "replace", "because": ["args", "env"]},
        {"name": "web", "change": "update", "because": ["tags"]},
    ],
    "kept": 7,
    "settings": [
        {"setting": "log_level", "key": "logging.level", "from": "info", "to": "debug", "origin": "mcp.json:3", "restart": False},
        {"setting": "port", "key": "port", "from": 3050, "to": 4000, "origin": "mcp.json:4", "restart": True},
        {"setting": "secrets_key", "key": "", "from": "***", "to": "", "origin": "default", "restart": True},
        {"setting": "allowed_hosts", "key": "allowedHosts", "from": [], "to": ["a"], "origin": "mcp.json:5", "restart": False},
        {"setting": "drain_min", "key": "drain.min", "from": 0.0, "to": 1500.0, "origin": "mcp.json:6", "restart": False},
    ],
    "notices": ["mcp.json:9: x stands here and in mcp.json:2; this one counts"],
}  # fmt: skip


@pytest.mark.parametrize("done", [True, False], ids=["reload", "diff"])
def test_every_kind_of_change_has_its_line(done: bool) -> None:
    compare(GOLDEN / f"{'reload' if done else 'diff'}.txt", f"{render(ANSWER, done=done)}\n")


def test_nothing_is_said_in_one_line() -> None:
    answer = {"file": "mcp.json", "servers": [], "kept": 1, "settings": [], "notices": []}
    assert not is_different(answer)
    assert render(answer, done=True) == "mcp.json: nothing has changed, 1 server kept"
    assert render(answer, done=False) == "mcp.json: nothing differs, 1 server kept"


def test_one_is_not_counted_as_many() -> None:
    answer = {**ANSWER, "servers": [], "settings": ANSWER["settings"][:1], "notices": [], "kept": 2}
    assert render(answer, done=False).splitlines()[-1] == "mcp.json: 1 setting differs, 2 servers kept"


def test_what_a_name_is_made_of_does_not_steer_the_terminal() -> None:
    answer = {**ANSWER, "servers": [{"name": "a\x1b[2J", "change": "add", "because": []}]}
    assert "\x1b" not in render(answer, done=True)
