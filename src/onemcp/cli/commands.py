"""The commands there are, and which one is meant by what was typed."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from onemcp.cli.outcome import CommandError, Exit
from onemcp.config.setting import nearest


@dataclass(frozen=True, slots=True)
class Command:
    """One command: the module that has it, and what it does in one line."""

    module: str
    summary: str


COMMANDS: Final = {
    "serve": Command("onemcp.cli.serve", "start the gateway; also what 1mcp does if no command is named"),
    "status": Command("onemcp.cli.status", "how every server of the running gateway is"),
    "inspect": Command("onemcp.cli.inspect", "what the servers offer: all, one, or one tool"),
    "run": Command("onemcp.cli.run", "call one tool and print what it answers"),
    "alerts": Command(
        "onemcp.cli.alerts", "what is raised, what was told, and whether webhooks can be reached"
    ),
    "top": Command("onemcp.cli.top", "how busy every server is, live"),
    "logs": Command("onemcp.cli.logs", "the last lines of the log, of one server or all; -f goes on"),
    "log-level": Command("onemcp.cli.log_level", "log more or less, for a while"),
    "doctor": Command("onemcp.cli.doctor", "what is wrong, and what to do about it"),
    "config": Command(
        "onemcp.cli.config.command", "the configuration: show, check, diff, reload, features, schema"
    ),
    "server": Command(
        "onemcp.cli.server.command",
        "change the configuration: list, add, edit, enable, disable, remove, import",
    ),
    "secret": Command("onemcp.cli.secret", "the encrypted file of secrets: set, get, list, rm, rotate-key"),
    "connect": Command("onemcp.cli.connect", "what to paste into Claude Code, Cursor, VS Code and Codex"),
}


def which(argv: Sequence[str]) -> tuple[str, Sequence[str]]:
    """The command and its arguments: the first word, or `serve` where options come first.

    Raises:
        CommandError: the first word is no command.
    """
    if not argv:
        return "serve", []
    first = argv[0]
    if first in COMMANDS:
        return first, argv[1:]
    if first.startswith("-"):
        return "serve", argv
    raise unknown_command(first)


def unknown_command(word: str) -> CommandError:
    """The error for a word that is no command here, with what was probably meant."""
    if word in COMMANDS:
        what, fix = f"{word} has to come first", f"write 1mcp {word} and then its options"
    elif word.endswith(".json"):
        what, fix = f"unknown command {word}", f"did you mean 1mcp --config {word}?"
    else:
        guess = nearest(word, COMMANDS)
        what = f"unknown command {word}"
        fix = f"did you mean 1mcp {guess}?" if guess else f"there are {', '.join(COMMANDS)}"
    return CommandError(what, fix, Exit.USAGE)
