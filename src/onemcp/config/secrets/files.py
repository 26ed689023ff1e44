"""Files that are replaced whole or not at all, by one process at a time."""

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from onemcp.config.secrets.provider import SecretError

LOCK_TIME: Final = 10.0
"""Seconds to wait for another process that writes."""
_PAUSE: Final = 0.02


def replaced(path: Path, data: bytes) -> None:
    """Write a file of mode 0600, whole or not at all.

    Whoever reads it, at whatever moment, also after a loss of power, reads all of the old one or all of the new one. A
    link is followed, so that it stays one.

    Raises:
        SecretError: it cannot be written; the old one is as it was.
    """
    try:
        path = path.resolve()
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        fresh = path.with_name(f".{path.name}.{os.getpid()}.tmp")
        with suppress(FileNotFoundError):
            fresh.unlink()  # of a process of this number that was killed
        try:
            _write(fresh, data)
            os.replace(fresh, path)  # noqa: PTH105 - the same as Path.replace
        except BaseException:
            fresh.unlink(missing_ok=True)
            raise
        _sync_folder(path.parent)
    except OSError as error:
        raise SecretError(f"{path} cannot be written: {error.strerror}", "nothing was changed") from None


def _write(path: Path, data: bytes) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    with open(descriptor, "wb") as file:  # noqa: PTH123 - it is open already
        file.write(data)
        file.flush()
        os.fsync(descriptor)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def locked(path: Path, *beside: Path) -> Iterator[None]:
    """Keep other writers of a file out while the block runs; readers are not kept out.

    What writers that were killed left of it, and of the files `beside` it that go with it, is removed.

    Raises:
        SecretError: another one does not end, or there can be no lock here.
    """
    path = path.resolve()
    lock = path.with_name(f".{path.name}.lock")
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise SecretError(f"{path} cannot be written: {error.strerror}", "nothing was changed") from None
    try:
        _acquire(descriptor, path)
        for file in (path, *beside):
            _clear(file)
        yield
    finally:
        os.close(descriptor)


def _clear(path: Path) -> None:
    for left in path.parent.glob(f".{path.name}.*.tmp"):
        with suppress(OSError):  # it does no harm
            left.unlink()


def _acquire(descriptor: int, path: Path) -> None:
    until = time.monotonic() + LOCK_TIME
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > until:
                raise SecretError(f"another process writes {path}", "wait for it, or end it") from None
            time.sleep(_PAUSE)
        else:
            return
