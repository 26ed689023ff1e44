"""A configuration as a gateway that is started here would have it, read with everything that is wrong with it."""

import argparse
import asyncio
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from onemcp.app.front import trusted
from onemcp.app.machine import refuse_open_bind
from onemcp.cli.control import Gateway, gateway_of
from onemcp.cli.find import find, five_lines
from onemcp.cli.options import typed_settings
from onemcp.cli.outcome import CommandError, Exit
from onemcp.config.document import Document, Draft, draft
from onemcp.config.secrets.opening import opened
from onemcp.config.secrets.stand_ins import stand_ins, without_guesses
from onemcp.config.settings import Settings, around, resolve
from onemcp.config.table import TABLE
from onemcp.errors import ConfigError, Problem, StartError

REACH: Final = ("config", "environment", "port", "state_dir")
"""The settings that say which running gateway is meant."""


@dataclass(frozen=True, slots=True)
class Read:
    """What there is. Where there are `problems`, the rest is as much of it as can be told."""

    path: Path
    settings: Settings
    document: Document
    draft: Draft | None
    """None where a file is not in its format."""
    problems: tuple[Problem, ...]
    faults: tuple[Problem, ...]
    """What is wrong with single entries, which costs only these."""

    @property
    def notices(self) -> tuple[str, ...]:
        """What is worth a line, for a person."""
        return tuple(dict.fromkeys((*self.settings.notices, *self.document.notices)))


def read(environ: Mapping[str, str], typed: Mapping[str, object], *, with_secrets: bool = False) -> Read:
    """Read the configuration that is meant; secrets are only asked for if somebody says so.

    Raises:
        CommandError: there is none.
        ConfigError: this user may not look for one.
    """
    first, problems, environ, typed = _first(environ, typed)
    path = Path(first.config) if first.config else find(environ)
    if path is None:
        raise CommandError(five_lines(environ).removeprefix("1mcp: "), code=Exit.CONFIG)
    first = replace(first, config=str(path))
    try:
        found = draft(path, around(first, environ), first.environment)
    except ConfigError as error:
        return Read(path, first, Document(), None, (*problems, *error.problems), ())
    document, faulty = _judged(found, first, environ, with_secrets=with_secrets)
    faults = document.faults(faulty)
    file = document.settings
    try:
        settings = replace(resolve(environ, typed, file), config=str(path))
    except ConfigError:  # the document has said so
        settings = first
    all_problems = (*problems, *faulty, *(() if faulty else _refused(settings)))
    told = faults if with_secrets else without_guesses(faults, found.tree)
    return Read(path, settings, document, found, all_problems, told)


def usable(found: Read) -> Draft:
    """What was read.

    Raises:
        ConfigError: there are problems with it.
    """
    if found.problems or found.draft is None:
        raise ConfigError(*found.problems)
    return found.draft


def running(args: argparse.Namespace, environ: Mapping[str, str]) -> Gateway:
    """The gateway that options and variables mean, or the file that they name, as far as it can be read.

    Raises:
        ConfigError: an option or a variable means nothing.
        CommandError: there is no such file.
    """
    typed = typed_settings(args)
    first = resolve(environ, typed)
    return gateway_of(read(environ, typed).settings if first.config else first, environ)


def _first(
    environ: Mapping[str, str], typed: Mapping[str, object]
) -> tuple[Settings, tuple[Problem, ...], Mapping[str, str], Mapping[str, object]]:
    """The settings without the file, what is wrong with them, and what of environment and options is not."""
    try:
        return resolve(environ, typed), (), environ, typed
    except ConfigError as error:
        wrong = {problem.key for problem in error.problems}
        names = {setting.name for setting in TABLE if setting.flag in wrong}
        environ = {name: value for name, value in environ.items() if name not in wrong}
        typed = {name: value for name, value in typed.items() if name not in names}
        return resolve(environ, typed), error.problems, environ, typed


def _judged(
    found: Draft, first: Settings, environ: Mapping[str, str], *, with_secrets: bool
) -> tuple[Document, tuple[Problem, ...]]:
    if with_secrets:
        return asyncio.run(_with_secrets(found, first, environ))
    document, problems = found.judged(first.name_separator, stand_ins(found.references))
    return document, without_guesses(problems, found.tree)


async def _with_secrets(
    found: Draft, first: Settings, environ: Mapping[str, str]
) -> tuple[Document, tuple[Problem, ...]]:
    async with opened(found.secrets, around(first, environ)) as chain:
        return found.judged(first.name_separator, await chain.resolve(found.references))


def _refused(settings: Settings) -> Iterable[Problem]:
    """What would be refused at the start, however good each value is."""
    try:
        refuse_open_bind(settings)
        trusted(settings)
    except StartError as error:
        yield Problem(error.what, error.fix, key="host")
    except ConfigError as error:
        yield from error.problems
