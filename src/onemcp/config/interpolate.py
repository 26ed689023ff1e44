"""References in a configuration's texts: `${NAME}` stands for a variable of the environment.

    ${NAME}  ${env:NAME}   the variable (the second spelling is that of other MCP clients)
    ${NAME:-text}          the variable, or the text where it is not set or empty
    ${NAME:?text}          the variable; where it is not set or empty, the text says what is missing
    ${SECRET:name}         a secret, where secrets are known (config/secrets)
    $${                    the two characters ${ themselves

`$NAME` without braces stays as it is, for shells. What a variable or secret holds is never looked at again.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Final

from onemcp.errors import ConfigError, Problem

SECRET: Final = "SECRET:"  # noqa: S105 - no secret but its mark
"""What a reference to a secret begins with; an environment that knows secrets has them by such names."""
REFERENCE: Final = re.compile(r"(\$\$\{)|\$\{([^{}]*)(\}?)")
_VARIABLE: Final = re.compile(r"(?:env:)?([A-Za-z_][A-Za-z0-9_]*)(:[-?].*)?", re.DOTALL)
NO_SECRETS: Final = "a secret cannot stand here"
"""What the sentence begins with about a value that is shown, and has a secret in it."""
_UNSET: Final = " is not set"
_LITERAL_FIX: Final = "write $${ for the two characters themselves"


def expand(text: str, environ: Mapping[str, str]) -> str:
    """The text with every reference replaced.

    Raises:
        ConfigError: a reference that cannot be resolved; its problem has no place yet, the caller knows it.
    """
    if "${" not in text:
        return text
    return REFERENCE.sub(lambda match: _resolved(match, environ), text)


def secrets_in(text: str) -> Iterator[str]:
    """What stands after `SECRET:` in each reference to a secret in the text."""
    if SECRET not in text:
        return
    for _, inner, closing in REFERENCE.findall(text):
        if closing and inner.startswith(SECRET):
            yield inner.removeprefix(SECRET)


class Noting(Mapping[str, str]):
    """An environment that notes which of its variables were asked for."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._environ = environ
        self._noted: dict[str, str] = {}

    @property
    def noted(self) -> tuple[tuple[str, str], ...]:
        """The variables that were asked for and are set, by name."""
        return tuple(sorted(self._noted.items()))

    def __getitem__(self, name: str) -> str:
        value = self._noted[name] = self._environ[name]
        return value

    def __iter__(self) -> Iterator[str]:
        return iter(self._environ)

    def __len__(self) -> int:
        return len(self._environ)


def is_unresolved(problem: Problem) -> bool:
    """Whether a problem is that something a reference names is not there: a variable that is not set, a secret."""
    return problem.what.endswith(_UNSET) or is_secret_missing(problem)


def is_secret_missing(problem: Problem) -> bool:
    """Whether a problem is that a secret could not be had, or that there are none where it is referred to."""
    found = REFERENCE.match(problem.what)
    return found is not None and found[2].startswith(SECRET) and problem.what.startswith(": ", found.end())


def _resolved(match: re.Match[str], environ: Mapping[str, str]) -> str:
    literal, inner, closing = match.groups()
    if literal:
        return "${"
    if not closing:
        raise ConfigError(Problem(f"{match[0]} does not end, }} is missing", _LITERAL_FIX))
    if inner.startswith(SECRET):
        return _secret(inner, environ)
    if inner.startswith("input:"):
        raise ConfigError(
            Problem(f"{match[0]}: nobody can be asked for it here", "use an environment variable, as ${NAME}")
        )
    variable = _VARIABLE.fullmatch(inner)
    if variable is None:
        raise ConfigError(Problem(f"{match[0]} is no reference to a variable", _LITERAL_FIX))
    return _value(variable[1], variable[2], environ)


def _secret(inner: str, environ: Mapping[str, str]) -> str:
    """A secret that the environment knows by `SECRET:name`; it raises the problem of one that could not be had."""
    try:
        return environ[inner]
    except KeyError:
        raise ConfigError(
            Problem(f"${{{inner}}}: secrets cannot be used here", "use an environment variable, as ${NAME}")
        ) from None


def _is_text(value: str) -> bool:
    """Whether it is one, and not bytes that were none."""
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True


def _value(name: str, default: str | None, environ: Mapping[str, str]) -> str:
    value = environ.get(name)
    if value is not None and not _is_text(value):
        raise ConfigError(Problem(f"${{{name}}} is not UTF-8", "set it to text"))
    if default is not None and not value and default.startswith(":?"):
        reason = default.removeprefix(":?").strip()
        raise ConfigError(
            Problem(f"the variable {name}{_UNSET}", reason or "set it where the gateway starts")
        )
    if default is not None:
        return value or default.removeprefix(":-")
    if value is None:
        raise ConfigError(
            Problem(
                f"the variable {name}{_UNSET}",
                f"set it where the gateway starts, or write ${{{name}:-text}}",
            )
        )
    return value


def under_home(path: str, environ: Mapping[str, str]) -> str:
    """The path with a `~` that stands alone or before a slash replaced by the home folder, if there is one."""
    home = environ.get("HOME", "")
    return home + path[1:] if home and (path == "~" or path.startswith("~/")) else path
