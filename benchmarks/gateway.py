"""The gateway under measurement, started as a person would start it."""

import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import mkdtemp
from typing import Final

import msgspec

from benchmarks.fleet import Upstream
from benchmarks.probe import Probe, await_tools
from benchmarks.process import last_words, running

QUIET: Final = ("--log-level", "error")


@dataclass(frozen=True, slots=True)
class Gateway:
    """A running gateway whose upstreams are all ready."""

    pid: int
    port: int
    tools: Sequence[str]


def default_executable() -> Path:
    """The `1mcp` of the environment that runs the benchmark."""
    return Path(sys.executable).with_name("1mcp")


def command(
    executable: Path, upstreams: Sequence[Upstream], port: int, folder: Path, flags: Sequence[str] = QUIET
) -> list[str]:
    """A command line that serves the upstreams, with a configuration and a state directory of its own."""
    place = Path(mkdtemp(prefix="", dir=folder))  # short: a socket in it has a path of at most 104 bytes
    config = place / "mcp.json"
    config.write_bytes(msgspec.json.encode({"mcpServers": {each.name: each.entry() for each in upstreams}}))
    place_flags = ["--host", "127.0.0.1", "--port", str(port), "--state-dir", str(place / "s")]
    return [
        str(executable),
        "serve",
        "--config",
        str(config),
        *place_flags,
        *flags,
        "--enable-async-loading",
    ]


@contextmanager
def serving(
    executable: Path, upstreams: Sequence[Upstream], port: int, folder: Path, flags: Sequence[str] = QUIET
) -> Iterator[Gateway]:
    """A gateway in front of the upstreams, every one of which has been listed and called once.

    Raises:
        RuntimeError: it did not get ready, or a call through it came back wrong; with the end of its log.
    """
    log = folder / f"gateway-{port}.log"
    with running(command(executable, upstreams, port, folder, flags), log) as child:
        yield Gateway(child.pid, port, _ready(child, upstreams, port, log))


def _ready(child: subprocess.Popen[bytes], upstreams: Sequence[Upstream], port: int, log: Path) -> list[str]:
    try:
        names = await_tools(port, sum(upstream.tools for upstream in upstreams), child.poll)
        with Probe(port) as probe:
            for upstream in upstreams:
                probe.check_echo(upstream.through(port).tool)
    except (TimeoutError, RuntimeError) as error:
        raise RuntimeError(f"the gateway (exit {child.poll()}): {error}\n{last_words(log)}") from error
    return names
