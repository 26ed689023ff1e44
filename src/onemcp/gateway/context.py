"""The context of one request: made at the edge, used all the way through."""

import asyncio
from collections.abc import Callable, Mapping
from typing import Any, Final

from msgspec import Raw, Struct

from onemcp.core.access import ANONYMOUS, Principal, View
from onemcp.gateway.asks import Asked
from onemcp.gateway.sessions import Session
from onemcp.wire.revisions import Era

Emit = Callable[[bytes], bool]
"""Sends a message to the client of one request, while it is answered; False if it could not take it. Must not block
and must not raise."""

DEFAULT_LOG_LEVEL: Final = "info"
"""What a handshake-era client hears as long as it asks for nothing else."""


class CallContext(Struct, eq=False):  # a struct is made in a tenth of the time of a dataclass
    """Who asks, in which era and revision, and what may be seen."""

    era: Era
    revision: str
    view: View
    session: Session | None = None
    """The handshake-era session; None in the stateless era."""
    endpoint: str = ""
    """The one upstream that is asked alone (`/servers/<name>/mcp`); empty for all."""
    paged: bool = False
    """Whether lists come in pages."""
    task: asyncio.Task[Any] | None = None
    """The task that answers it, for whoever may have to end it."""
    emit: Emit | None = None
    """Sends messages to the client while this request is answered; None where it takes none."""
    log_level: str = ""
    """The log messages that the client asked for with this request or before; empty for none."""
    headers: Mapping[bytes, bytes] | None = None
    """The HTTP headers of a stateless-era request, which must agree with its arguments."""
    principal: Principal = ANONYMOUS
    upstream: str = ""
    """The upstream that it is forwarded to; empty as long as that is not known, and if there is none."""
    asks: Asked | None = None
    """Whoever the upstream asks in the course of it, where that is not the session."""
    token: Raw | None = None
    """The client's progress token."""
    trace: str = ""
    """The traceparent of the client's request, well-formed (`core/trace.py` has its ids); empty for none."""
    trace_headers: tuple[tuple[str, str], ...] = ()
    """The same and its tracestate, where the client said it in HTTP headers."""
    lane: int = 0
    """Which of the caller's own connections it goes over, where no two calls may share one; 0 for the first."""
