"""The load generator: a closed loop of sessions, each with one request under way, for one window of time.

It runs as a process of its own (`python -m benchmarks.load`): a `Load` as JSON on stdin, a `Window` as JSON on
stdout. Every answer is checked for its status and for the text that only its request had.
"""

import asyncio
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import AsyncExitStack

import msgspec
import uvloop

from benchmarks import messages
from benchmarks.channels import LOST, Channel, HttpChannel, StdioChannel, connect
from benchmarks.handshake import open_session
from benchmarks.window import Recorder, Window


class Target(msgspec.Struct, frozen=True):
    """Where a session's requests go: an HTTP server on a loopback port, or a child process on stdio."""

    tool: str = ""
    port: int = 0
    command: tuple[str, ...] = ()


class Load(msgspec.Struct, frozen=True):
    """What to do: session i sends `method` to target i modulo their number, over and over.

    Every answer must also contain `contains`. `pids` are the processes whose CPU time belongs to the figure;
    children of the generator are added to them.
    """

    targets: Sequence[Target]
    sessions: int
    seconds: float
    warmup: float = 0.2
    method: str = "tools/call"
    stateless: bool = False
    contains: str = ""
    pids: Sequence[int] = ()


class Session:
    """One client: sends a request, checks the answer, sends the next."""

    def __init__(
        self, channel: Channel, template: messages.Template, recorder: Recorder, contains: bytes = b""
    ) -> None:
        self._channel = channel
        self._template = template
        self._recorder = recorder
        self._contains = contains
        self._status = b"HTTP/1.1 200" if isinstance(channel, HttpChannel) else b""

    def call(self) -> None:
        """Send the next request."""
        number = next(messages.numbers)
        request, self._proof = self._template.numbered(number)
        self._sent = time.perf_counter()
        self._channel.send(number, request, self._answered)

    def _answered(self, data: bytes) -> None:
        recorder = self._recorder
        if recorder.over:
            return
        elapsed = time.perf_counter() - self._sent
        if self._proof in data and data.startswith(self._status) and self._contains in data:
            recorder.latencies.append(elapsed)
        else:
            recorder.errors += 1
        if data is not LOST:
            self.call()


async def _channel(
    target: Target, stack: AsyncExitStack, children: dict[tuple[str, ...], StdioChannel]
) -> Channel:
    if target.port:
        channel = await connect(target.port)
        stack.callback(channel.close)
        return channel
    if target.command not in children:
        loop = asyncio.get_running_loop()
        _, child = await loop.subprocess_exec(StdioChannel, *target.command, stderr=None)
        stack.push_async_callback(child.aclose)
        children[target.command] = child
    return children[target.command]


async def _template(load: Load, target: Target, channel: Channel) -> messages.Template:
    if load.method == "tools/call":
        data = messages.call_body(target.tool, stateless=load.stateless)
    else:
        data = messages.body(load.method, stateless=load.stateless)
    if isinstance(channel, StdioChannel):
        request = data + b"\n"
    elif load.stateless:
        request = messages.post(data, messages.stateless_headers(load.method, target.tool))
    else:
        request = messages.post(data, await open_session(channel))
    return messages.Template(request, messages.proof_of(load.method))


async def generate(load: Load) -> Window:
    """Open the sessions, warm up, measure, close.

    Raises:
        OSError: a server cannot be reached or does not open a session.
    """
    async with AsyncExitStack() as stack:
        children: dict[tuple[str, ...], StdioChannel] = {}
        channels = [
            await _channel(load.targets[i % len(load.targets)], stack, children) for i in range(load.sessions)
        ]
        recorder = Recorder([*load.pids, *(child.pid for child in children.values())])
        contains = load.contains.encode()
        sessions = []
        for i, channel in enumerate(channels):
            template = await _template(load, load.targets[i % len(load.targets)], channel)
            sessions.append(Session(channel, template, recorder, contains))
        for session in sessions:
            session.call()
        await asyncio.sleep(load.warmup)
        recorder.begin()
        await asyncio.sleep(load.seconds)
        return recorder.end()


def run(load: Load) -> Window:
    """The same in a process of its own, which is given a minute more than the window.

    Raises:
        RuntimeError: it failed; the message has its last words.
    """
    process = subprocess.run(
        [sys.executable, "-m", "benchmarks.load"],
        input=msgspec.json.encode(load),
        capture_output=True,
        check=False,
        timeout=load.seconds + load.warmup + 60,
    )
    if process.returncode:
        raise RuntimeError(f"the load generator failed: {process.stderr.decode()[-2000:]}")
    return msgspec.json.decode(process.stdout, type=Window)


def main() -> None:
    load = msgspec.json.decode(sys.stdin.buffer.read(), type=Load)
    sys.stdout.buffer.write(msgspec.json.encode(uvloop.run(generate(load))))


if __name__ == "__main__":
    main()
