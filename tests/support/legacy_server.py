"""The server of `sdk_server.py` on the `mcp` 1.x SDK, which the environment `.venv-legacy` has.

    {"command": command("alpha")}
    with LegacyServer("beta") as server:
        ... server.url, server.sse_url

Over HTTP one process serves streamable HTTP and the HTTP+SSE of old. It offers no `leaf`: `grow` and `shrink` are
not there. Nothing beyond the standard library is imported before it serves.
"""

import subprocess
import sys
from pathlib import Path
from types import TracebackType
from typing import Any, Self

PYTHON = Path(__file__).parents[2] / ".venv-legacy" / "bin" / "python"
CITIES = ("Lagos", "Lima", "Lyon", "Oslo")


def command(name: str, *flags: str) -> list[str]:
    """The argument list that starts it, on stdio by default."""
    return [str(PYTHON), "-W", "ignore", __file__, name, *flags]


class LegacyServer:
    """The process over HTTP; entering waits until it accepts connections."""

    def __init__(self, name: str) -> None:
        self.base = ""
        self._command = command(name, "--http")
        self._process: subprocess.Popen[str] | None = None

    @property
    def url(self) -> str:
        """Its endpoint for streamable HTTP."""
        return f"{self.base}/mcp"

    @property
    def sse_url(self) -> str:
        """Its endpoint for HTTP+SSE."""
        return f"{self.base}/sse"

    def __enter__(self) -> Self:
        self._process = subprocess.Popen(
            self._command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        )
        assert self._process.stdout is not None
        self.base = self._process.stdout.readline().strip()
        if not self.base:
            self.__exit__(None, None, None)
            raise AssertionError("the server did not start")
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


def build(name: str) -> Any:
    """The server itself."""
    from mcp.server.fastmcp import FastMCP  # type: ignore[attr-defined]  # of the other environment

    server: Any = FastMCP(name, instructions=f"Ask {name} for sums.", log_level="ERROR")
    server.add_tool(_add, name="add")
    server.add_tool(_fail, name="fail")
    server.resource(f"note://{name}/today", name="today")(lambda: f"today at {name}")
    server.resource(f"note://{name}/days/{{day}}")(_day_of(name))
    server.prompt(name="greet")(_greet)
    server.completion()(_complete)
    return server


def _add(a: int, b: int) -> int:
    return a + b


def _fail() -> str:
    raise ValueError("this tool always fails")


def _day_of(name: str) -> Any:
    def day(day: str) -> str:
        return f"{day} at {name}"

    return day


def _greet(name: str) -> str:
    """Say hello."""
    return f"Hello {name}!"


async def _complete(ref: Any, argument: Any, context: Any) -> Any:
    from mcp.types import Completion

    return Completion(values=[city for city in CITIES if city.startswith(argument.value)])


def serve_http(server: Any) -> None:
    """Both HTTP transports on one port, which the first line of stdout names."""
    import uvicorn

    app = server.streamable_http_app()
    app.router.routes.extend(server.sse_app().routes)
    config = uvicorn.Config(app, host="127.0.0.1", port=0, log_level="error")
    socket = config.bind_socket()
    socket.listen(128)
    sys.stdout.write(f"http://127.0.0.1:{socket.getsockname()[1]}\n")
    sys.stdout.flush()
    uvicorn.Server(config).run(sockets=[socket])


if __name__ == "__main__":
    if "--http" in sys.argv:
        serve_http(build(sys.argv[1]))
    else:
        build(sys.argv[1]).run("stdio")
