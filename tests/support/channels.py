"""A scripted upstream in memory: the other end of the `Channel` port, told what to answer."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any

from msgspec import Raw

from onemcp.core.changes import RESOURCE_UPDATED
from onemcp.core.spec import StdioTransport, UpstreamSpec
from onemcp.errors import Reason, UpstreamError
from onemcp.upstream.channel import Inbound, Reply, Request
from onemcp.upstream.negotiate import Identity
from onemcp.wire.envelope import ABSENT, Envelope, encode, open_object

IDENTITY = Identity("onemcp", "0", "instance-of-this-test")

Script = dict[str, Any]
"""Method -> result, exception to raise, or a function of the request that gives one of these (maybe awaited)."""


class Failure(Exception):  # noqa: N818 - it reads as what a script answers
    """An error answer."""

    def __init__(self, code: int, message: str = "no", data: object = None) -> None:
        super().__init__(message)
        self.body = {"code": code, "message": message, **({"data": data} if data is not None else {})}


class ScriptedChannel:
    """One connection to a scripted upstream."""

    def __init__(self, script: Script, inbound: Inbound) -> None:
        self.closed: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self.on_reinitialized: Callable[[], None] = lambda: None
        self.on_missed: Callable[[], None] = lambda: None
        self.script = script
        self.inbound = inbound
        self.asked: list[Request] = []
        self.sent: list[bytes] = []
        self.revision = ""
        self.watching: list[frozenset[str]] = []
        """The sets that `watch` was called with."""

    async def request(self, request: Request) -> Reply:
        self.asked.append(request)
        if self.closed.done():
            raise UpstreamError("scripted", Reason.EXITED, "is gone", ran=False)
        answer = self.script.get(request.method, Failure(-32601, "Method not found"))
        if callable(answer):
            answer = answer(request)
        if isinstance(answer, Awaitable):
            answer = await answer
        if isinstance(answer, Failure):
            return Reply(ABSENT, Raw(encode(answer.body)))
        if isinstance(answer, Exception):
            raise answer
        return Reply(Raw(encode(answer)), ABSENT)

    async def notify(self, method: str, params: bytes = b"") -> None:
        self.sent.append(method.encode())

    def respond(self, message: bytes) -> None:
        self.sent.append(message)

    def adopt(self, revision: str) -> None:
        self.revision = revision

    async def watch(self, uris: frozenset[str]) -> frozenset[str]:
        """The entry "watch" of the script says which are honoured; without one, all."""
        self.watching.append(uris)
        answer = self.script.get("watch", uris)
        if callable(answer):
            answer = answer(uris)
        if isinstance(answer, Awaitable):
            answer = await answer
        if isinstance(answer, Exception):
            raise answer
        return uris & frozenset(answer)

    async def aclose(self) -> None:
        if not self.closed.done():
            self.closed.set_result("closed")

    def announce(self, kind: str) -> None:
        """Say that a list changed."""
        self.inbound(Envelope("2.0", method=f"notifications/{kind}/list_changed"))

    def update(self, uri: str) -> None:
        """Say that a resource was updated."""
        self.inbound(Envelope("2.0", method=RESOURCE_UPDATED, params=Raw(encode({"uri": uri}))))

    def said(self, method: str) -> list[str]:
        """The URIs that requests of this method were about, in their order."""
        return [
            json.loads(bytes(request.params))["uri"] for request in self.asked if request.method == method
        ]

    def die(self, why: str = "exited with status 1") -> None:
        """End the connection from the upstream's side."""
        self.closed.set_result(why)


def handshake(*tools: str, **more: Any) -> Script:
    """A server of the handshake era with these tools; each echoes the params that it was called with."""
    return {
        "initialize": {
            "protocolVersion": "2025-11-25",
            "capabilities": {"tools": {"listChanged": True}},
            "serverInfo": {"name": "scripted", "version": "1"},
        },
        "tools/list": {"tools": [{"name": tool, "inputSchema": {"type": "object"}} for tool in tools]},
        "tools/call": lambda request: {"content": [], "echo": open_object(request.params)},
        "ping": {},
        **more,
    }


def stateless(*tools: str, **more: Any) -> Script:
    """The same in the stateless era."""
    script = handshake(*tools)
    del script["initialize"], script["ping"]
    return {
        **script,
        "server/discover": {
            "resultType": "complete",
            "supportedVersions": ["2026-07-28"],
            "capabilities": {"tools": {"listChanged": True}},
            "_meta": {"io.modelcontextprotocol/serverInfo": {"name": "scripted", "version": "1"}},
        },
        **more,
    }


def resources(*uris: str, subscribe: bool = True) -> Script:
    """What a handshake server with these resources has in its script."""
    offers = {"resources": {"subscribe": True} if subscribe else {}}
    hello = {"protocolVersion": "2025-11-25", "capabilities": offers, "serverInfo": {"name": "scripted"}}
    return {
        "initialize": hello,
        "resources/list": {"resources": [{"uri": uri, "name": uri} for uri in uris]},
        "resources/templates/list": {"resourceTemplates": []},
        "resources/subscribe": {},
        "resources/unsubscribe": {},
    }


def stateless_resources(*uris: str) -> Script:
    """The same in the stateless era; see `ScriptedChannel.watch`."""
    script = stateless(**resources(*uris))
    for method in ("initialize", "resources/subscribe", "resources/unsubscribe"):
        del script[method]
    script["server/discover"] = {
        **script["server/discover"],
        "capabilities": {"resources": {"subscribe": True}},
    }
    return script


def spec(name: str, **more: Any) -> UpstreamSpec:
    """A spec whose transport no scripted upstream looks at."""
    return UpstreamSpec(name, StdioTransport((name,)), **more)


class Upstreams:
    """Scripted upstreams by name, and an opener for them that keeps every channel it opened."""

    def __init__(self, **scripts: Script | Exception) -> None:
        self.scripts: dict[str, Script | Exception] = dict(scripts)
        self.channels: dict[str, list[ScriptedChannel]] = {}

    async def open(self, wanted: UpstreamSpec, inbound: Inbound) -> ScriptedChannel:
        script = self.scripts[wanted.name]
        if isinstance(script, Exception):
            raise script
        channel = ScriptedChannel(script, inbound)
        self.channels.setdefault(wanted.name, []).append(channel)
        return channel

    def last(self, name: str) -> ScriptedChannel:
        """The latest connection to an upstream."""
        return self.channels[name][-1]


async def until(condition: Callable[[], bool], timeout: float = 5.0) -> None:
    """Return as soon as the condition holds; fail the test if it does not in time."""
    async with asyncio.timeout(timeout):
        while not condition():
            await asyncio.sleep(0.001)
