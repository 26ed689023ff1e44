"""The text of a configuration file, read in the format that its name ends with."""

from pathlib import PurePath
from typing import Final

from onemcp.config import jsonc
from onemcp.config.node import Node
from onemcp.errors import Problem

YAML: Final = frozenset({".yaml", ".yml"})
TOML: Final = frozenset({".toml"})


def scan(text: str, file: str = "") -> tuple[Node, tuple[Problem, ...]]:
    """Read a text as YAML or TOML if its file is called so, else as JSON with comments.

    What is wrong with single values is told beside the tree, for who has more to tell: repeated keys (the last one
    counts), and what the other formats have that a configuration cannot hold.

    Raises:
        ConfigError: it is not in that format.
    """
    ending = PurePath(file).suffix.lower()
    if ending in YAML:
        from onemcp.config import yaml_text  # noqa: PLC0415 - ten milliseconds that most have no use for

        return yaml_text.scan(text, file)
    if ending in TOML:
        from onemcp.config import toml_text  # noqa: PLC0415 - the same

        return toml_text.scan(text, file)
    return jsonc.scan(text, file)
