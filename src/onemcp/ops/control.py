"""The control API: operator verbs over HTTP on a unix socket in the state folder, for the command line.

The socket's mode (0600) is its authentication. Every answer is JSON.
"""

import os
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import asdict
from typing import Any, Final
from urllib.parse import parse_qs

import msgspec
from msgspec import Raw

from onemcp.core.access import View
from onemcp.core.lifecycle import State
from onemcp.core.offering import Listing, Offering
from onemcp.core.spec import HttpTransport, StdioTransport, UpstreamSpec
from onemcp.errors import ConfigError, RpcError
from onemcp.gateway.context import CallContext
from onemcp.gateway.dispatch import Dispatcher
from onemcp.gateway.runtime import Runtime
from onemcp.gateway.trail import TRAIL
from onemcp.ops.logs.verbs import LogVerbs, RefusedError
from onemcp.ops.top import top
from onemcp.upstream.supervisor import Supervisor
from onemcp.wire.envelope import ABSENT, Envelope, encode
from onemcp.wire.revisions import LATEST_HANDSHAKE, Era

Verb = Callable[[Mapping[str, str]], Awaitable[object]]
"""Answers with a document; what was asked comes from the query."""

_VIEW: Final = View()


class NotFoundError(Exception):
    """The server or tool that was asked for is not there; the text says so."""


class ControlApi:
    """The verbs that are answered with one document; the lines of the log are not."""

    def __init__(
        self, runtime: Runtime, dispatcher: Dispatcher, facts: Callable[[], dict[str, Any]], logs: LogVerbs
    ) -> None:
        self._logs = logs
        self._runtime = runtime
        self._dispatcher = dispatcher
        self._facts = facts
        self.verbs: dict[tuple[str, str], Verb] = {}
        """Further ones, by method and path; of rooms that are not always there."""

    async def answer(self, method: str, path: str, query: bytes, body: bytes) -> tuple[int, object]:
        """The status and the JSON document that answer one request of the command line."""
        asked = {name: values[0] for name, values in parse_qs(query.decode("latin-1")).items()}
        try:
            return 200, await self._verb(method, path, asked, body)
        except NotFoundError as error:
            return 404, {"error": str(error)}
        except RpcError as error:
            return 502, {"error": error.message, "code": error.code, "data": error.data}
        except ConfigError as error:
            return 409, {"error": str(error), "problems": [asdict(problem) for problem in error.problems]}
        except RefusedError as error:
            return 400, {"error": str(error)}
        except (msgspec.DecodeError, KeyError) as error:
            return 400, {"error": f"not understood: {error}"}

    async def _verb(self, method: str, path: str, asked: dict[str, str], body: bytes) -> object:
        if (method, path) == ("GET", "/status"):
            return self.status()
        if (method, path) == ("GET", "/inspect"):
            return self._inspect(asked.get("server", ""), asked.get("tool", ""))
        if (method, path) == ("POST", "/run"):
            return await self._run(msgspec.json.decode(body, type=dict[str, Raw]))
        if (method, path) == ("GET", "/top"):
            return top(self._runtime)
        if (method, path) == ("GET", "/log-level"):
            return self._logs.level()
        if (method, path) == ("POST", "/log-level"):
            return self._logs.set_level(body)
        verb = self.verbs.get((method, path))
        if verb is None:
            raise NotFoundError(f"no verb {method} {path}")
        return await verb(asked)

    def status(self) -> dict[str, Any]:
        """The gateway and all its upstreams at this moment."""
        return {**self._facts(), "pid": os.getpid(), "servers": [_summary(s) for s in self._runtime.pool]}

    def _inspect(self, server: str, tool: str) -> object:
        if not server:
            return {"servers": [_summary(s) for s in self._runtime.pool]}
        supervisor = self._supervisor(server)
        catalog = self._runtime.catalog
        listed = {
            listing: {route.key: route.listed for route in routes.values() if route.upstream == server}
            for listing, routes in catalog.routes.items()
        }
        if tool:
            return self._inspect_tool(supervisor, tool, listed.get(Listing.TOOLS, {}))
        answer: dict[str, Any] = _summary(supervisor)
        for listing in Listing:
            names = listed.get(listing, {})
            items = supervisor.listed.items(listing) if supervisor.listed else ()
            answer[listing.value] = [
                {"listed": names.get(item.key, ""), "entry": Raw(item.raw)} for item in items
            ]
        return answer

    def _inspect_tool(self, supervisor: Supervisor, tool: str, names: dict[str, str]) -> object:
        offering = supervisor.listed
        for item in offering.items(Listing.TOOLS) if offering else ():
            if tool in (item.key, names.get(item.key)):
                return {
                    "server": supervisor.spec.name,
                    "listed": names.get(item.key, ""),
                    "entry": Raw(item.raw),
                }
        raise NotFoundError(f"{supervisor.spec.name} ({supervisor.life.state.value}) has no tool {tool}")

    async def _run(self, order: dict[str, Raw]) -> object:
        server = msgspec.json.decode(order["server"], type=str)
        supervisor = self._supervisor(server)
        params = encode({"name": order["tool"], "arguments": order.get("arguments", Raw(b"{}"))})
        context = CallContext(Era.HANDSHAKE, LATEST_HANDSHAKE, _VIEW, endpoint=supervisor.spec.name)
        envelope = Envelope(method="tools/call", params=Raw(params))
        trail = TRAIL.get()
        if trail is not None:
            trail.context, trail.envelope = context, envelope
        reply = await self._dispatcher.dispatch(context, envelope)
        if reply.error is not ABSENT:
            return {"error": reply.error}
        return {"result": reply.result}

    def _supervisor(self, name: str) -> Supervisor:
        supervisor = self._runtime.pool.get(name)
        if supervisor is None:
            known = ", ".join(s.spec.name for s in self._runtime.pool) or "none"
            raise NotFoundError(f"no server is called {name}; there are: {known}")
        return supervisor


def _summary(supervisor: Supervisor) -> dict[str, Any]:
    spec, life = supervisor.spec, supervisor.life
    offering = supervisor.listed
    connection = supervisor.connection
    return {
        "name": spec.name,
        "state": life.state.value,
        "reason": life.reason if life.state is not State.READY else "",
        "failures": life.failures,
        "tags": sorted(spec.tags),
        "transport": _transport(spec),
        "revision": connection.revision if connection else "",
        "counts": {listing.value: _count(offering, listing) for listing in Listing},
    }


def _count(offering: Offering | None, listing: Listing) -> int:
    """Entries of a list; one that is there twice counts once, as clients see it."""
    return len({item.key for item in offering.items(listing)}) if offering else 0


def _transport(spec: UpstreamSpec) -> str:
    if isinstance(spec.transport, StdioTransport):
        return "stdio"
    return spec.transport.kind if isinstance(spec.transport, HttpTransport) else ""
