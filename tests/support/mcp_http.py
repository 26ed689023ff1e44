"""A server of the `mcp` 2.3 SDK over HTTP, in a process of its own: streamable HTTP in both eras, or HTTP+SSE.

    with SdkServer("--json") as server:
        ... server.url

Tools: `echo`, `hang` (until cancelled), `talk` (progress and a log line first), `grow` (announces that the tools
changed, in both eras), `poll` (closes its stream before it answers, so that the client has to resume it),
`cancelled` (how many calls of `hang` were).
"""

import argparse
import subprocess
import sys
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

ROOT: Final = Path(__file__).parent.parent.parent
START_LIMIT: Final = 30.0


class SdkServer:
    """The process; `url` is its endpoint. Entering waits until it accepts connections."""

    def __init__(self, *flags: str) -> None:
        self.url = ""
        self._flags = flags
        self._process: subprocess.Popen[str] | None = None

    def __enter__(self) -> Self:
        command = [sys.executable, "-W", "ignore", "-m", "tests.support.mcp_http", *self._flags]
        self._process = subprocess.Popen(
            command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        )
        assert self._process.stdout is not None
        self.url = self._process.stdout.readline().strip()
        if not self.url:
            self._stop()
            raise AssertionError("the server did not start")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop()

    def _stop(self) -> None:
        process = self._process
        assert process is not None
        assert process.stdout is not None
        process.kill()
        process.wait(10)
        process.stdout.close()


def _server() -> Any:
    import asyncio

    from mcp.server.mcpserver import Context, MCPServer

    server: Any = MCPServer("sdk", log_level="ERROR")
    cancelled = 0

    async def echo(text: str) -> str:
        return text

    async def hang() -> str:
        nonlocal cancelled
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            cancelled += 1
            raise
        return "done"

    async def count_cancelled() -> str:
        return str(cancelled)

    async def talk(ctx: Context) -> str:
        await ctx.report_progress(1, 2, "half")
        await ctx.info("working")
        return "done"

    async def grow(ctx: Context) -> str:
        server.add_tool(lambda: "leaf", name="leaf")
        await ctx.notify_tools_changed()
        await ctx.session.send_tool_list_changed()
        return "grown"

    async def poll(ctx: Context) -> str:
        await asyncio.sleep(
            0.05
        )  # The SDK forgets the stream's first event if it is closed as early as this.
        await ctx.close_sse_stream()
        await asyncio.sleep(0.05)
        return "polled"

    for tool in (echo, hang, talk, grow, poll):
        server.add_tool(tool)
    server.add_tool(count_cancelled, name="cancelled")
    return server


def _store() -> Any:
    from mcp.server.streamable_http import EventMessage, EventStore

    class Store(EventStore):
        def __init__(self) -> None:
            self.events: list[tuple[str, Any]] = []

        async def store_event(self, stream_id: str, message: Any) -> str:
            self.events.append((stream_id, message))
            return str(len(self.events))

        async def replay_events_after(self, last_event_id: str, send_callback: Any) -> str | None:
            position = int(last_event_id)
            stream_id = self.events[position - 1][0]
            for number, (stream, message) in enumerate(self.events[position:], position + 1):
                if stream == stream_id and message is not None:
                    await send_callback(EventMessage(message, str(number)))
            return stream_id

    return Store()


def main() -> None:
    """Serve until killed; the first line of stdout is the URL."""
    import uvicorn

    parser = argparse.ArgumentParser()
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--events", action="store_true")
    parser.add_argument("--sse", action="store_true")
    options = parser.parse_args()
    server = _server()
    if options.sse:
        app, path = server.sse_app(), "/sse"
    else:
        store = _store() if options.events else None
        app = server.streamable_http_app(json_response=options.json, event_store=store, retry_interval=20)
        path = "/mcp"
    config = uvicorn.Config(app, host="127.0.0.1", port=0, log_level="error")
    socket = config.bind_socket()
    socket.listen(128)
    print(f"http://127.0.0.1:{socket.getsockname()[1]}{path}", flush=True)  # noqa: T201 - how the port is told
    uvicorn.Server(config).run(sockets=[socket])


if __name__ == "__main__":
    main()
