"""The file that a SQLite store lives in: opened, checked, made if it is not there; and what its errors mean."""

import sqlite3
import stat
from pathlib import Path
from typing import Any, Final

from onemcp.errors import StartError, StoreError

_APPLICATION: Final = 0x6F6E6D63
"""Marks the file as ours (`PRAGMA application_id`)."""
_VERSION: Final = 1
"""Of the tables (`PRAGMA user_version`)."""
_LOCK_TIMEOUT: Final = 1.0
"""Seconds in which another process may still be letting go of the file."""
_JOURNAL_LIMIT: Final = 16 << 20
"""Bytes that the write-ahead log is cut back to after it was larger."""

# AUTOINCREMENT is the promise that versions rise over deletes and reopenings: SQLite keeps the highest ever given.
_TABLES: Final = f"""
CREATE TABLE entries (
    version INTEGER PRIMARY KEY AUTOINCREMENT, key TEXT NOT NULL UNIQUE, expires REAL NOT NULL, value BLOB NOT NULL
);
CREATE INDEX entries_by_expiry ON entries (expires);
CREATE TABLE events (
    serial INTEGER PRIMARY KEY, stream TEXT NOT NULL, number INTEGER NOT NULL, time REAL NOT NULL, data BLOB NOT NULL
);
CREATE UNIQUE INDEX events_by_number ON events (stream, number);
PRAGMA application_id = {_APPLICATION};
PRAGMA user_version = {_VERSION};
"""

_ELSEWHERE: Final = "choose another --state-dir"
_AWAY: Final = "move it away; the gateway then makes a new one and clients begin new sessions"
_FIXES: Final = {
    "SQLITE_FULL": "free space on the disk",
    "SQLITE_IOERR": "see whether the disk is full or failing",
    "SQLITE_BUSY": "stop the other process that uses it, or choose another --state-dir",
    "SQLITE_NOTADB": _AWAY,
    "SQLITE_CORRUPT": _AWAY,
}


def open_database(path: Path, max_bytes: int) -> sqlite3.Connection:
    """The file, locked against every other process until the connection is closed, mode 0600 if we may set it.

    It may grow to about `max_bytes`; then SQLite says that it is full.

    Raises:
        StartError: it cannot be used (no such folder, no right, in use, damaged, not ours, of a newer version).
    """
    try:
        _make_private(path)
    except OSError as error:
        raise StartError(f"{path}: the store cannot be opened: {error.strerror}", _ELSEWHERE) from error
    database: sqlite3.Connection | None = None
    try:
        database = sqlite3.connect(path, timeout=_LOCK_TIMEOUT, isolation_level=None)
        _prepare(database, path, max_bytes)
    except (sqlite3.Error, StartError) as error:
        if database:
            database.close()
        if isinstance(error, StartError):
            raise
        what = "damaged" if _name(error) == "SQLITE_CORRUPT" else str(error)
        raise StartError(f"{path}: the store cannot be opened: {what}", _fix(error, _ELSEWHERE)) from error
    return database


def failure(path: Path, error: Exception) -> StoreError:
    """What an error in the course of an operation means."""
    return StoreError(
        f"{path}: the store failed: {error}", _fix(error, "see whether the file can be written")
    )


def _make_private(path: Path) -> None:
    # An existing file is not opened here: closing it again would lift SQLite's locks on it (POSIX fcntl).
    if not path.exists():
        path.touch(0o600)
    mode = path.stat().st_mode
    if not stat.S_ISREG(mode):
        raise StartError(f"{path}: the store cannot be opened: this is not a file", _ELSEWHERE)
    if mode & 0o077:
        path.chmod(0o600)


def _prepare(database: sqlite3.Connection, path: Path, max_bytes: int) -> None:
    """Lock, set, check; make the tables in an empty file, all or none."""
    _pragma(database, "locking_mode = EXCLUSIVE")
    empty = not _pragma(database, "schema_version")
    if not empty and _pragma(database, "application_id") != _APPLICATION:
        raise StartError(f"{path}: this is a database of another program", _AWAY)
    if (version := _pragma(database, "user_version")) > _VERSION:
        raise StartError(
            f"{path}: the store was written by a newer onemcp (version {version} of the tables, we know {_VERSION})",
            "use that one, or " + _AWAY,
        )
    _pragma(database, "journal_mode = WAL")
    _pragma(database, "synchronous = NORMAL")
    _pragma(database, f"journal_size_limit = {_JOURNAL_LIMIT}")
    _pragma(database, f"max_page_count = {max(1, max_bytes // _pragma(database, 'page_size'))}")
    if (found := _pragma(database, "quick_check(1)")) != "ok":
        raise StartError(f"{path}: the store is damaged: {found}", _AWAY)
    if empty:
        database.executescript(f"BEGIN EXCLUSIVE; {_TABLES} COMMIT;")


def _pragma(database: sqlite3.Connection, text: str) -> Any:
    """Set or ask; the first value of the answer."""
    row = database.execute(f"PRAGMA {text}").fetchone()
    return row[0] if row else None


def _name(error: Exception) -> str:
    """SQLite's name of an error without its detail: SQLITE_IOERR, not SQLITE_IOERR_WRITE."""
    return "_".join(str(getattr(error, "sqlite_errorname", "")).split("_")[:2])


def _fix(error: Exception, otherwise: str) -> str:
    return _FIXES.get(_name(error), otherwise)
