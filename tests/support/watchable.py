"""A server of the `mcp` 2.3 SDK whose resources can be watched in both eras, and which can be killed.

    {"command": command("alpha")}
    with Served("beta") as served:
        ... served.url; served.kill(); served.start()

Resources: `note://NAME/one` and `note://NAME/two`. Tools: `touch` (says that the resource `uri` was updated, to whoever
has subscribed to exactly that), `watched` (what is subscribed to in the handshake era) and `pid`.
"""

import os
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

import anyio
from mcp.server import NotificationOptions, Server
from mcp.server.stdio import stdio_server
from mcp.server.subscriptions import InMemorySubscriptionBus, ListenHandler
from mcp.shared.subscriptions import ResourceUpdated
from mcp.types import (
    CallToolRequestParams,
    CallToolResult,
    EmptyResult,
    ListResourcesResult,
    ListToolsResult,
    PaginatedRequestParams,
    SubscribeRequestParams,
    SubscriptionsListenRequestParams,
    UnsubscribeRequestParams,
)

LIMIT: Final = 20.0
_SCHEMA: Final = {"type": "object", "properties": {"uri": {"type": "string"}}}


def command(name: str, *flags: str) -> list[str]:
    """The argument list that starts it on stdio."""
    return [sys.executable, "-W", "ignore", __file__, name, *flags]


class Watchable(Server[Any]):
    """The server."""

    def __init__(self, name: str) -> None:
        super().__init__(name, version="1")
        self._name = name
        self._bus = InMemorySubscriptionBus()
        self._subscribed: dict[str, Any] = {}
        listen = ListenHandler(self._bus)
        self.add_request_handler("tools/list", PaginatedRequestParams, self._list_tools)
        self.add_request_handler("tools/call", CallToolRequestParams, self._call)
        self.add_request_handler("resources/list", PaginatedRequestParams, self._list_resources)
        self.add_request_handler("resources/subscribe", SubscribeRequestParams, self._subscribe)
        self.add_request_handler("resources/unsubscribe", UnsubscribeRequestParams, self._unsubscribe)
        self.add_request_handler("subscriptions/listen", SubscriptionsListenRequestParams, listen)

    async def _list_tools(self, _ctx: Any, _params: Any) -> ListToolsResult:
        tools = [{"name": name, "inputSchema": _SCHEMA} for name in ("touch", "watched", "pid")]
        return ListToolsResult.model_validate({"tools": tools})

    async def _list_resources(self, _ctx: Any, _params: Any) -> ListResourcesResult:
        uris = [f"note://{self._name}/{which}" for which in ("one", "two")]
        return ListResourcesResult.model_validate({"resources": [{"uri": uri, "name": uri} for uri in uris]})

    async def _subscribe(self, ctx: Any, params: SubscribeRequestParams) -> EmptyResult:
        self._subscribed[str(params.uri)] = ctx.session
        return EmptyResult()

    async def _unsubscribe(self, _ctx: Any, params: UnsubscribeRequestParams) -> EmptyResult:
        self._subscribed.pop(str(params.uri), None)
        return EmptyResult()

    async def _call(self, _ctx: Any, params: CallToolRequestParams) -> CallToolResult:
        said = " ".join(sorted(self._subscribed))
        if params.name == "touch":
            uri = (params.arguments or {})["uri"]
            await self._bus.publish(ResourceUpdated(uri=uri))
            session = self._subscribed.get(uri)
            if session is not None:
                await session.send_resource_updated(uri)
        elif params.name == "pid":
            said = str(os.getpid())
        return CallToolResult.model_validate({"content": [{"type": "text", "text": said}]})


class Served:
    """It over streamable HTTP in a process of its own, which may be killed and started on the same port."""

    def __init__(self, name: str) -> None:
        self.url = ""
        self._name = name
        self._port = "0"
        self._process: subprocess.Popen[str] | None = None

    def start(self) -> None:
        """Start it and return when it accepts connections."""
        argv = command(self._name, "--http", self._port)
        self._process = subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        assert self._process.stdout is not None
        self.url = self._process.stdout.readline().strip()
        assert self.url, "the server did not start"
        self._port = self.url.rsplit(":", 1)[1].partition("/")[0]

    def kill(self) -> None:
        """End it by SIGKILL."""
        process = self._process
        if process is not None:
            process.kill()
            process.wait(LIMIT)
            assert process.stdout is not None
            process.stdout.close()
            self._process = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.kill()


async def _serve_stdio(name: str) -> None:
    server = Watchable(name)
    async with stdio_server() as (reading, writing):
        await server.run(reading, writing, server.create_initialization_options(NotificationOptions()))


def _serve_http(name: str, port: int) -> None:
    import uvicorn

    config = uvicorn.Config(Watchable(name).streamable_http_app(), port=port, ws="none", log_config=None)
    socket = config.bind_socket()
    socket.listen(128)
    sys.stdout.write(f"http://127.0.0.1:{socket.getsockname()[1]}/mcp\n")
    sys.stdout.flush()
    uvicorn.Server(config).run(sockets=[socket])


if __name__ == "__main__":
    sys.path[0] = str(Path(__file__).parents[2])
    with suppress(KeyboardInterrupt):
        if "--http" in sys.argv:
            _serve_http(sys.argv[1], int(sys.argv[3]))
        else:
            anyio.run(_serve_stdio, sys.argv[1])
