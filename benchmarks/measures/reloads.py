"""A reload of a configuration of two hundred servers in which one has changed, beside a restart with it."""

import re
import socket
import time
from dataclasses import replace
from pathlib import Path
from typing import Final

from benchmarks import fleet, gateway
from benchmarks.probe import Probe, await_tools
from benchmarks.process import free_port, last_words, running
from benchmarks.samples import Sample, Setting
from onemcp.config.state import StateDir

SERVERS: Final = 200
PER_ROUND: Final = 5
_ANSWER: Final = re.compile(rb'"change":"(\w+)"')
_RELOAD: Final = b"POST /reload HTTP/1.1\r\nHost: onemcp\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"


def measure(setting: Setting) -> list[Sample]:
    """Seconds from the demand to the answer, by which the changed server has been replaced; another is still asked."""
    with fleet.http("all", setting.folder) as one:
        upstreams = [replace(one, name=f"server{number}") for number in range(SERVERS)]
        port = free_port()
        command = gateway.command(setting.executable, upstreams, port, setting.folder, _BY_HAND)
        config = Path(command[command.index("--config") + 1])
        control = StateDir(Path(command[command.index("--state-dir") + 1])).control_socket
        log = setting.folder / f"gateway-{port}.log"
        begin = time.perf_counter()
        with running(command, log) as child:
            await_tools(port, SERVERS, child.poll)
            restart = time.perf_counter() - begin
            samples = [
                Sample("reload.one", _reload(config, control, number), restart) for number in range(PER_ROUND)
            ]
            with Probe(port) as probe:
                probe.check_echo(upstreams[-1].through(port).tool)
        if child.returncode not in (0, -15):
            raise RuntimeError(f"the gateway ended with {child.returncode}: {last_words(log)}")
    return samples


_BY_HAND: Final = (*gateway.QUIET, "--no-enable-config-reload")


def _reload(config: Path, control: Path, number: int) -> float:
    """Change one entry, and have it read.

    Raises:
        RuntimeError: the answer is not that one server was replaced.
    """
    changed = f'"server{number}":{{"headers":{{"x-changed":"{time.monotonic_ns()}"}},'
    config.write_text(re.sub(rf'"server{number}":\{{', changed, config.read_text(), count=1))
    begin = time.perf_counter()
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(30)
        connection.connect(str(control))
        connection.sendall(_RELOAD)
        answer = b""
        while data := connection.recv(1 << 16):
            answer += data
    seconds = time.perf_counter() - begin
    if _ANSWER.findall(answer) != [b"replace"]:
        raise RuntimeError(f"the reload was answered with {answer[-2000:]!r}")
    return seconds
