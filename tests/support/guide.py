"""The examples of the documentation, for tests that hold a page to what it says.

An example is a fenced block whose info string names it: "```bash example=start". Blocks without a name are not read.
"""

import re
import shlex
import socket
import subprocess
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import uvicorn
from mcp.server import MCPServer
from tests.support.gateway import WAIT_LIMIT, GatewayProcess

DOCS: Final = Path(__file__).parents[2] / "docs"
GUIDE: Final = DOCS / "guide.md"
GUIDE_ZH: Final = DOCS / "guide.zh.md"

_BLOCK: Final = re.compile(
    r"^```(?P<language>\w+) example=(?P<name>\S+)\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL
)


@dataclass(frozen=True, slots=True)
class Command:
    """One command line of a page, with the variables that lines before it export."""

    argv: tuple[str, ...]
    environ: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Example:
    """One named block."""

    name: str
    language: str
    text: str

    def commands(self) -> list[Command]:
        """The command lines of a shell block."""
        exported: dict[str, str] = {}
        commands = []
        for line in self.text.splitlines():
            words = shlex.split(line)
            if words[0] == "export":
                name, _, value = words[1].partition("=")
                exported[name] = value
            else:
                commands.append(Command(tuple(words), dict(exported)))
        return commands

    def command(self) -> Command:
        """The only one."""
        (command,) = self.commands()
        return command


def examples(page: Path) -> dict[str, Example]:
    """The named blocks of a page, in its order."""
    found = [Example(**match.groupdict()) for match in _BLOCK.finditer(page.read_text(encoding="utf-8"))]
    names = [example.name for example in found]
    assert len(set(names)) == len(names), f"{page.name} names a block twice"
    return dict(zip(names, found, strict=True))


def free_port() -> int:
    """A port that nobody listens on at this moment, for a command that has to name one."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


class GuideGateway(GatewayProcess):
    """The gateway that a command of the guide starts: typed as it stands there, in a folder with its `mcp.json`.

    Only the port is another one, by `ONE_MCP_PORT`, and `more` is typed after the command.
    """

    def __init__(
        self,
        command: Command,
        config: Mapping[str, object] | str,
        *more: str,
        folder: Path,
        environ: Mapping[str, str] | None = None,
        port: int = 0,
    ) -> None:
        chosen = {**command.environ, **(environ or {}), "ONE_MCP_PORT": str(port)}
        super().__init__(config, folder=folder, environ=chosen)
        self._argv: Sequence[str] = (*command.argv, *more)

    def command_line(self) -> Sequence[str]:
        """What `start` runs."""
        return self._argv

    def type(self, command: Command) -> subprocess.CompletedProcess[str]:
        """Run another command of the guide beside it, as it stands there."""
        environ = {**self._environ, **command.environ, "ONE_MCP_PORT": str(self.port)}
        return subprocess.run(
            command.argv,
            cwd=self.folder,
            env=environ,
            capture_output=True,
            text=True,
            timeout=WAIT_LIMIT,
            check=False,
        )


@contextmanager
def docs_server() -> Iterator[str]:
    """A server on the MCP SDK, over HTTP, with the tool `search`; its address."""
    server = MCPServer("docs")
    server.add_tool(search)
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        config = uvicorn.Config(server.streamable_http_app(), ws="none", log_config=None)
        web = uvicorn.Server(config)
        thread = threading.Thread(target=web.run, args=([sock],))
        thread.start()
        try:
            yield f"http://127.0.0.1:{sock.getsockname()[1]}/mcp"
        finally:
            web.should_exit = True
            thread.join(WAIT_LIMIT)


def search(words: str) -> str:
    """Search the documentation."""
    return f"found {words}"
