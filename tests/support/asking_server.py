"""A server of the `mcp` 2.3 SDK whose tools ask: over stdio as a script, over HTTP in this process.

    {"command": command("alpha"), "protocol": "2025-11-25", "roots": true}
    with served("beta") as url: ...

Tools: `plan` (a form, the model and the roots, one after the other, with progress), `sign` (a URL, whose end is
announced), `enter` (a URL as an error, once) and `wait` (a form; it writes into a file how it ended).
"""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import anyio
from mcp.server.mcpserver import Context, MCPServer
from mcp.shared.exceptions import UrlElicitationRequiredError
from mcp.shared.message import ServerMessageMetadata
from mcp.types import (
    CreateMessageRequest,
    CreateMessageRequestParams,
    CreateMessageResult,
    ElicitRequest,
    ElicitRequestFormParams,
    ElicitRequestURLParams,
    ElicitResult,
    ListRootsRequest,
    ListRootsResult,
    SamplingMessage,
    TextContent,
)

HANDSHAKE: Final = "2025-11-25"


def command(name: str) -> list[str]:
    """The argument list that starts it on stdio."""
    return [sys.executable, "-W", "ignore", __file__, name]


@contextmanager
def served(name: str) -> Iterator[str]:
    """It over streamable HTTP, in a thread; its address."""
    from tests.support.sdk_server import serving

    with serving(build(name)) as url:
        yield url


def build(name: str) -> Any:
    """The server itself."""
    server: Any = MCPServer(name, log_level="ERROR")
    for tool in (_plan, _sign, _enter(), _wait):
        server.add_tool(tool, name=tool.__name__.removeprefix("_"))
    return server


async def _ask(ctx: Any, question: Any, kind: Any) -> Any:
    related = ServerMessageMetadata(related_request_id=ctx.request_id)
    return await ctx.session.send_request(question, kind, metadata=related)


def _form(message: str) -> Any:
    schema = {"type": "object", "properties": {"answer": {"type": "string"}}, "required": ["answer"]}
    return ElicitRequest(params=ElicitRequestFormParams(message=message, requested_schema=schema))


def _visit(elicitation: str) -> Any:
    return ElicitRequestURLParams(
        message="Please sign", url=f"https://example.com/{elicitation}", elicitation_id=elicitation
    )


async def _plan(topic: str, ctx: Context[Any, Any]) -> str:
    await ctx.report_progress(1, 3)
    form = await _ask(ctx, _form(f"How is {topic}?"), ElicitResult)
    await ctx.report_progress(2, 3)
    message = SamplingMessage(role="user", content=TextContent(text=topic))
    sampling = CreateMessageRequest(params=CreateMessageRequestParams(messages=[message], max_tokens=9))
    sampled = await _ask(ctx, sampling, CreateMessageResult)
    await ctx.report_progress(3, 3)
    roots = await _ask(ctx, ListRootsRequest(), ListRootsResult)
    return f"{form.content['answer']}, {sampled.content.text}, {roots.roots[0].uri}"


async def _sign(elicitation: str, ctx: Context[Any, Any]) -> str:
    answer = await _ask(ctx, ElicitRequest(params=_visit(elicitation)), ElicitResult)
    await ctx.session.send_elicit_complete(elicitation)
    return str(answer.action)


def _enter() -> Any:
    seen: set[str] = set()

    async def enter(elicitation: str) -> str:
        if elicitation not in seen:
            seen.add(elicitation)
            raise UrlElicitationRequiredError([_visit(elicitation)])
        return "in"

    return enter


async def _wait(file: str, ctx: Context[Any, Any]) -> str:
    try:
        answer = await _ask(ctx, _form("And?"), ElicitResult)
    except anyio.get_cancelled_exc_class():
        Path(file).write_text("cancelled")  # noqa: ASYNC240 - what is cancelled cannot wait for a thread
        raise
    return str(answer.action)


if __name__ == "__main__":
    build(sys.argv[1]).run("stdio")
