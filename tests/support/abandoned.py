"""A parent that is made to be killed: starts a stubborn upstream under a watchdog, prints its mark, and waits.

With `unstarted` the watchdog is not told of the process, as if the parent had been killed in the middle of starting.
"""

import asyncio
import os
import subprocess
import sys

import uvloop
from tests.support.scripted import command

from onemcp.upstream.channel import Request
from onemcp.upstream.child import Launch
from onemcp.upstream.stdio import StdioChannel
from onemcp.upstream.watchdog import Watchdog

STUBBORN = command("--mode", "stay", "--mode", "grandchild", "--mode", "daemon")


async def main() -> None:
    async with Watchdog() as watchdog:
        if sys.argv[1:] == ["unstarted"]:
            mark = watchdog.environment(watchdog.register())
            await asyncio.create_subprocess_exec(
                *STUBBORN, env=dict(mark), stdin=subprocess.PIPE, start_new_session=True
            )
            await said(next(iter(mark.values())))
        launch = Launch("one", tuple(STUBBORN), dict(os.environ))
        channel = await StdioChannel.open(launch, lambda _: None, watchdog)
        await channel.request(Request("initialize", b'{"protocolVersion":"2025-11-25"}'))
        await said(next(iter(watchdog.environment("1").values())))


async def said(mark: str) -> None:
    sys.stdout.write(f"{mark} {os.getpid()}\n")
    sys.stdout.flush()
    await asyncio.sleep(600)


if __name__ == "__main__":
    uvloop.run(main())
