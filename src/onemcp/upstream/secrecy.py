"""What is not to be read of each upstream: learnt before anything is said to it, hidden in whatever is told about it.

The register is one for the process, as the log is: whoever tells something has the upstream's name and no more.
"""

from collections.abc import Mapping
from typing import Final

from onemcp.core.environment import child_environment
from onemcp.core.readable import readable
from onemcp.core.redact import without_secrets
from onemcp.core.secrets import Redactor, literals_of
from onemcp.core.spec import StdioTransport, UpstreamSpec

MAX_SERVERS: Final = 10_000
"""Upstreams that are remembered; reloads may bring ever new names."""

_NAME: Final = 200
"""Characters of a name that count; lines of the log have no more of it."""
_redactors: dict[str, Redactor] = {}


def learn(spec: UpstreamSpec, environ: Mapping[str, str]) -> None:
    """Hide what is secret of an upstream from now on, and what was so before the last change of it."""
    transport = spec.transport
    inherited = child_environment(transport, environ) if isinstance(transport, StdioTransport) else {}
    literals = literals_of(spec, inherited)
    name = spec.name[:_NAME]
    former = _redactors.pop(name, None)
    if former is not None and former.present == literals:
        _redactors[name] = former
        return
    if len(_redactors) >= MAX_SERVERS:
        del _redactors[next(iter(_redactors))]
    _redactors[name] = Redactor(literals, former.present if former is not None else ())


def hide(server: str, text: str) -> str:
    """The text, fit to be told, without what is known to be secret of that upstream. From any thread."""
    redactor = _redactors.get(server[:_NAME])
    return readable(redactor(text) if redactor is not None else text)


def without_secrets_of(server: str, text: str) -> str:
    """The text without what is known to be secret of that upstream, and without what looks like a credential."""
    return without_secrets(hide(server, text))
