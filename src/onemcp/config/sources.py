"""The files that make up one configuration, and the texts in them.

    mcp.json                    the configuration, as it is named
    conf.d/10-web.json          fragments beside it, by name; each is laid over what came before
    mcp.production.json         what is different in the environment of that name, laid over everything
    conf.d/10-web.production.json   the same for a fragment, right after it

What is laid over a file may be in another format: `mcp.production.json` over `mcp.toml`. A folder may be named in the place of a file: its own files are the fragments.

    config.toml                 settings of the gateway, only in a folder called `1mcp` or `onemcp`, where 1MCP has them

It comes first, so that everything else counts over it.
"""

import errno
import os
import os.path
import stat
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from onemcp.config.setting import nearest
from onemcp.core.readable import readable
from onemcp.errors import ConfigError, Problem

MAX_BYTES: Final = 10 * 1024 * 1024
"""The largest configuration file that is read."""
MAX_FRAGMENTS: Final = 1000
FRAGMENTS: Final = "conf.d"
"""The folder beside a configuration whose files belong to it."""
APART: Final = "config.toml"
"""1MCP's file of settings, beside its `mcp.json`."""
HOMES: Final = ("1mcp", "onemcp")
"""Folders in which a file of that name is one of ours; elsewhere it may be any other program's."""
EXTENSIONS: Final = (".json", ".jsonc", ".yaml", ".yml", ".toml")
_DESCRIPTORS: Final = (Path("/dev/fd"), Path("/proc/self/fd"))
_UTF16: Final = (b"\xff\xfe", b"\xfe\xff")


@dataclass(frozen=True, slots=True)
class Source:
    """One file of a configuration."""

    file: str
    """How it is named to people."""
    text: str
    is_overlay: bool = False
    """It says what is different in one environment, and is meant to replace."""


def read_sources(path: Path, environment: str = "") -> tuple[Source, ...]:
    """The files of a configuration in the order in which they are laid over each other.

    Raises:
        ConfigError: one cannot be read, is larger than 10 MiB or not UTF-8, or there is none for this environment, or
            two for one file.
    """
    if is_folder(path):
        fragments = _fragments(path)
        if not fragments:
            raise unreadable(
                readable(str(path)), "there is no configuration in this folder", "put an mcp.json in it"
            )
        found = list(_with_overlays(fragments, environment))
    else:
        found = [(path, False), *_with_overlays(_fragments(path.parent / FRAGMENTS), environment)]
        # A link that leads nowhere is there as well: passed over, it would leave other values in force.
        if os.path.lexists(settings := path.with_name(APART)) and path.parent.absolute().name in HOMES:
            found.insert(0, (settings, False))
        if environment:
            found += [(each, True) for each in _overlays(path, environment, _beside(path, environment))]
    if environment and not any(is_overlay for _, is_overlay in found):
        raise _unknown(path, environment)
    return tuple(Source(readable(str(each)), read_text(each), is_overlay) for each, is_overlay in found)


def is_folder(path: Path) -> bool:
    """Whether it is a folder that can be seen; what cannot be is told by whoever reads it."""
    return os.path.isdir(path)  # noqa: PTH112 - Path.is_dir() raises where nobody may look


def watched(path: Path) -> tuple[Path, ...]:
    """The folders in which a change may be one of the configuration."""
    return (path,) if is_folder(path) else (path.parent, path.parent / FRAGMENTS)


def _with_overlays(fragments: Iterable[Path], environment: str) -> Iterator[tuple[Path, bool]]:
    """Fragments, each followed by its overlay; files that are another environment's are left out."""
    names = {each.name for each in fragments}
    for fragment in fragments:
        if _base(fragment.name, names):
            continue
        yield fragment, False
        if environment:
            yield from ((each, True) for each in _overlays(fragment, environment, names))


def _base(name: str, names: Collection[str]) -> str:
    """The file among `names` that one is laid over, if there is one: `10-web.json` of `10-web.production.json`.

    It is the one in the same format, else one in another.
    """
    stem, _, extension = name.rpartition(".")
    base, between, _ = stem.rpartition(".")
    if not between or not base:
        return ""
    candidates = (f"{base}.{extension}", *(base + each for each in EXTENSIONS))
    return next((each for each in candidates if each in names), "")


def _overlay(path: Path, environment: str) -> Path:
    return path.with_name(f"{path.stem}.{environment}{path.suffix}")


def _beside(path: Path, environment: str) -> set[str]:
    """The names of the file, of its overlay, and of both in other formats, as far as they are there."""
    endings = (path.suffix, *EXTENSIONS)
    wanted = {path.stem + between + each for between in ("", f".{environment}") for each in endings}
    return {name for name in wanted if os.path.lexists(path.with_name(name))}


def _overlays(path: Path, environment: str, names: Collection[str]) -> list[Path]:
    """The file of `names` that says what is different in an environment; none or one.

    Raises:
        ConfigError: there are two, in different formats, and nobody knows which is meant.
    """
    stem = f"{path.stem}.{environment}"
    wanted = dict.fromkeys((stem + path.suffix, *(stem + each for each in EXTENSIONS)))
    found = [
        path.with_name(each)
        for each in wanted
        if each in names and (each == stem + path.suffix or _base(each, names) == path.name)
    ]
    if len(found) > 1:
        what = f"{found[0].name} is there as well, and both would be laid over {path.name}"
        raise unreadable(readable(str(found[1])), what, "keep one of them")
    return found


def _fragments(folder: Path) -> list[Path]:
    """The configuration files in a folder, by name; none where there is no folder."""
    try:
        names = sorted(each.name for each in folder.iterdir())
    except FileNotFoundError as error:
        if folder.is_symlink():
            raise unreadable(
                readable(str(folder)), "the link leads nowhere", "mend it, or take it away"
            ) from error
        return []
    except OSError as error:
        raise unreadable(readable(str(folder)), f"the folder cannot be read: {error.strerror}") from error
    found = [
        folder / name for name in names if name.lower().endswith(EXTENSIONS) and not name.startswith(".")
    ]
    if len(found) > MAX_FRAGMENTS:
        raise unreadable(readable(str(folder)), f"there are more than {MAX_FRAGMENTS} files in it")
    return [each for each in found if not is_folder(each)]


def _unknown(path: Path, environment: str) -> ConfigError:
    """Nothing says what is different in this environment: most likely its name is not meant."""
    folder = path if is_folder(path) else path.parent
    known = sorted(_environments(path))
    wanted = "a fragment of it" if is_folder(path) else _overlay(path, environment).name
    guess = nearest(environment, known)
    fix = f"did you mean {guess}?" if guess else f"there are {', '.join(known)}" if known else ""
    hint = f"write {{}} into {wanted} if nothing is different there"
    what = f"nothing is configured for the environment {environment!r}"
    return unreadable(readable(str(folder)), what, fix or hint)


def _environments(path: Path) -> set[str]:
    """The environments that a configuration has files for."""
    places = [path] if is_folder(path) else [path.parent, path.parent / FRAGMENTS]
    found: set[str] = set()
    for folder in places:
        fragments = _fragments(folder)
        names = {each.name for each in fragments}
        for each in fragments:
            base = _base(each.name, names)
            if base and (folder != path.parent or base == path.name):
                found.add(each.stem.rpartition(".")[2])
    return found


def read_text(path: Path) -> str:
    """The text of a configuration file, as it is.

    Raises:
        ConfigError: it cannot be read, is larger than 10 MiB or not UTF-8.
    """
    file = readable(str(path))
    try:
        data = read_bytes(path)
    except FileNotFoundError:
        raise unreadable(file, "there is no such file", "name the configuration with --config") from None
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise unreadable(file, f"the file cannot be read: {reason}") from error
    if len(data) > MAX_BYTES:
        raise unreadable(file, "the file is larger than 10 MiB", "is this really the configuration?")
    return _decoded(data, file)


def read_bytes(path: Path) -> bytes:
    """What is in a file, or one byte more than the most that is read.

    Raises:
        OSError: it cannot be read, or is a pipe or a socket, which might never have anything.
    """
    if is_passed(path):
        with path.open("rb") as stream:
            return stream.read(MAX_BYTES + 1)
    with open(path, "rb", opener=_without_waiting) as stream:
        if not stat.S_ISREG(os.fstat(stream.fileno()).st_mode):
            raise OSError(errno.EINVAL, "it is no file")
        return stream.read(MAX_BYTES + 1)


def is_passed(path: Path) -> bool:
    """Whether it is a descriptor that a shell passes, as for `--config <(command)`: it can be read once."""
    return path.parent in _DESCRIPTORS


def _without_waiting(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_NONBLOCK)


def _decoded(data: bytes, file: str) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        if data.startswith(_UTF16):
            raise unreadable(file, "the file is UTF-16", "save it as UTF-8") from None
        before = data[: error.start].decode()
        line = before.count("\n") + 1
        column = len(before) - (before.rfind("\n") + 1) + 1
        problem = Problem("the file is not UTF-8 here", "save it as UTF-8", file, line, column)
        raise ConfigError(problem) from None


def unreadable(file: str, what: str, fix: str = "") -> ConfigError:
    """What is wrong with a file as a whole."""
    return ConfigError(Problem(what, fix, file))
