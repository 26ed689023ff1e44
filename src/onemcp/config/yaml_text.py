"""YAML, read with the position of every value: what the JSON of `jsonc.py` can say, in YAML's notation.

Plain scalars mean what the core schema of YAML 1.2 says (§10.3.2), so that `no`, `on`, dates and `1:30` are strings;
`yaml_scalar.py` has the rules. Aliases and merge keys (`<<`) are resolved, as long as they do not make much out of
little. There is one document in a file, keys are strings, and there are no tags.
"""

import re
from typing import Final

from onemcp.config.lines import BOM, Lines
from onemcp.config.node import Node
from onemcp.errors import ConfigError, Problem

_UNFIT: Final = re.compile(
    "[^\t\n\r\x20-\x7e\xa0-\u2027\u202a-\ud7ff\ue000-\ufefe\uff00-\ufffd\U00010000-\U0010ffff]"
)
"""What a text cannot have in it (YAML 1.2 §5.1), and what ends a line in YAML 1.1 but not in 1.2 (§5.4)."""


def scan(text: str, file: str = "") -> tuple[Node, tuple[Problem, ...]]:
    """Read a text; what is wrong with single keys and values is told beside the tree.

    An alias is a node at its own place, with the value of its anchor. Told beside the tree are repeated keys (the
    last one counts), keys that are no strings (they are left out), tags, and values that JSON cannot hold (they are
    null).

    Raises:
        ConfigError: it is not YAML that is taken here (one problem), or the library for it is not installed.
    """
    unfit = _UNFIT.search(text, 1 if text.startswith(BOM) else 0)
    if unfit is not None:
        raise ConfigError(_unfit(unfit, text, file))
    try:
        from onemcp.config.yaml_tree import tree  # noqa: PLC0415 - its library is an extra, and slow to load
    except ModuleNotFoundError as error:
        fix = 'pip install "onemcp[yaml]", or write the file as JSON'
        raise ConfigError(
            Problem("to read YAML a library is needed that is not installed", fix, file)
        ) from error
    return tree(text, file)


def _unfit(found: re.Match[str], text: str, file: str) -> Problem:
    place = Lines(text).place(found.start())
    code = ord(found[0])
    if 0xD800 <= code <= 0xDFFF:
        return Problem("half of a surrogate pair", "", file, *place)
    fix = f'write it as "\\u{code:04x}", in double quotes'
    return Problem(f"the character U+{code:04X} cannot stand in YAML", fix, file, *place)
