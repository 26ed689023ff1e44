"""A child process: started without a shell, in a session of its own, read without a task, stopped within a bound."""

import asyncio
import errno
import os
import signal
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final, cast

from onemcp.errors import Reason, UpstreamError

WINDOW: Final = 0.1
SHARE: Final = 0.25
"""The part of the loop's time that the output of one child may cost, in windows of WINDOW seconds; a child that
costs more is not read until it has paid for that with silence."""
_LAST_WAIT: Final = 5.0
"""Seconds to wait for the end of a process that was sent SIGKILL (it may sleep in the kernel)."""


@dataclass(frozen=True, slots=True)
class Launch:
    """What to start for which upstream."""

    server: str
    argv: tuple[str, ...]
    """Program and arguments; the program is looked up on the PATH of `env`."""
    env: Mapping[str, str]
    """The whole environment of the child."""
    cwd: str = ""
    """Working directory; empty for the gateway's own."""

    def check(self) -> None:
        """See beforehand what would keep it from starting, where that can be said better than by the system.

        Raises:
            UpstreamError: UNFIT; what is missing and what to do.
        """
        if "\0" in "".join((*self.argv, self.cwd, *self.env, *self.env.values())):
            raise self.unfit("its command, arguments or environment hold a NUL character; take it out")
        if self.cwd and not Path(self.cwd).is_dir():
            what = "is not a folder" if Path(self.cwd).exists() else "does not exist"
            raise self.unfit(f'the working directory "{self.cwd}" {what}; create it or correct "cwd"')
        if not self.argv or not self.argv[0]:
            raise self.unfit('has no command; give it a "command"')
        if "/" in self.argv[0]:
            self._check_file(Path(self.cwd, self.argv[0]))
        else:
            self._check_path()

    def unfit(self, what: str) -> UpstreamError:
        """The error for what somebody has to change before it can start."""
        return UpstreamError(self.server, Reason.UNFIT, what, ran=False)

    def _check_file(self, file: Path) -> None:
        command = self.argv[0]
        if not file.exists():
            raise self.unfit(f'command "{command}" does not exist; install it or correct "command"')
        if file.is_dir():
            raise self.unfit(f'command "{command}" is a folder, not a program; correct "command"')
        if not os.access(file, os.X_OK):
            raise self.unfit(
                f'command "{command}" is not executable; make it so (chmod +x) or start it by its interpreter'
            )

    def _check_path(self) -> None:
        path = self.env.get("PATH", os.defpath)
        found = [Path(self.cwd, folder, self.argv[0]) for folder in path.split(os.pathsep)]
        files = [file for file in found if file.is_file()]
        if not files:
            raise self.unfit(
                f'command "{self.argv[0]}" was not found on PATH; install it or give its full path'
            )
        if not any(os.access(file, os.X_OK) for file in files):
            raise self.unfit(
                f'command "{self.argv[0]}" is not executable ({files[0]}); make it so (chmod +x)'
            )

    def explain(self, error: OSError | ValueError) -> UpstreamError:
        """The error for a start that the system refused although `check` had no objection."""
        if isinstance(error, ValueError):
            return self.unfit(f'command "{self.argv[0]}" cannot be run: {error}')
        if isinstance(error, FileNotFoundError):
            return self.unfit(
                f'command "{self.argv[0]}" cannot be run: the interpreter that its first line names was not found'
            )
        what = f'command "{self.argv[0]}" cannot be run: {error.strerror or error}'
        if error.errno in _TRANSIENT:
            return UpstreamError(self.server, Reason.UNREACHABLE, what, ran=False)
        return self.unfit(what)


_OUTBOX: Final = 64 * 1024
"""Bytes that wait for the end of a turn of the loop; as much as a pipe takes at once."""
_TRANSIENT: Final = frozenset({errno.EAGAIN, errno.ENOMEM, errno.ENFILE, errno.EMFILE})
"""The same start may work later."""


class Child(asyncio.SubprocessProtocol):
    """One running child. Its output goes to two callbacks, which must not raise."""

    def __init__(self, on_output: Callable[[bytes], None], on_stderr: Callable[[bytes], None]) -> None:
        loop = asyncio.get_running_loop()
        self.pid = 0
        self.exited: asyncio.Future[int] = loop.create_future()
        """Its status, negative for a signal, as soon as it has ended; whoever else holds its pipes."""
        self.drained: asyncio.Future[None] = loop.create_future()
        """Done when nothing more comes from its stdout."""
        self.silent: asyncio.Future[None] = loop.create_future()
        """Done when nothing more comes from its stderr either."""
        self.is_clogged = False
        """It has not taken what was written so far."""
        self._takes_input = False
        self._feeds = {1: on_output, 2: on_stderr}
        self._loop = loop
        self._window = 0.0
        self._spent = 0.0
        self._resumption: asyncio.TimerHandle | None = None
        self._outbox: list[bytes] = []
        self._outbox_bytes = 0
        self._transport: asyncio.SubprocessTransport
        self._stdin: asyncio.WriteTransport

    @classmethod
    async def spawn(
        cls,
        launch: Launch,
        environment: Mapping[str, str],
        on_output: Callable[[bytes], None],
        on_stderr: Callable[[bytes], None],
    ) -> "Child":
        """Start it, with `environment` on top of its own.

        Raises:
            UpstreamError: UNFIT or UNREACHABLE; nothing runs.
        """
        launch.check()
        _keep_descriptors()
        loop = asyncio.get_running_loop()
        try:
            _, child = await loop.subprocess_exec(
                lambda: cls(on_output, on_stderr),
                *launch.argv,
                cwd=launch.cwd or None,
                env={**launch.env, **environment},
                start_new_session=True,
                close_fds=True,
            )
        except (OSError, ValueError) as error:
            raise launch.explain(error) from None
        return child

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """It runs."""
        # Casts, here and below: uvloop's transports are no subclasses of asyncio's.
        self._transport = cast("asyncio.SubprocessTransport", transport)
        self._stdin = cast("asyncio.WriteTransport", self._transport.get_pipe_transport(0))
        self.pid = self._transport.get_pid()
        self._takes_input = True

    def pipe_data_received(self, fd: int, data: bytes) -> None:
        """Pass on, and keep account of what that costs."""
        start = time.perf_counter()
        self._feeds[fd](data)
        now = time.perf_counter()
        if now - self._window > WINDOW:
            self._window = start
            self._spent = 0.0
        self._spent += now - start
        if self._spent > WINDOW * SHARE and self._resumption is None:
            self._pause(self._window + self._spent / SHARE - now)

    def pipe_connection_lost(self, fd: int, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio's signature
        """One of the pipes is closed."""
        if fd == 0:
            self._takes_input = False
            return
        self._feeds.pop(fd, None)
        for end, is_over in ((self.drained, 1 not in self._feeds), (self.silent, not self._feeds)):
            if is_over and not end.done():
                end.set_result(None)

    def process_exited(self) -> None:
        """It has ended."""
        status = self._transport.get_returncode()
        if not self.exited.done():
            self.exited.set_result(status if status is not None else 255)
        if self._resumption is not None:
            self._resumption.cancel()
            self._resume()  # What it wrote last is wanted now.

    def pause_writing(self) -> None:
        """It does not read as fast as we write."""
        self.is_clogged = True

    def resume_writing(self) -> None:
        """It has caught up."""
        self.is_clogged = False

    @property
    def backlog(self) -> int:
        """Bytes written that it has not taken."""
        return self._stdin.get_write_buffer_size() + self._outbox_bytes if self._takes_input else 0

    def write(self, data: bytes, *, together: bool = False) -> bool:
        """Queue for its stdin; never blocks. False if that is closed and nothing was handed over.

        What is written `together` waits for the end of this turn of the loop and goes into the pipe at once: with
        many requests under way that saves nearly one system call each, with few it costs a turn.
        """
        if not self._takes_input or self._stdin.is_closing():
            return False
        if not together and not self._outbox:
            self._stdin.write(data)
            return not self._stdin.is_closing()
        if not self._outbox:
            self._loop.call_soon(self._flush)
        self._outbox.append(data)
        self._outbox_bytes += len(data)
        if self._outbox_bytes > _OUTBOX:
            self._flush()
        return True

    def _flush(self) -> None:
        if self._outbox and self._takes_input and not self._stdin.is_closing():
            self._stdin.write(b"".join(self._outbox))
        self._outbox.clear()
        self._outbox_bytes = 0

    async def stop(self, patience: float) -> None:
        """Close its stdin, then SIGTERM, then SIGKILL to its group, `patience` seconds apart; take it off the loop.

        Safe to call twice. Cancelled, it goes straight to SIGKILL.
        """
        self._flush()
        self._takes_input = False
        try:
            self._stdin.close()
            for number in (signal.SIGTERM, signal.SIGKILL):
                if await self._has_ended(patience):
                    return
                self._signal(number)
            await self._has_ended(_LAST_WAIT)
        except asyncio.CancelledError:
            self._signal(signal.SIGKILL)
            raise
        finally:
            if self._resumption is not None:
                self._resumption.cancel()
            if self._stdin.get_write_buffer_size():
                self._stdin.abort()  # A close waits until all is written, and this child never reads it.
            self._transport.close()

    async def _has_ended(self, timeout: float) -> bool:
        done, _ = await asyncio.wait((self.exited,), timeout=timeout)
        return bool(done)

    def _signal(self, number: signal.Signals) -> None:
        # As long as it is not reaped its pid is its own, and so is the group that it leads.
        if self._transport.get_returncode() is None:
            with suppress(ProcessLookupError, PermissionError):  # The latter: it has become another user's.
                os.killpg(self.pid, number)

    def _pause(self, seconds: float) -> None:
        """Leave the loop to others for a while; what the child writes waits in the pipe."""
        for fd in (1, 2):
            self._reader(fd).pause_reading()
        self._resumption = self._loop.call_later(seconds, self._resume)

    def _resume(self) -> None:
        self._resumption = None
        for fd in (1, 2):
            self._reader(fd).resume_reading()

    def _reader(self, fd: int) -> asyncio.ReadTransport:
        return cast("asyncio.ReadTransport", self._transport.get_pipe_transport(fd))


def ending(status: int) -> str:
    """How a process ended, for a person."""
    if status >= 0:
        return f"exited with status {status}"
    try:
        return f"was ended by signal {signal.Signals(-status).name}"
    except ValueError:
        return f"was ended by signal {-status}"


@cache
def _keep_descriptors() -> None:
    """Let no child inherit what the gateway itself was given; Python opens nothing inheritable on its own."""
    for entry in Path("/dev/fd").iterdir():
        if int(entry.name) > 2:
            with suppress(OSError):  # The one that listed the folder is closed.
                os.set_inheritable(int(entry.name), False)
