import logging
import sys
from typing import Any

import pytest

from onemcp.core.access import View
from onemcp.gateway.context import CallContext
from onemcp.gateway.trail import Trail, following
from onemcp.ops.logs.entry import MAX_MESSAGE, entry_of
from onemcp.wire.revisions import LATEST_STATELESS, Era


def record(message: object, *arguments: object, level: int = logging.INFO, **more: Any) -> logging.LogRecord:
    made = logging.LogRecord("onemcp.x", level, __file__, 1, message, arguments, None)
    made.__dict__.update(more)
    return made


def test_a_line_about_a_server_knows_it_and_says_it_once() -> None:
    entry = entry_of(record("%s: exited with %d", "alpha", 3))
    assert (entry.server, entry.message) == ("alpha", "exited with 3")


def test_a_line_of_a_request_knows_the_request_and_its_server() -> None:
    trail = Trail({b"x-request-id": b"r1"})
    trail.context = CallContext(Era.STATELESS, LATEST_STATELESS, View(), upstream="alpha")
    with following(trail):
        entry = entry_of(record("failed"))
    assert entry.server == "alpha"
    assert entry.facts == {"request_id": "r1", "principal": "anonymous"}


def test_the_server_that_a_line_names_comes_before_that_of_the_request() -> None:
    trail = Trail()
    trail.context = CallContext(Era.STATELESS, LATEST_STATELESS, View(), upstream="alpha")
    with following(trail):
        entry = entry_of(record("%s: is well", "beta"))
    assert entry.server == "beta"


@pytest.mark.parametrize(
    ("level", "word"),
    [
        (logging.DEBUG, "debug"),
        (logging.INFO, "info"),
        (logging.WARNING, "warn"),
        (logging.ERROR, "error"),
        (logging.CRITICAL, "error"),
    ],
)
def test_levels_are_the_words_of_the_settings(level: int, word: str) -> None:
    assert entry_of(record("x", level=level)).level == word


def test_a_message_is_cut_and_says_so() -> None:
    entry = entry_of(record("x" * (MAX_MESSAGE + 7)))
    assert entry.message.endswith("x (7 more)")
    assert len(entry.message) < MAX_MESSAGE + 20


@pytest.mark.parametrize(
    ("message", "arguments"), [("%d", ("x",)), ("%s %s", (1,)), ("%", (1,)), ({"no": "text"}, ())]
)
def test_a_broken_record_says_what_it_can(message: object, arguments: tuple[object, ...]) -> None:
    assert entry_of(record(message, *arguments)).message


def test_an_exception_is_told_with_where_it_came_from() -> None:
    try:
        int("no")
    except ValueError:
        made = record("broke", exc_info=sys.exc_info())
    fault = entry_of(made).fault
    assert fault is not None
    assert (fault.kind, "'no'" in fault.message) == ("ValueError", True)
    assert "test_entry.py" in fault.stack
