"""An upstream that offers what the conformance suite expects, on the `mcp` 2.3 SDK, in both eras.

    python -m tests.conformance.fixture            on stdio
    python -m tests.conformance.fixture --http     over streamable HTTP; its first line is its address
    python -m tests.conformance.fixture --handshake [--http]     as a server that knows no stateless era

The root of the project must be on the Python path.
"""

import sys
from pathlib import Path
from typing import Any, Final

import anyio
from mcp.server import NotificationOptions, Server
from mcp.server.models import InitializationOptions
from mcp.server.request_state import RequestStateBoundary, RequestStateSecurity
from mcp.server.runner import serve_loop
from mcp.server.stdio import stdio_server
from mcp.shared.exceptions import MCPError
from mcp.types import (
    INVALID_PARAMS,
    CallToolRequestParams,
    CompleteRequestParams,
    CompleteResult,
    Completion,
    EmptyResult,
    GetPromptRequestParams,
    ListPromptsResult,
    ListResourcesResult,
    ListResourceTemplatesResult,
    ListToolsResult,
    PaginatedRequestParams,
    ReadResourceRequestParams,
    ReadResourceResult,
    SetLevelRequestParams,
    SubscribeRequestParams,
    SubscriptionsListenRequestParams,
    UnsubscribeRequestParams,
)
from starlette.types import ASGIApp, Receive, Scope, Send
from tests.conformance import prompts, resources, tools
from tests.conformance.changes import Changes
from tests.conformance.conversation import STATELESS, Context, Conversation, InputRequired
from tests.conformance.event_log import EventLog

ROOT: Final = Path(__file__).parents[2]
NAME: Final = "conformance-fixture"
RETRY_MS: Final = 50
REFUSAL: Final = b'{"jsonrpc":"2.0","id":null,"error":{"code":-32000,"message":"Server not initialized"}}'


def command(*flags: str) -> list[str]:
    """The argument list that starts it; with `PYTHONPATH` from `ENVIRONMENT`."""
    return [sys.executable, "-W", "ignore", "-m", "tests.conformance.fixture", *flags]


ENVIRONMENT: Final = {"PYTHONPATH": str(ROOT)}


class Fixture(Server[Any]):
    """The server; it says in both eras that its lists change."""

    def __init__(self) -> None:
        super().__init__(NAME, version="1.0.0", instructions="Ask for what the suite asks for.")
        self.changes = Changes()
        self.middleware.append(RequestStateBoundary(RequestStateSecurity.ephemeral(), default_audience=NAME))
        self._serve_tools()
        self._serve_prompts()
        self._serve_resources()
        self.add_request_handler("completion/complete", CompleteRequestParams, self._complete)
        self.add_request_handler("logging/setLevel", SetLevelRequestParams, self._nothing)
        listen = self.changes.listen
        self.add_request_handler("subscriptions/listen", SubscriptionsListenRequestParams, listen)

    def create_initialization_options(
        self,
        notification_options: NotificationOptions | None = None,
        experimental_capabilities: dict[str, dict[str, Any]] | None = None,
        extensions: dict[str, dict[str, Any]] | None = None,
    ) -> InitializationOptions:
        """As the SDK's, with list changes declared."""
        options = notification_options or NotificationOptions(
            prompts_changed=True, resources_changed=True, tools_changed=True
        )
        return super().create_initialization_options(options, experimental_capabilities, extensions)

    def _serve_tools(self) -> None:
        self.add_request_handler("tools/list", PaginatedRequestParams, self._list_tools)
        self.add_request_handler("tools/call", CallToolRequestParams, self._call_tool)

    def _serve_prompts(self) -> None:
        self.add_request_handler("prompts/list", PaginatedRequestParams, self._list_prompts)
        self.add_request_handler("prompts/get", GetPromptRequestParams, self._get_prompt)

    def _serve_resources(self) -> None:
        self.add_request_handler("resources/list", PaginatedRequestParams, self._list_resources)
        self.add_request_handler("resources/templates/list", PaginatedRequestParams, self._list_templates)
        self.add_request_handler("resources/read", ReadResourceRequestParams, self._read)
        self.add_request_handler("resources/subscribe", SubscribeRequestParams, self._nothing)
        self.add_request_handler("resources/unsubscribe", UnsubscribeRequestParams, self._nothing)

    async def _list_tools(self, ctx: Context, params: PaginatedRequestParams) -> ListToolsResult:
        listed = [tool.entry for tool in tools.TOOLS]
        if self.changes.tool:
            listed.append(tools.Tool("test_dynamic_tool", tools.always()).entry)
        return ListToolsResult.model_validate({"tools": listed})

    async def _call_tool(self, ctx: Context, params: CallToolRequestParams) -> Any:
        if params.name not in tools.BY_NAME:
            raise MCPError(INVALID_PARAMS, f"there is no tool {params.name}")
        call = tools.Call(Conversation(ctx, params), params.arguments or {}, self.changes)
        try:
            return await tools.call_tool(params.name, call)
        except InputRequired as required:
            return required.result

    async def _list_prompts(self, ctx: Context, params: PaginatedRequestParams) -> ListPromptsResult:
        listed = [prompts.entry(name, arguments) for name, arguments in prompts.ARGUMENTS.items()]
        if self.changes.prompt:
            listed.append(prompts.entry("test_dynamic_prompt"))
        return ListPromptsResult.model_validate({"prompts": listed})

    async def _get_prompt(self, ctx: Context, params: GetPromptRequestParams) -> Any:
        try:
            return await prompts.get_prompt(params.name, params.arguments or {}, Conversation(ctx, params))
        except InputRequired as required:
            return required.result

    async def _list_resources(self, ctx: Context, params: PaginatedRequestParams) -> ListResourcesResult:
        return ListResourcesResult.model_validate({"resources": resources.entries()})

    async def _list_templates(
        self, ctx: Context, params: PaginatedRequestParams
    ) -> ListResourceTemplatesResult:
        return ListResourceTemplatesResult.model_validate({"resourceTemplates": [resources.TEMPLATE]})

    async def _read(self, ctx: Context, params: ReadResourceRequestParams) -> ReadResourceResult:
        return resources.read(ctx, params.uri)

    async def _complete(self, ctx: Context, params: CompleteRequestParams) -> CompleteResult:
        values = [word for word in ("paris", "park", "party") if word.startswith(params.argument.value)]
        return CompleteResult(completion=Completion(values=values, total=len(values), has_more=False))

    async def _nothing(self, ctx: Context, params: Any) -> EmptyResult:
        return EmptyResult()


def without_stateless(app: ASGIApp) -> ASGIApp:
    """The application, as a server answers that has never heard of the stateless era."""

    async def guarded(scope: Scope, receive: Receive, send: Send) -> None:
        if dict(scope.get("headers", ())).get(b"mcp-protocol-version") != STATELESS.encode():
            await app(scope, receive, send)
            return
        headers = [(b"content-type", b"application/json"), (b"content-length", str(len(REFUSAL)).encode())]
        await send({"type": "http.response.start", "status": 400, "headers": headers})
        await send({"type": "http.response.body", "body": REFUSAL})

    return guarded


async def serve_stdio(*, handshake: bool) -> None:
    """Serve one client on stdin and stdout, to its end."""
    fixture = Fixture()
    options = fixture.create_initialization_options()
    async with stdio_server() as (reading, writing):
        if handshake:
            await serve_loop(fixture, reading, writing, lifespan_state={}, init_options=options)
        else:
            await fixture.run(reading, writing, options)


def serve_http(*, handshake: bool) -> None:
    """Serve on a free port of this machine, which the first line of stdout names."""
    import uvicorn

    app: ASGIApp = Fixture().streamable_http_app(event_store=EventLog(), retry_interval=RETRY_MS)
    # Of the two parsers of uvicorn, only h11 trims the white space around the value of a header.
    config = uvicorn.Config(
        without_stateless(app) if handshake else app, port=0, http="h11", ws="none", log_level="error"
    )
    socket = config.bind_socket()
    socket.listen(128)
    sys.stdout.write(f"http://127.0.0.1:{socket.getsockname()[1]}/mcp\n")
    sys.stdout.flush()
    uvicorn.Server(config).run(sockets=[socket])


if __name__ == "__main__":
    only_handshake = "--handshake" in sys.argv
    if "--http" in sys.argv:
        serve_http(handshake=only_handshake)
    else:
        anyio.run(lambda: serve_stdio(handshake=only_handshake))
