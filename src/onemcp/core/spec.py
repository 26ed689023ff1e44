"""What one upstream is configured to be: `UpstreamSpec`, frozen, comparable, complete."""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Literal

from onemcp.errors import Problem


@dataclass(frozen=True, slots=True)
class StdioTransport:
    """A child process that speaks MCP on its standard streams. What may be secret is in no `repr`."""

    argv: tuple[str, ...] = field(repr=False)
    """Program and arguments; never given to a shell."""
    env: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    """The entry's own variables, on top of the allow-listed environment."""
    cwd: str = ""
    """Working directory; empty for the gateway's own."""
    inherit_env: bool = False
    """Pass the gateway's whole environment instead of the allow-listed part."""
    env_filter: tuple[str, ...] = ()
    """Further names from the gateway's environment: `NAME`, `PREFIX*`, `!PATTERN` to deny."""


@dataclass(frozen=True, slots=True)
class HttpTransport:
    """A server reached over HTTP. What may be secret is in no `repr`."""

    url: str = field(repr=False)
    kind: Literal["http", "sse"] = "http"
    """`http` is streamable HTTP; `sse` the old HTTP+SSE of 2024-11-05."""
    headers: tuple[tuple[str, str], ...] = field(default=(), repr=False)


@dataclass(frozen=True, slots=True)
class RestartPolicy:
    """How an upstream that went away is started again; seconds."""

    enabled: bool = True
    first_delay: float = 1.0
    max_delay: float = 60.0
    max_restarts: int = 0
    """Attempts in a row before the upstream has failed for good; 0 for no end."""


class Isolation(StrEnum):
    """Whose a connection is."""

    SHARED = "shared"
    """Everybody's: one connection."""
    SESSION = "session"
    """One downstream session's, or, in the stateless era, one principal's: a partition for each."""


@dataclass(frozen=True, slots=True)
class Partitioning:
    """How the connections of one upstream are divided among those who use it."""

    isolation: Isolation = Isolation.SHARED
    max_connections: int = 100
    """Partitions at a time; whoever comes then takes the place of the one that has been idle longest."""
    idle_timeout: float = 300.0
    """Seconds without a call after which a partition's connection is closed."""


@dataclass(frozen=True, slots=True)
class Roots:
    """What an upstream is told when it asks for the client's roots."""

    given: tuple[tuple[str, str], ...] = ()
    """URIs and their names (maybe empty), which the gateway answers with; without any, the client is asked."""


@dataclass(frozen=True, slots=True)
class UpstreamSpec:
    """One `mcpServers` entry, resolved: no references left in it.

    Two specs that are equal need no restart. An entry that cannot be started is a spec too: `fault` says why,
    and only this upstream fails.
    """

    name: str
    transport: StdioTransport | HttpTransport | None
    tags: frozenset[str] = frozenset()
    disabled: bool = False
    request_timeout: float = 60.0
    """Seconds an upstream has for one answer."""
    connection_timeout: float = 30.0
    """Seconds from the start of an attempt to the first complete offering."""
    restart: RestartPolicy = field(default_factory=RestartPolicy)
    disabled_tools: frozenset[str] = frozenset()
    partitioning: Partitioning = field(default_factory=Partitioning)
    roots: Roots | None = None
    """None: the upstream is told that there are no roots to ask for."""
    protocol: str = ""
    """A pinned MCP revision; empty to find out."""
    required: bool = False
    """Without it the gateway as a whole is unhealthy."""
    withheld: frozenset[str] = frozenset()
    """What clients may be able to answer and the upstream may not ask: `sampling`, `elicitation`, `roots`."""
    fault: Problem | None = None
    referred: tuple[tuple[str, str], ...] = field(default=(), repr=False, compare=False)
    """The variables that the entry refers to, and what they held; none of it is to be read in a log."""
