"""The server of the crossing test's last part, on the `mcp` 2.3 SDK over HTTP, in a process of its own.

    with SdkCrossing() as server:
        ... server.url

Its tool `cross` tells of progress and logs, and asks, with the marker that it is called with; its result is the marker
that came back. `cancelled` names the markers of the calls that were cancelled.
"""

import asyncio
import subprocess
import sys
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

from pydantic import BaseModel

ROOT: Final = Path(__file__).parent.parent.parent


class Answer(BaseModel):
    """What it asks for."""

    marker: str


class SdkCrossing:
    """The process; `url` is its endpoint. Entering waits until it accepts connections."""

    def __init__(self) -> None:
        self.url = ""
        self._process: subprocess.Popen[str] | None = None

    def __enter__(self) -> Self:
        command = [sys.executable, "-W", "ignore", "-m", "tests.support.crossing_sdk"]
        self._process = subprocess.Popen(
            command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        )
        assert self._process.stdout is not None
        self.url = self._process.stdout.readline().strip()
        assert self.url, "the server did not start"
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        process = self._process
        assert process is not None
        assert process.stdout is not None
        process.kill()
        process.wait(10)
        process.stdout.close()


def _server() -> Any:
    from mcp.server.mcpserver import Context, MCPServer

    server: Any = MCPServer("crossing", log_level="ERROR")
    cancelled: list[str] = []

    async def cross(marker: str, wait: float, ctx: Context) -> str:
        try:
            for step in (1, 2):
                await ctx.report_progress(step, 2, marker)
                await ctx.info(marker)
                await asyncio.sleep(wait)
            answer = await ctx.elicit(marker, Answer)
        except asyncio.CancelledError:
            cancelled.append(marker)
            raise
        return answer.data.marker if answer.action == "accept" else answer.action

    async def count_cancelled() -> list[str]:
        return cancelled

    server.add_tool(cross)
    server.add_tool(count_cancelled, name="cancelled")
    return server


def main() -> None:
    """Serve until killed; the first line of stdout is the URL."""
    import uvicorn

    config = uvicorn.Config(_server().streamable_http_app(), host="127.0.0.1", port=0, log_level="error")
    socket = config.bind_socket()
    socket.listen(128)
    sys.stdout.write(f"http://127.0.0.1:{socket.getsockname()[1]}/mcp\n")
    sys.stdout.flush()
    uvicorn.Server(config).run(sockets=[socket])


if __name__ == "__main__":
    main()
