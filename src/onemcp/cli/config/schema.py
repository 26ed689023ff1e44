"""`1mcp config schema`: the JSON Schema of the configuration file.

    1mcp config schema > mcp.schema.json

An editor that finds `"$schema": "./mcp.schema.json"` in the file then knows all keys and values.
"""

import argparse
import json
from collections.abc import Mapping

from onemcp.cli.arguments import Parser
from onemcp.cli.outcome import Exit
from onemcp.config.schema.document import schema


def define(parser: Parser) -> None:
    """The verb has no arguments."""
    parser.epilog = (
        'For an editor: keep it as mcp.schema.json and write "$schema": "./mcp.schema.json" in mcp.json.'
    )


def run(args: argparse.Namespace, environ: Mapping[str, str]) -> Exit:  # noqa: ARG001 - as every verb is called
    """Print it."""
    print(json.dumps(schema(), indent=2))
    return Exit.OK
