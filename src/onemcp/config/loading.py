"""Reading a configuration with the secrets that it refers to."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from onemcp.config.document import Document, Draft, draft
from onemcp.config.fingerprint import fingerprint
from onemcp.config.reading import Reading
from onemcp.config.secrets.chain import Told
from onemcp.config.secrets.opening import opened
from onemcp.config.secrets.reference import Reference
from onemcp.config.settings import Settings, around
from onemcp.errors import ConfigError


@dataclass(frozen=True, slots=True)
class Loaded:
    """A configuration that was read."""

    document: Document
    draft: Draft
    known: Mapping[Reference, Told] = field(default_factory=dict, repr=False)
    """What the providers said of its secrets."""
    fingerprint: str = ""
    """Of the files that it was made from; empty if they changed meanwhile."""


def read(path: Path, environ: Mapping[str, str], environment: str) -> tuple[Draft | ConfigError, str]:
    """What the files make, or why they make nothing, and their fingerprint.

    The fingerprint is empty if they changed meanwhile: then nobody knows of which files the other is.
    """
    before = fingerprint(path, environment)
    found: Draft | ConfigError
    try:
        found = draft(path, environ, environment)
    except ConfigError as error:
        found = error
    return found, before if fingerprint(path, environment) == before else ""


async def load(path: Path, environ: Mapping[str, str], first: Settings) -> Loaded:
    """The configuration; a secret that could not be had is a fault of the entries that refer to it.

    `first` are the settings without the file: they say which environment is meant, and where secrets are.

    Raises:
        ConfigError: as `document.load`.
    """
    surrounding = around(first, environ)
    found, print_ = await Reading(path)(partial(read, path, surrounding, first.environment))
    if isinstance(found, ConfigError):
        raise found
    if not found.references:
        return Loaded(found.document(first.name_separator), found, {}, print_)
    async with opened(found.secrets, surrounding) as chain:
        secrets = await chain.resolve(found.references)
        return Loaded(found.document(first.name_separator, secrets), found, chain.known(), print_)
