"""A scripted upstream of the handshake era whose tool asks, and a stateless client that is asked."""

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from itertools import count
from typing import Any, Final

from msgspec import Raw
from tests.support.channels import ScriptedChannel, Upstreams, handshake, until

from onemcp.core.access import ANONYMOUS, Principal, View
from onemcp.gateway.context import CallContext
from onemcp.gateway.dispatch import Dispatcher
from onemcp.gateway.runtime import Runtime
from onemcp.upstream.channel import Request
from onemcp.wire.envelope import ABSENT, Envelope, encode
from onemcp.wire.revisions import Era

MCP: Final = "io.modelcontextprotocol"
ALL: Final[Mapping[str, Any]] = {
    "elicitation": {"form": {}, "url": {}},
    "sampling": {"tools": {}},
    "roots": {},
}
ELICIT: Final = "elicitation/create"
FORM: Final[Mapping[str, Any]] = {"message": "Name?", "requestedSchema": {"type": "object"}}
YES: Final[Mapping[str, Any]] = {"action": "accept", "content": {"name": "Ada"}}


class Talk:
    """What a tool does in the course of one call."""

    _ids = count(1001)

    def __init__(self, channel: ScriptedChannel, request: Request) -> None:
        self.channel = channel
        self.request = request

    @property
    def params(self) -> Any:
        """The params that the call came with."""
        return json.loads(self.request.params)

    async def ask(
        self, method: str = ELICIT, params: Mapping[str, Any] = FORM, *, shared: bool = False
    ) -> Any:
        """Ask the client, and return the response; `shared` as a child does it, which does not say in which call."""
        key = next(self._ids)
        self.send(Envelope("2.0", Raw(encode(key)), method, Raw(encode(params))), shared=shared)
        await until(lambda: any(self._is(key, message) for message in self.channel.sent))
        return next(json.loads(message) for message in self.channel.sent if self._is(key, message))

    def send(self, envelope: Envelope, *, shared: bool = False) -> None:
        """A message in the course of the call."""
        sink = None if shared else self.request.sink
        (sink or self.channel.inbound)(envelope)

    @staticmethod
    def _is(key: int, message: bytes) -> bool:
        return message.startswith(b"{") and json.loads(message).get("id") == key


Tool = Callable[[Talk], Awaitable[object]]


def asking(tool: Tool, name: str = "a") -> Upstreams:
    """One upstream with the tool `t`."""

    def call(request: Request) -> Awaitable[object]:
        return tool(Talk(upstreams.last(name), request))

    upstreams = Upstreams(**{name: handshake("t", **{"tools/call": call})})
    return upstreams


@dataclass
class Client:
    """A stateless client of a running gateway, below the edges."""

    runtime: Runtime
    capabilities: Mapping[str, Any] = field(default_factory=lambda: ALL)
    principal: Principal = ANONYMOUS
    view: View = field(default_factory=View)
    heard: list[Any] = field(default_factory=list)
    """What it was told while a request was answered."""

    async def call(self, _path: str = "", _level: str = "", _meta: Any = None, **params: Any) -> Any:
        """The result of a call of the tool, or the error that the upstream gave; raises what the gateway says."""
        name = "t" if _path else "a_1mcp_t"
        message = {"name": name, "arguments": {}, **params}
        return await self.request("tools/call", _path, _level, _meta, **message)

    async def request(
        self, method: str, path: str = "", level: str = "", meta: Any = None, **params: Any
    ) -> Any:
        """The same of any request."""
        own = {f"{MCP}/protocolVersion": "2026-07-28", f"{MCP}/clientCapabilities": self.capabilities}
        message = Raw(encode({**params, "_meta": {**own, **(meta or {})}}))
        context = CallContext(Era.STATELESS, "2026-07-28", self.view, None, path)
        context.principal, context.log_level = self.principal, level
        context.emit, context.task = self._hear, asyncio.current_task()
        reply = await Dispatcher(self.runtime).dispatch(context, Envelope("2.0", Raw(b"1"), method, message))
        return json.loads(bytes(reply.result if reply.error is ABSENT else reply.error))

    async def retry(
        self, asked: Any, _path: str = "", _level: str = "", _meta: Any = None, **answers: Any
    ) -> Any:
        """The next round: all questions answered with yes, or these."""
        responses = {key.replace("_", "-"): answer for key, answer in answers.items()}
        return await self.call(
            _path,
            _level,
            _meta,
            requestState=asked["requestState"],
            inputResponses=responses or dict.fromkeys(asked["inputRequests"], YES),
        )

    def _hear(self, message: bytes) -> bool:
        self.heard.append(json.loads(message))
        return True
