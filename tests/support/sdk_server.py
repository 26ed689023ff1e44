"""A server of the `mcp` 2.3 SDK that offers some of everything: over stdio as a script, over HTTP in this process.

    {"command": command("alpha")}
    with served("beta") as url: ...

Its resources have its name in their URIs, so that two of them do not collide. Tools: `add`, `fail` (raises), `grow`
and `shrink` (a tool `leaf` comes and goes, which is announced in both eras). Prompt: `greet`, whose `name` can be
completed, as can `day` of the template.
"""

import socket
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

LIMIT: Final = 30.0
CITIES: Final = ("Lagos", "Lima", "Lyon", "Oslo")


def command(name: str) -> list[str]:
    """The argument list that starts it on stdio."""
    return [sys.executable, "-W", "ignore", __file__, name]


@contextmanager
def served(name: str) -> Iterator[str]:
    """It over streamable HTTP, in both eras, in a thread; its address."""
    with serving(build(name)) as url:
        yield url


@contextmanager
def serving(server: Any) -> Iterator[str]:
    """The same of any server of the SDK."""
    import uvicorn

    config = uvicorn.Config(server.streamable_http_app(), ws="none", log_config=None)
    web = uvicorn.Server(config)
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        thread = threading.Thread(target=web.run, args=([sock],))
        thread.start()
        try:
            yield f"http://127.0.0.1:{sock.getsockname()[1]}/mcp"
        finally:
            web.should_exit = True
            thread.join(LIMIT)


def build(name: str) -> Any:
    """The server itself."""
    from mcp.server.mcpserver import MCPServer

    server: Any = MCPServer(name, instructions=f"Ask {name} for sums.", log_level="ERROR")
    _add_tools(server)
    server.resource(f"note://{name}/today", name="today")(lambda: f"today at {name}")
    _add_template(server, name)
    server.prompt(name="greet")(_greet)
    server.completion()(_complete)
    return server


def _add_tools(server: Any) -> None:
    from mcp.server.mcpserver import Context

    async def changed(ctx: Context) -> None:
        await ctx.notify_tools_changed()
        await ctx.session.send_tool_list_changed()

    async def grow(ctx: Context) -> str:
        server.add_tool(lambda: "leaf", name="leaf")
        await changed(ctx)
        return "grown"

    async def shrink(ctx: Context) -> str:
        server.remove_tool("leaf")
        await changed(ctx)
        return "shrunk"

    for tool in (_add, _fail, grow, shrink):
        server.add_tool(tool, name=tool.__name__.removeprefix("_"))


def _add(a: int, b: int) -> int:
    return a + b


def _fail() -> str:
    from mcp.server.mcpserver.exceptions import ToolError

    raise ToolError("this tool always fails")


def _add_template(server: Any, name: str) -> None:
    def of_day(day: str) -> str:
        return f"{day} at {name}"

    server.resource(f"note://{name}/days/{{day}}")(of_day)


def _greet(name: str) -> str:
    """Say hello."""
    return f"Hello {name}!"


async def _complete(ref: Any, argument: Any, context: Any) -> Any:
    from mcp.types import Completion

    return Completion(values=[city for city in CITIES if city.startswith(argument.value)])


if __name__ == "__main__":
    build(sys.argv[1]).run("stdio")
