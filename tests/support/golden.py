"""Golden files: what a person reads, kept word for word beside the tests.

A test that differs shows the difference. `UPDATE_GOLDEN=1 pytest tests/cli` writes what is said now; read it before
it is kept.
"""

import os
import re
from pathlib import Path
from typing import Final

_VOLATILE: Final = (
    (re.compile(r"\b\d+\.\d s\b"), "N.N s"),
    (re.compile(r"\bpid \d+"), "pid PID"),
    (re.compile(r'"requestId":"[0-9a-f]{8}-\d+"'), '"requestId":"ID"'),
    (re.compile(r"\bup \d+ s\b"), "up N s"),
    (re.compile(r"\bonemcp \d+\.\d+\.\d+"), "onemcp VERSION"),
)


def neutral(text: str, **names: object) -> str:
    """The text with what differs from run to run replaced: `names` maps a word to the value it stands for.

    Longer values are replaced first, so that a folder inside another one keeps its own word.
    """
    for word, value in sorted(names.items(), key=lambda pair: -len(str(pair[1]))):
        text = text.replace(str(value), word)
    for pattern, word in _VOLATILE:
        text = pattern.sub(word, text)
    return text


def compare(golden: Path, text: str) -> None:
    """The text is what the golden file says."""
    if os.environ.get("UPDATE_GOLDEN"):
        golden.parent.mkdir(parents=True, exist_ok=True)
        golden.write_text(text, encoding="utf-8")
    assert golden.exists(), f"{golden} is missing; UPDATE_GOLDEN=1 writes it"
    assert text == golden.read_text(encoding="utf-8")
