"""Secrets in the gateway's own environment."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from onemcp.config.secrets.provider import TIMEOUT, Found, SecretError, member
from onemcp.config.secrets.secret import Secret

PREFIX: Final = "ONE_MCP_SECRET_"
"""What the variable of a secret begins with, if it is not called by the secret's very name. No child inherits it."""
_NO_LETTER: Final = re.compile(r"[^A-Z0-9]")
_NEVER: Final = 1e9


@dataclass(frozen=True, slots=True)
class EnvironmentConfig:
    """Nothing to be said."""

    timeout: float = TIMEOUT


class Environment:
    """`api-key` is the variable `ONE_MCP_SECRET_API_KEY`, else one of the very name. An empty one is not set."""

    recheck: float | None = _NEVER

    def __init__(self, name: str, config: EnvironmentConfig, environ: Mapping[str, str]) -> None:
        self.name = name
        self.timeout = config.timeout
        self._environ = environ

    async def get(self, path: str, field: str) -> Found | None:
        """The variable's value.

        Raises:
            SecretError: it is not UTF-8, or has no members though one is asked for.
        """
        for variable in (variable_of(path), path):
            value = self._environ.get(variable)
            if value:
                what = f"the variable {variable}"
                text = member(_checked(value, what), field, what)
                return None if text is None else Found(Secret(text))
        return None

    async def aclose(self) -> None:
        """Nothing is held."""


def variable_of(path: str) -> str:
    """The variable for a secret, as `ONE_MCP_SECRET_API_KEY` for `api-key`."""
    return PREFIX + _NO_LETTER.sub("_", path.upper())


def _checked(value: str, what: str) -> str:
    try:
        value.encode()
    except UnicodeEncodeError:
        raise SecretError(f"{what} is not UTF-8", "set it to text") from None
    return value
