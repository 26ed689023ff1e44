"""A real gateway process for tests: written configuration, free port, own state folder, ended by its pid.

    with GatewayProcess({"mcpServers": {...}}, folder=tmp_path) as gateway:
        httpx.get(gateway.url)

or `async with`, which does not block the loop. The block begins when the endpoint is open (`/health/live` would
answer), not when the upstreams are ready: wait for those with `gateway.wait_settled()` or `wait_for_output`.
"""

import asyncio
import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Final, Self

BIN: Final = Path(sys.executable).parent
"""Where the servers from PyPI are installed; always on the PATH of what is started here."""
START_LIMIT: Final = 20.0
STOP_LIMIT: Final = 15.0
WAIT_LIMIT: Final = 30.0

_FILE_PAUSE: Final = 0.05
"""Seconds between two looks at a log file, of which nobody tells that it has changed."""
_ENDPOINT: Final = re.compile(r"serves (http://\S+)")
_SETTLED: Final = re.compile(r"\d+ of \d+ servers? ready")


def environment(folder: Path, extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """An environment of its own: nothing of the developer's settings, home and state inside `folder`."""
    home = folder / "home"
    home.mkdir(exist_ok=True)
    kept = {name: os.environ[name] for name in ("LANG", "TMPDIR", "VIRTUAL_ENV") if name in os.environ}
    path = f"{BIN}{os.pathsep}{os.environ.get('PATH', os.defpath)}"
    return {**kept, "PATH": path, "HOME": str(home), "PYTHONUNBUFFERED": "1", **(extra or {})}


def onemcp(
    *arguments: str, folder: Path, environ: Mapping[str, str] | None = None, stdin: str = ""
) -> subprocess.CompletedProcess[str]:
    """Run one command to its end in `folder`, as a person would; bounded."""
    return subprocess.run(
        [sys.executable, "-m", "onemcp", *arguments],
        cwd=folder,
        env=environment(folder, environ),
        input=stdin,
        capture_output=True,
        text=True,
        timeout=WAIT_LIMIT,
        check=False,
    )


class GatewayProcess:
    """One gateway, started when the block is entered and gone when it is left.

    `config` is the document as a dict, or as text for what is not valid JSON. `flags` are further options of
    `serve` (`--enable-async-loading` is not among them by default). Its files stand in `folder`, which one gateway
    at a time may use: `mcp.json`, `state/`, `home/`.
    """

    def __init__(
        self,
        config: Mapping[str, Any] | str,
        *flags: str,
        folder: Path,
        environ: Mapping[str, str] | None = None,
        port: int = 0,
    ) -> None:
        self.folder = folder
        self.state_dir = folder / "state"
        self.url = ""
        """The endpoint, as `http://127.0.0.1:41233/mcp`."""
        self._port = port
        self._flags: Sequence[str] = flags
        self._environ = environment(folder, environ)
        self._process: subprocess.Popen[str] | None = None
        self._streams: dict[str, _Drained] = {}
        self._changed = threading.Condition()
        folder.mkdir(parents=True, exist_ok=True)
        self.config_file = folder / "mcp.json"
        self.config_file.write_text(config if isinstance(config, str) else json.dumps(config, indent=2))

    @property
    def process(self) -> subprocess.Popen[str]:
        """The process itself; there is one from `start` on, also after it has ended."""
        assert self._process is not None, "the gateway has not been started"
        return self._process

    @property
    def pid(self) -> int:
        """Its process id."""
        return self.process.pid

    @property
    def port(self) -> int:
        """The port that it listens on."""
        return int(self.url.rsplit(":", 1)[1].partition("/")[0])

    @property
    def base(self) -> str:
        """The address without the path, as `http://127.0.0.1:41233`."""
        return self.url.removesuffix("/mcp")

    @property
    def stdout(self) -> str:
        """What it has printed so far."""
        return self._streams["stdout"].text

    @property
    def stderr(self) -> str:
        """What it has logged so far."""
        return self._streams["stderr"].text

    @property
    def log(self) -> str:
        """What is in the file that `--log-file` names; empty without one."""
        file = Path(self._flags[self._flags.index("--log-file") + 1]) if "--log-file" in self._flags else None
        return file.read_text() if file is not None and file.is_file() else ""

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    async def __aenter__(self) -> Self:
        return await asyncio.to_thread(self.__enter__)

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await asyncio.to_thread(self.stop)

    def command_line(self) -> Sequence[str]:
        """What `start` runs."""
        command = [sys.executable, "-m", "onemcp", "serve", "--config", str(self.config_file)]
        return [*command, "--port", str(self._port), "--state-dir", str(self.state_dir), *self._flags]

    def start(self) -> None:
        """Start it and return when its endpoint is open; also for a second time after `stop` or `kill`.

        Raises:
            AssertionError: it ended instead, or took too long; with everything that it printed.
        """
        self._process = subprocess.Popen(
            self.command_line(),
            cwd=self.folder,
            env=self._environ,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        assert self._process.stdout is not None
        assert self._process.stderr is not None
        self._streams = {
            "stdout": _Drained(self._process.stdout, self._changed),
            "stderr": _Drained(self._process.stderr, self._changed),
        }
        try:
            self._wait(lambda: self._endpoint() != "", _ENDPOINT.pattern, START_LIMIT)
        except BaseException:
            self.stop()
            raise
        self.url = self._endpoint()

    def _endpoint(self) -> str:
        """The endpoint, from wherever it stands first: what is printed for people, or a log of JSON lines."""
        for text in (self.stdout, self.stderr, self.log):
            found = _ENDPOINT.search(text)
            if found is not None:
                return found[1]
        return ""

    def wait_for_output(self, wanted: str | re.Pattern[str], limit: float = WAIT_LIMIT) -> None:
        """Return when the text (or a match) stands in what it printed on either stream, or in its log file.

        Raises:
            AssertionError: the process ended, or the time was over, without it.
        """
        pattern = re.compile(re.escape(wanted)) if isinstance(wanted, str) else wanted
        self._wait(
            lambda: any(pattern.search(text) for text in (self.stdout, self.stderr, self.log)),
            pattern.pattern,
            limit,
        )

    def wait_settled(self, limit: float = WAIT_LIMIT) -> None:
        """Return when every server is ready or has failed, as its summary says."""
        self.wait_for_output(_SETTLED, limit)

    def _wait(self, condition: Callable[[], bool], what: str, limit: float) -> None:
        deadline = time.monotonic() + limit
        with self._changed:
            while not condition():
                ended = all(stream.ended for stream in self._streams.values())
                left = deadline - time.monotonic()
                if ended or left <= 0:
                    why = "the gateway ended" if ended else f"not within {limit:g} s"
                    raise AssertionError(f"{why}: {what}\n{self.transcript()}")
                self._changed.wait(min(left, _FILE_PAUSE) if "--log-file" in self._flags else left)

    def transcript(self) -> str:
        """All that it printed, for the message of a failing test."""
        return f"--- stdout\n{self.stdout}\n--- stderr\n{self.stderr}"

    def command(self, *arguments: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
        """Run `1mcp ARGUMENTS --state-dir ...` against this gateway."""
        return onemcp(
            *arguments,
            "--state-dir",
            str(self.state_dir),
            folder=self.folder,
            environ=self._environ,
            stdin=stdin,
        )

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to the gateway alone."""
        self.process.send_signal(number)

    def wait(self, limit: float = STOP_LIMIT) -> int:
        """Wait for its end, and for the last of its output; the exit code.

        Raises:
            AssertionError: it did not end within the limit (it is killed then).
        """
        try:
            code = self.process.wait(limit)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait(limit)
            self._close()
            raise AssertionError(f"the gateway did not end within {limit:g} s\n{self.transcript()}") from None
        self._close()
        return code

    def stop(self) -> int:
        """End it in order (SIGTERM), bounded; the exit code. Does nothing to one that has ended."""
        if self.process.poll() is None:
            self.process.terminate()
        return self.wait()

    def kill(self) -> int:
        """End it by SIGKILL."""
        self.process.kill()
        return self.wait()

    def _close(self) -> None:
        for stream in self._streams.values():
            stream.close()


class _Drained:
    """A pipe that a thread reads as it fills, so that the process never waits for the test."""

    def __init__(self, pipe: IO[str], changed: threading.Condition) -> None:
        self.ended = False
        self._pipe = pipe
        self._changed = changed
        self._parts: list[str] = []
        self._thread = threading.Thread(target=self._drain, daemon=True)
        self._thread.start()

    @property
    def text(self) -> str:
        return "".join(self._parts)

    def close(self) -> None:
        """Take what is left. A descendant that outlives the gateway may hold the pipe: then it stays open."""
        self._thread.join(2)
        if not self._thread.is_alive():
            self._pipe.close()

    def _drain(self) -> None:
        for line in self._pipe:
            with self._changed:
                self._parts.append(line)
                self._changed.notify_all()
        with self._changed:
            self.ended = True
            self._changed.notify_all()
