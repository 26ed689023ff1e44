"""What stands between `${SECRET:` and `}`: which secret is meant.

    name                  the first provider of the chain that has it
    provider:path         this provider's
    provider:path#field   one member of what is there; also name#field

A reference is never secret: sentences may show it.
"""

import re
from dataclasses import dataclass
from typing import Final

from onemcp.config.interpolate import SECRET
from onemcp.errors import ConfigError, Problem

MAX_LENGTH: Final = 512
"""Characters of a reference."""
_PROVIDER: Final = re.compile(r"[a-z][a-z0-9_-]{0,63}")
_DEFAULTS: Final = ("-", "?", "=", "+")
_FIX: Final = "write ${SECRET:name} or ${SECRET:provider:path#field}"


@dataclass(frozen=True, slots=True)
class Reference:
    """A secret by its name, or by provider and path; none of it is secret itself."""

    path: str
    provider: str = ""
    """Empty for a plain name, which the chain looks for."""
    field: str = ""
    """A member of what is there; empty for the whole, or for the only one."""

    def __str__(self) -> str:
        """As it is written, without the braces."""
        body = f"{self.provider}:{self.path}" if self.provider else self.path
        return f"{body}#{self.field}" if self.field else body

    def shown(self) -> str:
        """As it is written."""
        return f"${{{SECRET}{self}}}"


def is_provider_name(name: str) -> bool:
    """Whether a provider can be called so: lower-case letters, digits, `-` and `_`, a letter first."""
    return _PROVIDER.fullmatch(name) is not None


def parse(body: str) -> Reference:
    """The reference that is written so.

    Raises:
        ConfigError: it is none; its problem has no place yet.
    """
    if len(body) > MAX_LENGTH:
        raise _refused(body[:40] + "...", f"is longer than {MAX_LENGTH} characters", "is it a value?")
    head, colon, rest = body.partition(":")
    provider, target = (head, rest) if colon else ("", head)
    path, hash_, field = target.partition("#")
    if colon and rest.startswith(_DEFAULTS):
        raise _refused(body, "is no reference: a secret has no default", "take what follows the : away")
    if colon and not is_provider_name(provider):
        raise _refused(body, f"has no name of a provider before its first colon ({provider!r})", _FIX)
    if not path or (hash_ and not field):
        raise _refused(body, "is not complete", _FIX)
    if "#" in field:
        raise _refused(body, "has more than one #", _FIX)
    if any(part != part.strip() or not part.isprintable() for part in (path, field)):
        raise _refused(body, "has a blank at an edge, or a character that cannot be printed", _FIX)
    if path.startswith("-"):
        raise _refused(body, "begins with a hyphen, as an option would", _FIX)
    return Reference(path, provider, field)


def _refused(body: str, what: str, fix: str) -> ConfigError:
    shown = body if body.isprintable() else repr(body)[1:-1]
    return ConfigError(Problem(f"${{{SECRET}{shown}}} {what}", fix))
