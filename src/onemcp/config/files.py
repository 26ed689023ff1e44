"""Files that are replaced whole or not at all, by one process at a time."""

import errno
import fcntl
import glob
import os
import stat
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from onemcp.errors import StoreError

LOCK_TIME: Final = 10.0
"""Seconds to wait for another process that writes."""
_PAUSE: Final = 0.02
_UNCHANGED: Final = "nothing was changed"
_WHY: Final = {
    errno.EACCES: "may this user write there?",
    errno.EPERM: "may this user write there, and is the file its own?",
    errno.EROFS: "it is mounted to be read only; change it where it comes from",
    errno.EBUSY: "it is mounted by itself; change it outside, or mount its folder",
}


def replaced(path: Path, data: bytes, like: os.stat_result | None = None, backup: Path | None = None) -> None:
    """Write a file whole or not at all, with the mode and the owner of `like`, else for its owner alone.

    Whoever reads it, at whatever moment, also after a loss of power, reads all of the old one or all of the new one. A
    link is replaced and not followed: resolve the path first where it is to stay one. What the file holds now is in
    `backup` afterwards, likewise.

    Raises:
        StoreError: it cannot be written; the old one is as it was.
    """
    fresh: list[tuple[Path, Path]] = []
    try:
        contents = {path: data} if backup is None else {backup: path.read_bytes(), path: data}
        fresh = [(target.with_name(f".{target.name}.{os.getpid()}.tmp"), target) for target in contents]
        for file, target in fresh:
            file.unlink(missing_ok=True)  # of a process of this number that was killed
            _write(file, contents[target], like)
        for file, target in fresh:
            os.replace(file, target)  # noqa: PTH105 - the same as Path.replace
    except OSError as error:
        raise _refused(path, error) from None
    finally:
        for file, _ in fresh:
            with suppress(OSError):
                file.unlink(missing_ok=True)
    _sync_folder(path.parent)


def _refused(path: Path, error: OSError) -> StoreError:
    why = _WHY.get(error.errno or 0)
    fix = f"{_UNCHANGED}; {why}" if why else _UNCHANGED
    return StoreError(f"{path} cannot be written: {error.strerror}", fix)


def _write(path: Path, data: bytes, like: os.stat_result | None) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    with open(descriptor, "wb") as file:  # noqa: PTH123 - it is open already
        if like is not None:
            _make_like(descriptor, like)
        file.write(data)
        file.flush()
        os.fsync(descriptor)


def _make_like(descriptor: int, like: os.stat_result) -> None:
    own = os.fstat(descriptor)
    if (own.st_uid, own.st_gid) != (like.st_uid, like.st_gid):
        os.fchown(descriptor, like.st_uid, like.st_gid)
    os.fchmod(descriptor, stat.S_IMODE(like.st_mode))


def _sync_folder(folder: Path) -> None:
    """What was written is there already; where folders cannot be synced, their names are as durable as they can be."""
    with suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


@contextmanager
def locked(path: Path, *beside: Path, patience: float = LOCK_TIME) -> Iterator[None]:
    """Keep other writers of a file out while the block runs; readers are not kept out.

    What writers that were killed left of it, and of the files `beside` it that go with it, is removed. `patience` are the
    seconds to wait for another one.

    Raises:
        StoreError: another one does not end, or there can be no lock here.
    """
    lock = path.with_name(f".{path.name}.lock")
    descriptor = _acquired(lock, path, patience)
    try:
        for file in (path, *beside):
            clear(file)
        yield
    finally:
        with suppress(OSError):  # it does no harm
            lock.unlink()
        os.close(descriptor)


def clear(path: Path) -> None:
    """Remove what writers of a file that were killed left of it. For who keeps other writers of it out, and nobody else."""
    for left in path.parent.glob(f".{glob.escape(path.name)}.[0-9]*.tmp"):
        with suppress(OSError):  # it does no harm
            left.unlink()


def _acquired(lock: Path, path: Path, patience: float) -> int:
    until = time.monotonic() + patience
    while True:
        try:
            descriptor = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise _refused(path, error) from None
        if _holds(descriptor, lock):
            return descriptor
        os.close(descriptor)
        if time.monotonic() > until:
            raise StoreError(f"another process writes {path}", "wait for it, or end it")
        time.sleep(_PAUSE)


def _holds(descriptor: int, lock: Path) -> bool:
    """Whether it has the lock, and of the file that is there still: whoever had it before has removed the file."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return os.path.samestat(os.fstat(descriptor), lock.stat())
    except (BlockingIOError, FileNotFoundError):
        return False
