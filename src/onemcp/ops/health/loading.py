"""What `/health/mcp` says: how far the servers have come with their start. Shapes are those of 1MCP.

A server loads until it is ready for the first time, or past the time that it has for its start: as long as clients
are held back for it without asynchronous loading. From then on it is ready or not.
"""

import asyncio
import time
from collections.abc import Sequence
from enum import StrEnum
from typing import Any, Final

from onemcp.core.health import WORDS
from onemcp.core.lifecycle import State
from onemcp.core.timestamps import utc
from onemcp.gateway.runtime import Runtime
from onemcp.ops.health.probes import Answer, Level, Saying, error_of
from onemcp.upstream.supervisor import Supervisor


class Phase(StrEnum):
    """How far one server has come; `PENDING` is 1MCP's word for one that waits for its turn, which none does here."""

    PENDING = "pending"
    LOADING = "loading"
    READY = "ready"
    FAILED = "failed"
    AWAITING_OAUTH = "awaiting_oauth"
    CANCELLED = "cancelled"

    @property
    def http(self) -> int:
        """The HTTP status that says it of one server."""
        return _HTTP[self]

    @property
    def key(self) -> str:
        """Its name as a member of a document."""
        return "awaitingOAuth" if self is Phase.AWAITING_OAUTH else self.value


_HTTP: Final = {
    Phase.PENDING: 202,
    Phase.LOADING: 202,
    Phase.READY: 200,
    Phase.FAILED: 503,
    Phase.AWAITING_OAUTH: 401,
    Phase.CANCELLED: 503,
}
_OVER: Final = frozenset({Phase.FAILED, Phase.CANCELLED})


class Loading:
    """Answers how far the servers have come, from what is known."""

    def __init__(self, runtime: Runtime, saying: Saying, started_at: float) -> None:
        """`started_at`: when the gateway did, in seconds since the epoch."""
        self._runtime = runtime
        self.saying = saying
        self._started_at = started_at
        self._loop = asyncio.get_running_loop()

    def all(self, *, trusted: bool = True) -> Answer:
        """`/health/mcp`: 200 if no server loads any more, 202 while one does."""
        servers = [(s, phase_of(s)) for s in self._runtime.pool if s.life.state is not State.DISABLED]
        phases = [phase for _, phase in servers]
        is_complete = Phase.LOADING not in phases
        loading: dict[str, Any] = {"isComplete": is_complete, "startTime": utc(self._started_at)}
        loading["successRate"] = _rate(phases)
        times = [s.first_ready_at - s.started_at for s, _ in servers if s.first_ready_at is not None]
        if times:
            loading["averageLoadTime"] = round(1000 * sum(times) / len(times))
        document: dict[str, Any] = {
            "loading": loading,
            "summary": {"total": len(phases), **{phase.key: phases.count(phase) for phase in Phase}},
        }
        if self.saying.level_for(trusted=trusted) is not Level.MINIMAL:
            document["servers"] = {
                "byState": {
                    phase.key: [s.spec.name for s, found in servers if found is phase] for phase in Phase
                },
                "details": {s.spec.name: self._detail(s, phase) for s, phase in servers},
            }
        document["timestamp"] = utc(time.time())
        return Answer(200 if is_complete else 202, document)

    def one(self, name: str, *, trusted: bool = True) -> Answer | None:
        """`/health/mcp/<server>`; None if there is no such server, it is switched off, or names are not told."""
        supervisor = self._runtime.pool.get(name)
        hidden = self.saying.level_for(trusted=trusted) is Level.MINIMAL
        if supervisor is None or hidden or supervisor.life.state is State.DISABLED:
            return None
        phase = phase_of(supervisor)
        document = {"name": name, **self._detail(supervisor, phase)}
        for member in document.keys() & {"startTime", "endTime"}:
            document[member] = utc(document[member] / 1000)
        for member, inner in (("error", "message"), ("progress", "phase")):
            if member in document:
                document[member] = {inner: document[member]}
        document["timestamp"] = utc(time.time())
        return Answer(phase.http, document)

    def _detail(self, supervisor: Supervisor, phase: Phase) -> dict[str, Any]:
        """One server among all: moments in milliseconds since the epoch, texts plain. 1MCP writes them so here."""
        now = self._loop.time()
        epoch = time.time() - now
        end = supervisor.life.since if phase in _OVER else supervisor.first_ready_at
        detail: dict[str, Any] = {
            "state": phase.value,
            "retryCount": supervisor.life.failures,
            "duration": round(1000 * ((now if end is None else end) - supervisor.started_at)),
            "startTime": round(1000 * (epoch + supervisor.started_at)),
        }
        if end is not None:
            detail["endTime"] = round(1000 * (epoch + end))
        error = error_of(supervisor, self.saying.level)
        if error and phase is not Phase.READY:
            detail["error"] = self.saying.shown(error)
        if phase is Phase.LOADING:
            detail["progress"] = WORDS[supervisor.life.state]
        return detail


def phase_of(supervisor: Supervisor) -> Phase:
    """How far an upstream that is switched on has come."""
    if supervisor.life.state in _PHASES:
        return _PHASES[supervisor.life.state]
    is_loading = supervisor.first_ready_at is None and not supervisor.is_settled
    return Phase.LOADING if is_loading else Phase.FAILED


_PHASES: Final = {
    State.READY: Phase.READY,
    State.AWAITING_AUTH: Phase.AWAITING_OAUTH,
    State.STOPPING: Phase.CANCELLED,
    State.FAILED: Phase.FAILED,
}


def _rate(phases: Sequence[Phase]) -> float:
    """Per cent of the servers that are ready."""
    return round(100 * phases.count(Phase.READY) / len(phases), 1) if phases else 0.0
