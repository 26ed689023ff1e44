"""Descriptors that run short, in a process of its own: the limit is one of the process."""

import json
import subprocess
import sys
from typing import Any

import pytest

from onemcp.ops import descriptors

SCRIPT = """
import json, logging, os, resource
from onemcp.ops import descriptors

lines, now = [], [0.0]

class Lines(logging.Handler):
    def emit(self, record):
        lines.append(record.getMessage())

logging.getLogger("onemcp").addHandler(Lines())
resource.setrlimit(resource.RLIMIT_NOFILE, (100, 100))
watched, seen, held = descriptors.Descriptors(lambda: now[0]), [], []

def fill(to):
    while descriptors.used() < to:
        held.append(os.open(os.devnull, os.O_RDONLY))

def free():
    while held:
        os.close(held.pop())

for upto, moment in ((89, 0), (90, 1), (91, 2), (0, 3), (95, 4), (0, 5), (99, 61)):
    if upto:
        fill(upto)
    else:
        free()
    now[0] = moment
    seen.append(watched.look())
try:
    while True:
        held.append(os.open(os.devnull, os.O_RDONLY))
except OSError:
    pass
seen.append(watched.look())
free()
print(json.dumps({"seen": seen, "lines": lines, "limit": descriptors.limit()}))
"""


def outcome() -> Any:
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT], capture_output=True, text=True, timeout=30, check=True
    )
    return json.loads(done.stdout)


def test_they_run_short_from_nine_tenths_on_and_the_log_says_so_once_a_minute() -> None:
    said = outcome()
    assert said["limit"] == 100
    assert said["seen"] == [False, True, True, False, True, False, True, True]
    assert [line.partition(" file")[0] for line in said["lines"]] == ["90 of 100", "99 of 100"]


@pytest.mark.parametrize("folder", ["/nowhere", "/proc/self"])
def test_where_the_system_does_not_count_them_the_lowest_free_one_tells(folder: str) -> None:
    assert 3 <= descriptors.used(folder) <= descriptors.limit()


def test_the_answer_says_that_it_may_be_tried_again() -> None:
    error = descriptors.exhausted()
    assert (error.status, error.data) == (503, {"reason": "too_many_open_files"})
