"""The upstreams of a measurement, each as an entry of `mcp.json` and as a target that can be called directly."""

import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks.load import Target
from benchmarks.process import ROOT, announced_port, running
from benchmarks.upstreams.echo import HANDSHAKE, STATELESS


@dataclass(frozen=True, slots=True)
class Upstream:
    """One echo server. Without a port it speaks stdio and is started by whoever wants to talk to it."""

    name: str
    tools: int
    command: tuple[str, ...]
    port: int = 0
    pid: int = 0

    def entry(self) -> dict[str, object]:
        """Its entry under `mcpServers`."""
        if self.port:
            return {"type": "http", "url": f"http://127.0.0.1:{self.port}/mcp"}
        return {"command": self.command[0], "args": list(self.command[1:]), "cwd": str(ROOT)}

    def direct(self, tool: str = "echo") -> Target:
        """How the load generator reaches it without a gateway."""
        return Target(tool, port=self.port, command=() if self.port else self.command)

    def through(self, gateway_port: int, tool: str = "echo") -> Target:
        """How the load generator reaches it through a gateway."""
        return Target(f"{self.name}_1mcp_{tool}", port=gateway_port)


def command(transport: str, tools: int, era: str) -> tuple[str, ...]:
    """The command line of an echo server."""
    return (sys.executable, "-m", f"benchmarks.upstreams.{transport}", "--tools", str(tools), "--era", era)


def stdio(name: str, tools: int = 1, era: str = HANDSHAKE) -> Upstream:
    """An upstream on stdio."""
    return Upstream(name, tools, command("stdio", tools, era))


@contextmanager
def http(name: str, folder: Path, tools: int = 1, era: str = HANDSHAKE) -> Iterator[Upstream]:
    """An upstream on HTTP, running."""
    line = command("http", tools, era)
    log = folder / f"{name}.log"
    with running(line, log, announces=True) as child:
        yield Upstream(name, tools, line, announced_port(child, log), child.pid)


@contextmanager
def pair(folder: Path) -> Iterator[tuple[Upstream, Upstream]]:
    """One upstream on each transport, of the handshake era and with one tool."""
    with http("http", folder) as second:
        yield stdio("stdio"), second


@contextmanager
def both_eras(folder: Path) -> Iterator[dict[str, Upstream]]:
    """One upstream on each transport in each era, by name."""
    with pair(folder) as old, http("http-new", folder, era=STATELESS) as fourth:
        upstreams: Sequence[Upstream] = (*old, stdio("stdio-new", era=STATELESS), fourth)
        yield {upstream.name: upstream for upstream in upstreams}


@contextmanager
def many(folder: Path) -> Iterator[list[Upstream]]:
    """Ten upstreams, half of them on HTTP, with fifty tools each."""
    with ExitStack() as stack:
        half = [stack.enter_context(http(f"http{i}", folder, tools=50)) for i in range(5)]
        yield [*(stdio(f"stdio{i}", tools=50) for i in range(5)), *half]
