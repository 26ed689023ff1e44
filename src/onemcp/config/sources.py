"""The files that make up one configuration, and the texts in them.

    mcp.json                    the configuration, as it is named
    conf.d/10-web.json          fragments beside it, by name; each is laid over what came before
    mcp.production.json         what is different in the environment of that name, laid over everything
    conf.d/10-web.production.json   the same for a fragment, right after it

A folder may be named in the place of a file: its own files are the fragments.

    config.toml                 settings of the gateway, only in a folder called `1mcp` or `onemcp`, where 1MCP has them

It comes first, so that everything else counts over it.
"""

from collections.abc import Iterable, Iterator
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
        ConfigError: one cannot be read, is larger than 10 MiB or not UTF-8, or there is none for this environment.
    """
    if path.is_dir():
        fragments = _fragments(path)
        if not fragments:
            raise unreadable(
                readable(str(path)), "there is no configuration in this folder", "put an mcp.json in it"
            )
        found = list(_with_overlays(fragments, environment))
    else:
        found = [(path, False), *_with_overlays(_fragments(path.parent / FRAGMENTS), environment)]
        if (settings := path.with_name(APART)).is_file() and path.parent.absolute().name in HOMES:
            found.insert(0, (settings, False))
        if environment and (overlay := _overlay(path, environment)).is_file():
            found.append((overlay, True))
    if environment and not any(is_overlay for _, is_overlay in found):
        raise _unknown(path, environment)
    return tuple(Source(readable(str(each)), read_text(each), is_overlay) for each, is_overlay in found)


def watched(path: Path) -> tuple[Path, ...]:
    """The folders in which a change may be one of the configuration."""
    return (path,) if path.is_dir() else (path.parent, path.parent / FRAGMENTS)


def _with_overlays(fragments: Iterable[Path], environment: str) -> Iterator[tuple[Path, bool]]:
    """Fragments, each followed by its overlay; files that are another environment's are left out."""
    names = {each.name for each in fragments}
    for fragment in fragments:
        base = _base(fragment.name)
        if base in names:
            continue
        yield fragment, False
        if environment and _overlay(fragment, environment).name in names:
            yield _overlay(fragment, environment), True


def _base(name: str) -> str:
    """The file that one of this name is laid over, if it is such a file: `10-web.json` of `10-web.production.json`."""
    stem, dot, extension = name.rpartition(".")
    base, between, _ = stem.rpartition(".")
    return f"{base}{dot}{extension}" if between and base else ""


def _overlay(path: Path, environment: str) -> Path:
    return path.with_name(f"{path.stem}.{environment}{path.suffix}")


def _fragments(folder: Path) -> list[Path]:
    """The configuration files in a folder, by name; none where there is no folder."""
    try:
        names = sorted(each.name for each in folder.iterdir())
    except (FileNotFoundError, NotADirectoryError):
        return []
    except OSError as error:
        raise unreadable(readable(str(folder)), f"the folder cannot be read: {error.strerror}") from error
    found = [folder / name for name in names if name.endswith(EXTENSIONS) and not name.startswith(".")]
    if len(found) > MAX_FRAGMENTS:
        raise unreadable(readable(str(folder)), f"there are more than {MAX_FRAGMENTS} files in it")
    return [each for each in found if not each.is_dir()]


def _unknown(path: Path, environment: str) -> ConfigError:
    """Nothing says what is different in this environment: most likely its name is not meant."""
    folder = path if path.is_dir() else path.parent
    known = sorted(_environments(path))
    wanted = "a fragment of it" if path.is_dir() else _overlay(path, environment).name
    guess = nearest(environment, known)
    fix = f"did you mean {guess}?" if guess else f"there are {', '.join(known)}" if known else ""
    hint = f"write {{}} into {wanted} if nothing is different there"
    what = f"nothing is configured for the environment {environment!r}"
    return unreadable(readable(str(folder)), what, fix or hint)


def _environments(path: Path) -> set[str]:
    """The environments that a configuration has files for."""
    places = [path] if path.is_dir() else [path.parent, path.parent / FRAGMENTS]
    found: set[str] = set()
    for folder in places:
        fragments = _fragments(folder)
        names = {each.name for each in fragments}
        for each in fragments:
            base = _base(each.name)
            if base in names and (folder != path.parent or base == path.name):
                found.add(each.stem.rpartition(".")[2])
    return found


def read_text(path: Path) -> str:
    """The text of a configuration file, as it is.

    Raises:
        ConfigError: it cannot be read, is larger than 10 MiB or not UTF-8.
    """
    file = readable(str(path))
    try:
        with path.open("rb") as stream:
            data = stream.read(MAX_BYTES + 1)
    except FileNotFoundError:
        raise unreadable(file, "there is no such file", "name the configuration with --config") from None
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise unreadable(file, f"the file cannot be read: {reason}") from error
    if len(data) > MAX_BYTES:
        raise unreadable(file, "the file is larger than 10 MiB", "is this really the configuration?")
    return _decoded(data, file)


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
