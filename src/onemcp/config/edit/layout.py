"""The files of a configuration side by side: where each server stands, and what a change would make of the whole."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path
from typing import Any, Final, Self

import msgspec

from onemcp.config.document import SEPARATOR, Document, Draft, drafted
from onemcp.config.edit.members import member_at
from onemcp.config.keys import SERVERS, SERVERS_ALIAS
from onemcp.config.node import Member, Node
from onemcp.config.secrets.stand_ins import stand_ins, without_guesses
from onemcp.config.sources import FRAGMENTS, Source, read_sources
from onemcp.config.text import TOML, YAML, scan
from onemcp.core.readable import readable
from onemcp.core.spec import UpstreamSpec
from onemcp.errors import ConfigError, Problem

FRESH: Final = "the new entry"
"""How an entry is named in problems that stands in no file yet."""


@dataclass(frozen=True, slots=True)
class Aim:
    """Which configuration is meant, and how it is read."""

    path: Path
    """A file or a folder; it need not be there."""
    environ: Mapping[str, str] = field(repr=False)
    environment: str = ""
    separator: str = SEPARATOR

    @property
    def folder(self) -> Path:
        """Where relative paths start."""
        return self.path if self.path.is_dir() else self.path.parent


@dataclass(frozen=True, slots=True)
class Place:
    """An entry in a file."""

    file: Path
    text: str = field(repr=False)
    """Of the whole file."""
    keys: tuple[str, str]
    member: Member

    def __str__(self) -> str:
        """As `mcp.json:3`."""
        return f"{self.member.key.file}:{self.member.key.line}"


@dataclass(frozen=True, slots=True)
class Judged:
    """A good document, and what is wrong with single entries of it."""

    document: Document
    faults: Mapping[str, Problem]
    """By server. Secrets were not asked for: what depends on one is no fault."""

    def spec(self, name: str) -> UpstreamSpec | None:
        """The server of that name."""
        return next((spec for spec in self.document.specs if spec.name == name), None)


@dataclass(frozen=True, slots=True)
class Layout:
    """The files as they are, or would be; none where the configuration is not there yet."""

    aim: Aim
    sources: tuple[Source, ...]

    @classmethod
    def read(cls, aim: Aim) -> Self:
        """The files as they are.

        Raises:
            ConfigError: one cannot be read.
        """
        return cls(aim, read_sources(aim.path, aim.environment) if _is_there(aim.path) else ())

    def draft(self) -> Draft:
        """All of them, one laid over the other; there has to be one.

        Raises:
            ConfigError: one is not in its format.
        """
        return drafted(self.sources, self.aim.folder, self.aim.environ)

    def judged(self) -> Judged:
        """What they make.

        Raises:
            ConfigError: the document is faulty; with every problem.
        """
        if not self.sources:
            return Judged(Document(), {})
        found = self.draft()
        document, problems = found.judged(self.aim.separator, stand_ins(found.references))
        problems = without_guesses(problems, found.tree)
        if problems:
            raise ConfigError(*problems)
        faults = {spec.name: spec.fault for spec in document.specs if spec.fault is not None}
        counting = set(without_guesses(faults.values(), found.tree))
        return Judged(document, {name: fault for name, fault in faults.items() if fault in counting})

    def places(self, name: str) -> tuple[Place, ...]:
        """Where entries of that name stand, the lowest first.

        Raises:
            ConfigError: a file is not in its format.
        """
        return tuple(
            Place(Path(source.file), source.text, (servers, name), member)
            for source in self.sources
            for servers in (SERVERS, SERVERS_ALIAS)
            if (member := member_at(_root(source), (servers, name))) is not None
            and member.value.value is not None
        )

    @property
    def servers(self) -> str:
        """The key that servers stand under in these files.

        Raises:
            ConfigError: a file is not in its format.
        """
        roots = [_root(source) for source in self.sources]
        used = [key for root in roots for key in (SERVERS, SERVERS_ALIAS) if _has(root, key)]
        return used[0] if used else SERVERS

    def text(self, file: Path) -> str | None:
        """What stands in a file; None if it is none of these."""
        return next((source.text for source in self.sources if source.file == readable(str(file))), None)

    def with_text(self, file: Path, text: str) -> "Layout":
        """The same with another text in a file; a new one takes its place among them by its name."""
        name = readable(str(file))
        found = [index for index, source in enumerate(self.sources) if source.file == name]
        sources = list(self.sources)
        if found:
            sources[found[0]] = replace(sources[found[0]], text=text)
        else:
            sources.insert(self._rank(file), Source(name, text))
        return replace(self, sources=tuple(sources))

    def _rank(self, file: Path) -> int:
        start = 0 if self.aim.path.is_dir() or file == self.aim.path else min(1, len(self.sources))
        for index, source in enumerate(self.sources[start:], start):
            other = Path(source.file)
            if other.parent != file.parent or other.name > file.name:
                return index
        return len(self.sources)

    def with_entries(self, entries: Mapping[str, Mapping[str, Any]]) -> "Layout":
        """The same with entries laid over everything, each in the place of any other of its name."""
        laid = [
            Source(FRESH, msgspec.json.encode({self.servers: each}).decode(), is_overlay=True)
            for each in (dict.fromkeys(entries), entries)
        ]
        if not self.sources:
            laid = [Source(FRESH, "{}"), *laid]
        return replace(self, sources=(*self.sources, *laid))


def is_json(file: Path) -> bool:
    """Whether a file of that name is read as JSON with comments, which is what can be changed."""
    return file.suffix.lower() not in YAML | TOML


def fragments_folder(aim: Aim) -> Path:
    """Where further files of the configuration may stand."""
    return aim.path if aim.path.is_dir() else aim.path.parent / FRAGMENTS


@lru_cache(maxsize=1024)
def _root(source: Source) -> Node:
    """What a file holds, read once: every server is looked for in every file.

    Raises:
        ConfigError: it is not in its format.
    """
    return scan(source.text, source.file)[0]


def _has(root: Node, key: str) -> bool:
    return member_at(root, (key,)) is not None


def _is_there(path: Path) -> bool:
    try:
        return path.exists()
    except OSError:  # whoever reads it says why not
        return True
