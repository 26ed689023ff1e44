"""Containers without an engine: an image's command as process 1 of namespaces of its own, as its user.

The root is read-only, all capabilities are gone for good, and the network is a loopback of its own, so that ports
are those that are written down.
"""

import os
import shlex
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from tests.support.gateway import WAIT_LIMIT
from tests.support.images import LAY_ROOT, UNSHARE, Image

TMPFS: Final = Path("tmpfs")
"""In the place of a folder: a volume in memory."""


class Container:
    """One container, from the beginning of the block to its end.

    `volumes` are folders, or files, of this machine by where the container has them; `names` lead to its loopback, on
    which a container given as `beside` is, too.
    """

    def __init__(
        self,
        image: Image,
        args: Sequence[str] = (),
        env: Mapping[str, str] | None = None,
        volumes: Mapping[str, Path] | None = None,
        names: Sequence[str] = (),
    ) -> None:
        self.beside: Container | None = None
        self._image = image
        self._argv = (*image.entrypoint, *(args or image.cmd))
        self._env = {**image.env, **(env or {})}
        self._volumes = volumes or {}
        self._log = image.folder / f"log.{id(self)}"
        self._hosts = image.folder / f"hosts.{id(self)}"
        self._hosts.write_text(f"127.0.0.1 {' '.join(('localhost', *names))}\n")
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def output(self) -> str:
        """What it has printed so far."""
        return self._log.read_text()

    def __enter__(self) -> Self:
        """Start it; its ports may not be open yet: see `until`."""
        join = ["nsenter", f"--net=/proc/{self.beside.pid}/ns/net"] if self.beside else []
        net = [] if self.beside else ["--net"]
        shell = ["sh", "-c", self._script(), "sh", str(self._image.folder)]
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                [*join, *UNSHARE, *net, *shell, *self._argv],
                env=self._env,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._process is not None
        if self._process.poll() is None:
            os.kill(self.pid, signal.SIGKILL)  # all others end with the first process of their namespace
        self._process.wait(WAIT_LIMIT)

    @property
    def pid(self) -> int:
        """Its first process, as this machine numbers it."""
        assert self._process is not None
        children = Path(f"/proc/{self._process.pid}/task/{self._process.pid}/children")
        deadline = time.monotonic() + WAIT_LIMIT
        while not (found := children.read_text().split()) and time.monotonic() < deadline:
            time.sleep(0.01)
        return int(found[0])

    def run(self, *argv: str) -> subprocess.CompletedProcess[str]:
        """Another command in it, as `docker exec` does."""
        inside = ["nsenter", "--target", str(self.pid), "--mount", "--net", "--pid", "--root", "--wd"]
        return subprocess.run(
            [*inside, *self._as_user(), *argv],
            env=self._env,
            capture_output=True,
            text=True,
            timeout=WAIT_LIMIT,
            check=False,
        )

    def until(self, *argv: str) -> subprocess.CompletedProcess[str]:
        """Run a command again and again until it succeeds.

        Raises:
            AssertionError: it did not in time, or the container ended.
        """
        assert self._process is not None
        deadline = time.monotonic() + WAIT_LIMIT
        while self._process.poll() is None and time.monotonic() < deadline:
            done = self.run(*argv)
            if done.returncode == 0:
                return done
            time.sleep(0.1)
        raise AssertionError(f"{shlex.join(argv)} did not succeed\n{self.output}")

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to its first process."""
        os.kill(self.pid, number)

    def wait(self) -> int:
        """Wait for its end; the exit code."""
        assert self._process is not None
        return self._process.wait(WAIT_LIMIT)

    def _script(self) -> str:
        lines = [LAY_ROOT]
        for place, what in {**self._volumes, "/etc/hosts": self._hosts}.items():
            where, source = shlex.quote(place.lstrip("/")), shlex.quote(str(what))
            make = "touch" if what.is_file() else "mkdir -p"
            how = "-t tmpfs -o mode=1777 tmpfs" if what == TMPFS else f"--bind {source}"
            lines.append(f"{make} {where}; mount {how} {where}")
        lines += [
            'mount -o remount,ro "$1/root"; shift',
            "" if self.beside else "ip link set lo up",
            f'exec chroot . {shlex.join(self._as_user())} env --chdir={self._image.workdir} "$@"',
        ]
        return "\n".join(lines)

    def _as_user(self) -> list[str]:
        user, _, group = self._image.user.partition(":")
        who = ["--reuid", user, "--regid", group, "--clear-groups"]
        return ["setpriv", *who, "--no-new-privs", "--bounding-set=-all", "--inh-caps=-all"]
