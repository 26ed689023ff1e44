"""From the start of the process to the first answered `initialize`, with async loading."""

import socket
import time
from collections.abc import Sequence

from benchmarks import fleet, gateway, messages
from benchmarks.process import free_port, last_words, running
from benchmarks.samples import Sample, Setting

PER_ROUND = 2


def measure(setting: Setting) -> list[Sample]:
    """Some starts of the gateway, and of an echo server on HTTP, which is a Python process that starts too."""
    samples = []
    with fleet.pair(setting.folder) as upstreams:
        for _ in range(PER_ROUND):
            port, other = free_port(), free_port()
            command = gateway.command(setting.executable, upstreams, port, setting.folder)
            here = first_answer(command, port, setting)
            there = first_answer([*upstreams[1].command, "--port", str(other)], other, setting)
            samples.append(Sample("start.initialize", here, there))
    return samples


def first_answer(command: Sequence[str], port: int, setting: Setting) -> float:
    """Seconds until the server that the command starts has answered `initialize`, to the millisecond.

    Raises:
        RuntimeError: it did not within 30 seconds.
    """
    log = setting.folder / f"start-{port}.log"
    begin = time.perf_counter()
    with running(command, log) as child:
        while time.perf_counter() < begin + 30 and child.poll() is None:
            if _initialized(port):
                return time.perf_counter() - begin
            time.sleep(0.001)
        raise RuntimeError(f"{command} did not answer initialize within 30 s: {last_words(log)}")


def _initialized(port: int) -> bool:
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
            connection.sendall(messages.post(messages.initialize_body()))
            answer = b""
            while b'"protocolVersion"' not in answer:
                data = connection.recv(1 << 16)
                if not data:
                    return False
                answer += data
            return True
    except ConnectionError:
        return False
