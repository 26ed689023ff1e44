"""What an idle session costs in memory, over what its connection costs a uvicorn server that does nothing."""

import asyncio
import sys
from contextlib import ExitStack

import uvloop

from benchmarks import fleet, messages
from benchmarks.channels import HttpChannel, ask, connect
from benchmarks.gateway import serving
from benchmarks.handshake import INITIALIZED, open_session
from benchmarks.process import announced_port, free_port, running
from benchmarks.samples import Sample, Setting
from benchmarks.usage import rss_kib

WARM_UP = 50


def measure(setting: Setting) -> list[Sample]:
    """Open sessions, each on a connection that stays open, and see by how much the process has grown."""
    with (
        fleet.pair(setting.folder) as upstreams,
        serving(setting.executable, upstreams, free_port(), setting.folder) as gateway,
    ):
        session = uvloop.run(_growth(gateway.pid, gateway.port, setting.sessions, mcp=True))
    log = setting.folder / "bare.log"
    with running([sys.executable, "-m", "benchmarks.upstreams.bare"], log, announces=True) as child:
        bare = uvloop.run(_growth(child.pid, announced_port(child, log), setting.sessions, mcp=False))
    return [Sample("session.kib", session - bare), Sample("session.bare", bare)]


async def _growth(pid: int, port: int, sessions: int, *, mcp: bool) -> float:
    """KiB a session, after some sessions have warmed the process up."""
    with ExitStack() as stack:
        for _ in range(WARM_UP):
            stack.callback((await _open(port, mcp=mcp)).close)
        before = rss_kib(pid)
        channels = [await _open(port, mcp=mcp) for _ in range(sessions)]
        for channel in channels:
            stack.callback(channel.close)
        grown = rss_kib(pid) - before
        await asyncio.sleep(0)
        if not all(channel.is_open for channel in channels):
            raise RuntimeError("the server has closed idle connections: their memory cannot be measured")
        return grown / sessions


async def _open(port: int, *, mcp: bool) -> HttpChannel:
    """A connection on which two POSTs were answered: the same bytes to a server that knows MCP and to a bare one."""
    channel = await connect(port)
    if mcp:
        await open_session(channel)
    else:
        await ask(channel, 0, messages.post(messages.initialize_body()))
        await ask(channel, 0, messages.post(INITIALIZED, messages.HANDSHAKE_HEADERS))
    return channel
