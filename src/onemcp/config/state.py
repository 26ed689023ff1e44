"""The state folder: what outlives the process (keys, the store) and where the command line finds it (the control socket)."""

import fcntl
import hashlib
import os
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from onemcp.config.home import home
from onemcp.errors import StartError

_SOCKET_LIMIT: Final = 100
"""Unix socket paths longer than this are refused by some kernels (108 on Linux, 104 on macOS)."""


def default_state_dir(port: int, environ: Mapping[str, str]) -> Path:
    """Where the gateway on this port keeps its state if nobody says otherwise, so that the command line finds it."""
    base = environ.get("XDG_STATE_HOME") or str(home(environ) / ".local" / "state")
    return Path(base) / "onemcp" / str(port)


@dataclass(frozen=True, slots=True)
class StateDir:
    """One gateway's folder."""

    path: Path

    @property
    def lock(self) -> Path:
        """The file whose lock says that a gateway has the folder."""
        return self.path / "lock"

    @property
    def session_key(self) -> Path:
        """The key that session ids are sealed with."""
        return self.path / "session.key"

    @property
    def store(self) -> Path:
        """The file of the store: what sessions remember, and the event streams that can be resumed."""
        return self.path / "store.db"

    @property
    def control_socket(self) -> Path:
        """The control socket; elsewhere, under a name derived from the folder's, if the path would be too long."""
        path = self.path.absolute() / "control.sock"
        if len(str(path)) <= _SOCKET_LIMIT:
            return path
        digest = hashlib.sha256(str(path).encode()).hexdigest()[:16]
        return Path(tempfile.gettempdir()) / f"onemcp-{os.getuid()}-{digest}.sock"

    def identities(self) -> dict[Path, tuple[int, int]]:
        """Device and number of the files that a gateway keeps open in the folder, of those that are there."""
        found = {}
        for path in (self.lock, self.store):
            with suppress(OSError):
                facts = path.stat()
                found[path] = facts.st_dev, facts.st_ino
        return found

    def is_held(self) -> bool:
        """Whether a gateway has the folder; False as well where this user may not see."""
        try:
            lock = os.open(self.lock, os.O_RDONLY | os.O_CLOEXEC)
        except OSError:
            return False
        try:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        finally:
            os.close(lock)
        return False

    @contextmanager
    def held(self) -> Iterator[None]:
        """Make the folder (mode 0700) and keep every other gateway out of it while the block runs.

        Raises:
            StartError: it cannot be written, or another gateway has it.
        """
        try:
            self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
            lock = os.open(self.lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise StartError(
                f"{self.path}: the state folder cannot be used: {error.strerror}",
                "choose another --state-dir",
            ) from error
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(lock)
            raise StartError(
                f"{self.path}: another gateway uses this state folder",
                "stop it, or choose another --state-dir",
            ) from None
        try:
            yield
        finally:
            os.close(lock)
