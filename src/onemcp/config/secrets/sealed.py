"""Secrets in an encrypted file on this machine, which `1mcp secret` writes."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from onemcp.config.home import home
from onemcp.config.secrets.key import key_place
from onemcp.config.secrets.provider import TIMEOUT, Found, member
from onemcp.config.secrets.secret import Secret
from onemcp.config.secrets.vessel import Vessel

FILE: Final = "ONE_MCP_SECRETS_FILE"


@dataclass(frozen=True, slots=True)
class SealedConfig:
    """Which file and key; empty for the usual ones."""

    file: str = ""
    key_file: str = ""
    timeout: float = TIMEOUT


class Sealed:
    """The name of a secret is what it was set as. A file that is not there has nothing, and needs no key."""

    recheck: float | None = 5.0

    def __init__(self, name: str, config: SealedConfig, environ: Mapping[str, str]) -> None:
        self.name = name
        self.timeout = config.timeout
        self._vessel = vessel(environ, config.file, config.key_file)

    async def get(self, path: str, field: str) -> Found | None:
        """The secret, opened.

        Raises:
            SecretError: the file cannot be read, or not with this key.
        """
        found = await asyncio.to_thread(self._vessel.get, path)
        if found is None:
            return None
        text = member(found[0].reveal(), field, f"{path} in {self._vessel.path}")
        return None if text is None else Found(Secret(text), version=str(found[1]))

    async def aclose(self) -> None:
        """Nothing is held."""


def vessel(environ: Mapping[str, str], file: str = "", key_file: str = "") -> Vessel:
    """The file of this user, unless a variable or the argument names another one; so for its key."""
    usual = folder(environ)
    path = Path(file or environ.get(FILE) or usual / "secrets.sealed")
    return Vessel(path, key_place(environ, usual / "secrets.key", key_file))


def folder(environ: Mapping[str, str]) -> Path:
    """Where both are usually: `onemcp` in the folder for configurations (XDG base directories)."""
    base = environ.get("XDG_CONFIG_HOME") or str(home(environ) / ".config")
    return Path(base) / "onemcp"
