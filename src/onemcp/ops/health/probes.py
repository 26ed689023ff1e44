"""What `/health`, `/health/live` and `/health/ready` say: documents made of facts that are known already.

No upstream is asked, nothing is waited for. Names, nesting and types are those of the 1MCP guide's sample; members
beside those of the sample are `draining`, `configuration.lastReloadError`, `system.process` and `reasons`, each only
where there is something to say.
"""

import os
import platform
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import lru_cache
from typing import Any, Final

from msgspec import Raw

from onemcp.core.health import WORDS, Server, Status, overall
from onemcp.core.lifecycle import Life, State
from onemcp.core.redact import sanitised, without_secrets
from onemcp.core.spec import UpstreamSpec
from onemcp.core.timestamps import utc
from onemcp.gateway.runtime import Runtime
from onemcp.ops.health.memory import Memory, limit, used
from onemcp.ops.health.readiness import Readiness
from onemcp.upstream.supervisor import Supervisor
from onemcp.wire.envelope import encode


class Level(StrEnum):
    """How much is told."""

    MINIMAL = "minimal"
    """The state of the whole; what hides more is left out, not zeroed."""
    BASIC = "basic"
    """Names, states, tags, and errors without credentials, paths and addresses."""
    FULL = "full"
    """The process as well, and errors without credentials only."""


@dataclass(frozen=True, slots=True)
class Saying:
    """What the probes say beside facts, and by which measure; from the settings."""

    version: str
    transport: str = "http"
    level: Level = Level.BASIC
    unhealthy_below: float = 0.5
    ready_requires: tuple[str, ...] = ()
    """Servers without which the gateway is not ready."""
    auth_enabled: bool = False

    def shown(self, error: str) -> str:
        """The text of an error as it may be told at this level; the latest are remembered, for it takes 0.1 ms."""
        return _shown(error, is_full=self.level is Level.FULL)

    def level_for(self, *, trusted: bool) -> Level:
        """The level for a caller; one that is not trusted gets the least, whatever is configured."""
        return self.level if trusted else Level.MINIMAL


@dataclass(frozen=True, slots=True)
class Answer:
    """An HTTP status and a document; `status` in the document is a word."""

    http: int
    document: dict[str, Any]


@dataclass(slots=True)
class _Known:
    """An upstream as it was seen last: good as long as its life and its spec are the same objects."""

    life: Life
    spec: UpstreamSpec
    server: Server
    detail: Raw


class Probes:
    """Answers the probes. Microseconds an answer: what is told of an upstream is made once for each of its states."""

    def __init__(self, runtime: Runtime, readiness: Readiness, saying: Saying) -> None:
        self.runtime = runtime
        self.readiness = readiness
        self.saying = saying
        self._known: dict[str, _Known] = {}
        self._total = limit()
        self._begun = time.monotonic()

    def adopt(self, saying: Saying) -> None:
        """Say it by these measures from now on."""
        self.saying = saying
        self._known.clear()

    @property
    def uptime(self) -> int:
        """Whole seconds since the start."""
        return int(time.monotonic() - self._begun)

    def note(self, upstream: str) -> None:
        """An upstream has changed: make what is told of it now, so that no probe waits for that."""
        supervisor = self.runtime.pool.get(upstream)
        if supervisor is not None:
            self._known[upstream] = self._seen(supervisor)

    def servers(self) -> list[Server]:
        """What is known of each upstream that is switched on."""
        return [known.server for known in self._look()]

    def status(self) -> Status:
        """The state of the whole."""
        return self._overall(self.servers())

    def health(self, *, trusted: bool = True) -> Answer:
        """`/health`: the state of the whole and what it follows from."""
        known = self._look()
        status = self._overall([one.server for one in known])
        document: dict[str, Any] = {
            "status": status.value,
            "timestamp": utc(time.time()),
            "version": self.saying.version,
        }
        if self.readiness.draining:
            document["draining"] = True
        level = self.saying.level_for(trusted=trusted)
        if level is not Level.MINIMAL:
            document["system"] = self._system(level)
            document["servers"] = _summary(known)
            document["configuration"] = self._configuration(len(known))
        return Answer(status.http, document)

    def live(self) -> Answer:
        """`/health/live`: the event loop turns, or else nobody would answer. Nothing else is looked at."""
        return Answer(200, {"status": "alive", "timestamp": utc(time.time())})

    def ready(self, *, trusted: bool = True) -> Answer:
        """`/health/ready`: whether new clients should be sent here."""
        reasons = self._reasons()
        document: dict[str, Any] = {
            "status": "not_ready" if reasons else "ready",
            "timestamp": utc(time.time()),
        }
        if self.saying.level_for(trusted=trusted) is not Level.MINIMAL:
            document["configuration"] = self._configuration(len(self._look()))
            if reasons:
                document["reasons"] = reasons
        return Answer(503 if reasons else 200, document)

    def _reasons(self) -> list[str]:
        """Why new clients should not be sent here; empty if they should."""
        readiness = self.readiness
        reasons = [] if readiness.loaded else ["the configuration is not loaded"]
        if readiness.draining:
            reasons.append("the gateway is draining")
        if readiness.store_error:
            reasons.append(f"the store does not answer: {self.saying.shown(readiness.store_error)}")
        for name in self.saying.ready_requires:
            supervisor = self.runtime.pool.get(name)
            if supervisor is None or supervisor.life.state is not State.READY:
                reasons.append(f"the server {name} is {_word(supervisor)}")
        return reasons

    def _overall(self, servers: Sequence[Server]) -> Status:
        readiness = self.readiness
        return overall(
            servers,
            loaded=readiness.loaded,
            draining=readiness.draining,
            unhealthy_below=self.saying.unhealthy_below,
        )

    def _system(self, level: Level) -> dict[str, Any]:
        document: dict[str, Any] = {"uptime": self.uptime, "memory": Memory(used(), self._total).document()}
        if level is Level.FULL:
            document["process"] = {"pid": os.getpid(), **_PROCESS}
        return document

    def _configuration(self, enabled: int) -> dict[str, Any]:
        total = sum(1 for _ in self.runtime.pool)
        document = {
            "loaded": self.readiness.loaded,
            "serverCount": total,
            "enabledCount": enabled,
            "disabledCount": total - enabled,
            "authEnabled": self.saying.auth_enabled,
            "transport": self.saying.transport,
        }
        if self.readiness.reload_error:
            document["lastReloadError"] = self.saying.shown(self.readiness.reload_error)
        return document

    def _look(self) -> list[_Known]:
        """All upstreams that are switched on, in the order of the configuration."""
        before, self._known = self._known, {}
        for supervisor in self.runtime.pool:
            if supervisor.life.state is State.DISABLED:
                continue
            spec = supervisor.spec
            known = before.get(spec.name)
            if known is None or known.life is not supervisor.life or known.spec is not spec:
                known = self._seen(supervisor)
            self._known[spec.name] = known
        return list(self._known.values())

    def _seen(self, supervisor: Supervisor) -> _Known:
        spec, life = supervisor.spec, supervisor.life
        server = Server(
            spec.name,
            life.state,
            is_starting=supervisor.is_starting,
            required=spec.required,
            tags=tuple(sorted(spec.tags)),
            last_connected=supervisor.last_connected,
            last_error=self.saying.shown(error_of(supervisor, self.saying.level)),
        )
        return _Known(life, spec, server, Raw(encode(_detail(server))))


@lru_cache(maxsize=1024)
def _shown(error: str, *, is_full: bool) -> str:
    return without_secrets(error) if is_full else sanitised(error)


def error_of(supervisor: Supervisor, level: Level) -> str:
    """What last went wrong with an upstream; where in a file a fault stands is told at the highest level only."""
    fault = supervisor.spec.fault
    if fault is not None and level is not Level.FULL and supervisor.last_error == str(fault):
        return str(replace(fault, file="", line=0))
    return supervisor.last_error


def _word(supervisor: Supervisor | None) -> str:
    if supervisor is None:
        return "not configured"
    return WORDS.get(supervisor.life.state, "disabled")


def _summary(known: Sequence[_Known]) -> dict[str, Any]:
    well = sum(one.server.is_well for one in known)
    return {
        "total": len(known),
        "healthy": well,
        "unhealthy": len(known) - well,
        "details": [one.detail for one in known],
    }


def _detail(server: Server) -> dict[str, Any]:
    detail: dict[str, Any] = {"name": server.name, "status": server.word, "healthy": server.is_well}
    if server.last_connected is not None:
        detail["lastConnected"] = utc(server.last_connected)
    if server.last_error:
        detail["lastError"] = server.last_error
    detail["tags"] = list(server.tags)
    return detail


_PROCESS: Final = {
    "python": platform.python_version(),
    "platform": sys.platform,
    "arch": os.uname().machine,
}
