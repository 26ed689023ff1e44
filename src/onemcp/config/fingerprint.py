"""Telling whether a configuration's files are others than before: a quick look, and one at all they hold."""

import hashlib
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

from onemcp.config.dotenv import NAME as DOTENV
from onemcp.config.sources import EXTENSIONS, Source, is_folder, read_bytes, read_sources, watched
from onemcp.errors import ConfigError

MAX_FILES: Final = 4096
"""Files of a folder that are looked at."""

Facts = tuple[tuple[str, int, int, int, int], ...]


def facts(path: Path) -> Facts:
    """Names, sizes, times and numbers of all files that may belong to a configuration: cheap, and read from no file.

    Links are followed, so that a link which leads elsewhere now (`..data` in a mounted ConfigMap) is a change. The time
    of the last change of the inode cannot be set back, as that of the content can.
    """
    return tuple(sorted(_facts(path)))


def fingerprint(path: Path, environment: str = "") -> str:
    """Of the names and contents of the files that make up a configuration, or of why they cannot be read."""
    beside = beside_of(path)
    try:
        return fingerprint_of(read_sources(path, environment), beside)
    except ConfigError as error:
        return fingerprint_of(error, beside)


def fingerprint_of(sources: Iterable[Source] | ConfigError, beside: bytes) -> str:
    """Of files that were read, or of why they could not be, and of the `.env` beside them."""
    digest = hashlib.blake2b(digest_size=16)
    if isinstance(sources, ConfigError):
        _add(digest, "error", str(sources).encode())
    else:
        for source in sources:
            _add(digest, source.file, source.text.encode())
    _add(digest, DOTENV, beside)
    return digest.hexdigest()


def beside_of(path: Path) -> bytes:
    """What is in the `.env` beside a configuration, or why that cannot be read."""
    try:
        return read_bytes(watched(path)[0] / DOTENV)
    except OSError as error:
        return str(error.errno).encode()


def _facts(path: Path) -> Iterator[tuple[str, int, int, int, int]]:
    for folder in watched(path):
        try:
            names = os.listdir(folder)  # noqa: PTH208 - names are all that is wanted
        except OSError as error:
            yield str(folder), -1, error.errno or 0, 0, 0
            continue
        wanted = [name for name in names if name.lower().endswith(EXTENSIONS) or name == DOTENV]
        if not is_folder(path) and path.name not in wanted and folder == path.parent:
            wanted.append(path.name)
        for name in wanted[:MAX_FILES]:
            try:
                seen = os.stat(folder / name)  # noqa: PTH116 - with what follows, the same
            except OSError as error:
                yield str(folder / name), -1, error.errno or 0, 0, 0
            else:
                yield str(folder / name), seen.st_size, seen.st_mtime_ns, seen.st_ctime_ns, seen.st_ino


def _add(digest: hashlib.blake2b, name: str, data: bytes) -> None:
    """Lengths keep one file's end apart from the next one's beginning."""
    for part in (name.encode(errors="surrogatepass"), data):
        digest.update(len(part).to_bytes(8, "big"))
        digest.update(part)
