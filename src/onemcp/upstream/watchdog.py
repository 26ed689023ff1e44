"""The gateway's side of the watchdog: no process of an upstream outlives its upstream or the gateway.

A parent-death signal does not reach grandchildren and a process group does not hold who leaves it, so a small
process of its own (`watchdog_main.py`) holds a pipe from the gateway and ends what is left when that closes.
"""

import asyncio
import logging
import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager, suppress
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from onemcp.upstream.watchdog_main import VARIABLE

RELEASE_TIMEOUT: Final = 5.0
"""Seconds to wait for the news that nothing of an upstream is left."""
KILL_TIMEOUT: Final = 1.0
"""Seconds that a hard stop waits for the end of what upstreams have started."""
_STOP_TIMEOUT: Final = 10.0
_MIN_LIFE: Final = 1.0
"""A watchdog that dies sooner is not replaced before the next upstream starts."""

_log = logging.getLogger("onemcp.upstream.watchdog")


class Watchdog(AbstractAsyncContextManager["Watchdog"]):
    """Guards the processes of all stdio upstreams; its own process starts with the first of them.

    Per child: `register` before the spawn, with `environment` added to the child's own; `started` after it;
    `release` once it has ended. A gateway that dies anywhere in between leaves nothing. Leaving the context ends
    what was not released. Without a watchdog process (the system refuses one, which is logged) upstreams run all
    the same, guarded by their process groups only.
    """

    def __init__(self) -> None:
        self._instance = os.urandom(8).hex()
        self._serial = 0
        self._pids: dict[str, int] = {}
        self._releases: dict[str, asyncio.Future[int]] = {}
        self._process: subprocess.Popen[bytes] | None = None
        self._rest = b""
        self._since = 0.0
        self._gone: asyncio.Event = asyncio.Event()
        self._loop: asyncio.AbstractEventLoop

    def __repr__(self) -> str:
        """The process and how much it guards, in one line."""
        return f"<Watchdog {self._process.pid if self._process else 'not running'} {len(self._pids)}>"

    @property
    def pid(self) -> int:
        """The process id of the watchdog; 0 while there is none."""
        return self._process.pid if self._process else 0

    async def __aenter__(self) -> Self:
        """Nothing is started before the first upstream."""
        self._loop = asyncio.get_running_loop()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Let the watchdog end what was not released, and wait for its own end."""
        process = self._process
        if process is None:
            return
        assert process.stdin is not None  # a pipe was asked for
        process.stdin.close()
        try:
            async with asyncio.timeout(_STOP_TIMEOUT):
                await self._gone.wait()
        except TimeoutError:
            _log.warning("the watchdog did not end within %g s and is killed", _STOP_TIMEOUT)
            self._bury(process)
        self._pids.clear()

    def register(self) -> str:
        """A tag for an upstream about to be started; starts the watchdog if it does not run."""
        self._serial += 1
        tag = str(self._serial)
        if self._process is None:
            self._start()
        self._pids[tag] = 0
        self._say(f"register {tag}\n")
        return tag

    def environment(self, tag: str) -> Mapping[str, str]:
        """What the child's environment must hold so that it and all that it starts can be found."""
        marks = [*os.environ.get(VARIABLE, "").split(), f"{self._instance}:{tag}"]
        return {VARIABLE: " ".join(marks)}

    def started(self, tag: str, pid: int) -> None:
        """The upstream runs, as the leader of its own session."""
        self._pids[tag] = pid
        self._say(f"started {tag} {pid}\n")

    async def release(self, tag: str) -> int:
        """The upstream has ended: end what remains of it; how many processes these were.

        Returns when nothing is left, or after RELEASE_TIMEOUT, which is logged. Safe to call twice.
        """
        if tag not in self._pids or self._process is None:
            self._pids.pop(tag, None)
            return 0
        future = self._releases.setdefault(tag, self._loop.create_future())
        self._say(f"release {tag}\n")
        try:
            async with asyncio.timeout(RELEASE_TIMEOUT):
                return await future
        except TimeoutError:
            _log.warning("the watchdog did not end the rest of an upstream within %g s", RELEASE_TIMEOUT)
            return 0
        finally:
            self._releases.pop(tag, None)
            self._pids.pop(tag, None)

    def kill(self) -> None:
        """End all upstreams by SIGKILL and return when they are gone, or after KILL_TIMEOUT; blocks the loop meanwhile.

        For the last moment of the process: nothing can be asked of the watchdog afterwards.
        """
        for pid in filter(None, self._pids.values()):
            with suppress(ProcessLookupError, PermissionError):  # the latter: it has become another user's
                os.killpg(pid, signal.SIGKILL)
        process = self._process
        if process is None or process.stdin is None:
            return
        self._say("kill\n")
        process.stdin.close()
        with suppress(subprocess.TimeoutExpired):
            process.wait(KILL_TIMEOUT)

    def _start(self) -> None:
        program = Path(__file__).with_name("watchdog_main.py")
        # It needs nothing of the environment, and must not hold what is secret in it.
        kept = {name: os.environ[name] for name in ("LD_LIBRARY_PATH",) if name in os.environ}
        try:
            process = subprocess.Popen(  # noqa: S603 - our own interpreter and file
                [sys.executable, "-I", "-S", "-E", str(program), self._instance],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                bufsize=0,
                start_new_session=True,
                env=kept,
            )
        except OSError as error:
            _log.error("the watchdog cannot be started, upstreams may leave processes behind: %s", error)
            return
        assert process.stdin is not None  # pipes were asked for
        assert process.stdout is not None
        os.set_blocking(process.stdin.fileno(), False)
        os.set_blocking(process.stdout.fileno(), False)
        self._process, self._rest, self._since = process, b"", self._loop.time()
        self._gone.clear()
        self._loop.add_reader(process.stdout.fileno(), self._hear, process)

    def _say(self, order: str) -> None:
        process = self._process
        if process is None or process.stdin is None or process.stdin.closed:
            return
        try:
            written = os.write(process.stdin.fileno(), order.encode())
        except OSError as error:
            written = 0
            _log.warning("the watchdog cannot be told anything: %s", error)
        if written < len(order):  # It is gone or stands still, with a full pipe; either way of no more use.
            process.kill()

    def _hear(self, process: subprocess.Popen[bytes]) -> None:
        assert process.stdout is not None  # a pipe was asked for
        try:
            data = os.read(process.stdout.fileno(), 1 << 16)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            self._lose(process)
            return
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in lines:
            _, tag, count = line.decode("ascii", "replace").split()
            future = self._releases.get(tag)
            if future is not None and not future.done():
                future.set_result(int(count))

    def _lose(self, process: subprocess.Popen[bytes]) -> None:
        """The watchdog ended: as asked, or there has to be another one."""
        asked = process.stdin is None or process.stdin.closed
        self._bury(process)
        if asked:
            return
        lived = self._loop.time() - self._since
        _log.error("the watchdog died (status %s) after %.1f s", process.returncode, lived)
        if lived >= _MIN_LIFE:
            self._start()
        if self._process is None:
            self._give_up()
        else:
            self._tell_again()

    def _give_up(self) -> None:
        for future in self._releases.values():
            if not future.done():
                future.set_result(0)

    def _tell_again(self) -> None:
        for tag, pid in self._pids.items():
            self._say(f"register {tag}\n")
            if pid:
                self._say(f"started {tag} {pid}\n")
        for tag in self._releases:
            self._say(f"release {tag}\n")

    def _bury(self, process: subprocess.Popen[bytes]) -> None:
        assert process.stdin is not None  # pipes were asked for
        assert process.stdout is not None
        self._loop.remove_reader(process.stdout.fileno())
        process.kill()
        process.wait()
        process.stdin.close()
        process.stdout.close()
        self._process = None
        self._gone.set()
