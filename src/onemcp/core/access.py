"""Who asks, what they may see, and whether a call may go on.

Containment, not query parsing: what a request asks for only ever narrows what is shown to it.
"""

from dataclasses import dataclass
from typing import Final

from onemcp.core.tags import Expression


@dataclass(frozen=True, slots=True)
class Principal:
    """Who asks; without authentication that is `ANONYMOUS`, a principal like any other."""

    issuer: str = ""
    """Who vouches for the subject."""
    subject: str = ""
    client_id: str = ""
    """The program that acts for the subject."""
    scopes: frozenset[str] = frozenset()
    """What was granted, like `tag:web`."""

    def __str__(self) -> str:
        return self.subject or "anonymous"


ANONYMOUS: Final = Principal()


@dataclass(frozen=True, slots=True)
class View:
    """The part of the gateway that one request may see: the upstreams whose tags match, or all."""

    expression: Expression | None = None

    def shows(self, tags: frozenset[str]) -> bool:
        """Whether an upstream with these tags is in it."""
        return self.expression is None or self.expression.matches(tags)


@dataclass(frozen=True, slots=True)
class Allow:
    """The call goes on."""


@dataclass(frozen=True, slots=True)
class Deny:
    """The call ends here; `reason` is for the log, the client is told no more than of a name that nobody has."""

    reason: str


@dataclass(frozen=True, slots=True)
class Park:
    """The call waits for somebody's word; `reason` says for what."""

    reason: str


Decision = Allow | Deny | Park

ALLOW: Final = Allow()
"""The only Allow there need be."""


def decide(  # noqa: PLR0913, PLR0917 - a value object around them would be made anew for every call
    principal: Principal,
    view: View,
    upstream_tags: frozenset[str],
    upstream_name: str,
    method: str,
    name: str,
) -> Decision:
    """Whether `principal` may use the upstream's `name` by `method`: what the view does not show is denied."""
    if view.shows(upstream_tags):
        return ALLOW
    return Deny(f"{method} {name}: {principal} does not see {upstream_name}")
