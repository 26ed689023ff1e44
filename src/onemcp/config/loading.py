"""Reading a configuration with the secrets that it refers to."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from onemcp.config.document import Document, Draft, drafted
from onemcp.config.fingerprint import beside_of, fingerprint_of
from onemcp.config.reading import Reading
from onemcp.config.secrets.chain import Told
from onemcp.config.secrets.opening import opened
from onemcp.config.secrets.reference import Reference
from onemcp.config.settings import Settings, around
from onemcp.config.sources import read_sources, watched
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
    """What the files make, or why they make nothing, and their fingerprint. They are read once, as a pipe can be.

    The fingerprint is empty if the `.env` beside them changed meanwhile: then nobody knows of which the other is.
    """
    beside = beside_of(path)
    try:
        sources = read_sources(path, environment)
    except ConfigError as error:
        return error, fingerprint_of(error, beside)
    found: Draft | ConfigError
    try:
        found = drafted(sources, watched(path)[0], environ)
    except ConfigError as error:
        found = error
    return found, fingerprint_of(sources, beside) if beside_of(path) == beside else ""


async def load(path: Path, environ: Mapping[str, str], first: Settings) -> Loaded:
    """The configuration; a secret that could not be had is a fault of the entries that refer to it.

    `first` are the settings without the file: they say which environment is meant, and where secrets are.

    Raises:
        ConfigError: as `document.load`.
    """
    surrounding = around(first, environ)
    found, mark = await Reading(path)(partial(read, path, surrounding, first.environment))
    if isinstance(found, ConfigError):
        raise found
    if not found.references:
        return Loaded(found.document(first.name_separator), found, {}, mark)
    async with opened(found.secrets, surrounding) as chain:
        secrets = await chain.resolve(found.references)
        return Loaded(found.document(first.name_separator, secrets), found, chain.known(), mark)
