"""`1mcp config`: looking at the configuration, and having it read again."""

import argparse
from collections.abc import Mapping
from typing import Final

from onemcp.cli.commands import Command
from onemcp.cli.outcome import Exit
from onemcp.cli.verbs import Verbs

VERBS: Final = {
    "show": Command("onemcp.cli.config.show", "every value that counts, and where it comes from"),
    "check": Command("onemcp.cli.config.check", "all that is wrong, without starting anything"),
    "diff": Command("onemcp.cli.config.diff", "what a reload would change in the running gateway"),
    "reload": Command("onemcp.cli.config.reload", "have the running gateway read its configuration again"),
    "features": Command("onemcp.cli.config.features", "what can be switched off, and whether it is on"),
    "schema": Command("onemcp.cli.config.schema", "the JSON Schema of the file, for editors"),
}
_VERBS: Final = Verbs("config", VERBS)

define = _VERBS.define


def run(args: argparse.Namespace, environ: Mapping[str, str]) -> Exit:
    """Do what the verb says.

    Raises:
        CommandError: there is no such verb, or it could not be done.
        ConfigError: the configuration cannot be used.
    """
    module, parser = _VERBS.module(args.verb)
    code: Exit = module.run(parser.parse(args.rest), environ)
    return code
