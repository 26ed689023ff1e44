"""Reading a configuration with the secrets that it refers to."""

from collections.abc import Mapping
from pathlib import Path

from onemcp.config.document import SEPARATOR, Document, draft
from onemcp.config.secrets.opening import opened


async def load_with_secrets(
    path: Path, environ: Mapping[str, str], separator: str = SEPARATOR, environment: str = ""
) -> Document:
    """The configuration; a secret that could not be had is a fault of the entries that refer to it.

    Raises:
        ConfigError: as `document.load`.
    """
    found = draft(path, environ, environment)
    if not found.references:
        return found.document(separator)
    async with opened(found.secrets, environ) as chain:
        return found.document(separator, await chain.resolve(found.references))
