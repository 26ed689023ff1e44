"""Reading a configuration with the secrets that it refers to."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from onemcp.config.document import Document, Draft, draft
from onemcp.config.fingerprint import fingerprint
from onemcp.config.secrets.chain import Told
from onemcp.config.secrets.opening import opened
from onemcp.config.secrets.reference import Reference
from onemcp.config.settings import Settings, around


@dataclass(frozen=True, slots=True)
class Loaded:
    """A configuration that was read."""

    document: Document
    draft: Draft
    known: Mapping[Reference, Told] = field(default_factory=dict, repr=False)
    """What the providers said of its secrets."""
    fingerprint: str = ""
    """Of the files as they were before they were read."""


async def load(path: Path, environ: Mapping[str, str], first: Settings) -> Loaded:
    """The configuration; a secret that could not be had is a fault of the entries that refer to it.

    `first` are the settings without the file: they say which environment is meant, and where secrets are.

    Raises:
        ConfigError: as `document.load`.
    """
    print_ = await asyncio.to_thread(fingerprint, path, first.environment)
    surrounding = around(first, environ)
    found = await asyncio.to_thread(draft, path, surrounding, first.environment)
    if not found.references:
        return Loaded(found.document(first.name_separator), found, {}, print_)
    async with opened(found.secrets, surrounding) as chain:
        secrets = await chain.resolve(found.references)
        return Loaded(found.document(first.name_separator, secrets), found, chain.known(), print_)
