"""The configuration file, `mcp.json`: the servers, and settings beside them.

A faulty document (not JSON, an unknown key, a wrong type, a key twice) is an error with all its problems; a faulty
entry is an upstream with a `fault`, and the others are as good as ever.
"""

from collections import ChainMap
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from onemcp.config.alerts import AlertsConfig, read_alerts
from onemcp.config.common import Common, read_common
from onemcp.config.dotenv import load_dotenv
from onemcp.config.entry import read_entry
from onemcp.config.file_settings import heads, read_settings
from onemcp.config.keys import (
    ALERTS,
    COMMON,
    DEFAULTS,
    DEFAULTS_IGNORED,
    IGNORED,
    SECRETS,
    SERVERS,
    SERVERS_ALIAS,
)
from onemcp.config.node import Member, Node
from onemcp.config.overlay import Told, overlaid
from onemcp.config.secrets.collected import Surrounding, collect
from onemcp.config.secrets.reference import Reference
from onemcp.config.secrets.secret import Secret
from onemcp.config.secrets.section import SecretsConfig, read_secrets
from onemcp.config.section import Item, Report, Section
from onemcp.config.settings import FileValue
from onemcp.config.sources import APART, Source, read_sources, watched
from onemcp.config.templates import TEMPLATES, instantiated
from onemcp.config.text import scan
from onemcp.config.transport import Surroundings
from onemcp.core.spec import UpstreamSpec
from onemcp.errors import ConfigError, Problem

SEPARATOR: Final = "_1mcp_"
"""What stands between a server's name and a tool's if nobody says otherwise."""


@dataclass(frozen=True, slots=True)
class Document:
    """What a configuration file says, resolved."""

    specs: tuple[UpstreamSpec, ...] = ()
    """In the order of the file."""
    settings: Mapping[str, FileValue] = field(default_factory=dict)
    """Settings by dotted key, for `settings.resolve`."""
    notices: tuple[str, ...] = ()
    """What is worth a line at start, for a person."""
    alerts: AlertsConfig = field(default_factory=AlertsConfig)

    def faults(self, problems: Iterable[Problem] = ()) -> tuple[Problem, ...]:
        """What is wrong with single entries; not with those that have one of the document's problems anyway."""
        told = {place for problem in problems for place in _entry_of(problem.key)}
        return tuple(spec.fault for spec in self.specs if spec.fault is not None and spec.name not in told)


def _entry_of(key: str) -> Iterator[str]:
    """The names that an entry may have in which a key is: names may have dots in them."""
    head, _, rest = key.partition(".")
    if head in (SERVERS, SERVERS_ALIAS):
        parts = rest.split(".")
        yield from (".".join(parts[:count]) for count in range(1, len(parts) + 1))


@dataclass(frozen=True, slots=True)
class Draft:
    """A configuration that was read, before its secrets are known. Mistakes in it are told by `document`."""

    references: frozenset[Reference]
    """The secrets that it refers to."""
    secrets: SecretsConfig
    """Where they are to be had."""
    _root: Node = field(repr=False)
    _report: Report = field(repr=False)
    _environ: Mapping[str, str] = field(repr=False)
    _folder: Path

    def document(
        self, separator: str = SEPARATOR, secrets: Mapping[Reference, Secret | Problem] | None = None
    ) -> Document:
        """What it says, with the secrets put in. One that could not be had is a fault of the entries that refer to it.

        Raises:
            ConfigError: with every problem of the document, in the order of the text.
        """
        document, problems = self.judged(separator, secrets)
        if problems:
            raise ConfigError(*problems)
        return document

    def judged(
        self, separator: str = SEPARATOR, secrets: Mapping[Reference, Secret | Problem] | None = None
    ) -> tuple[Document, tuple[Problem, ...]]:
        """The same with the problems beside it, for who has more to tell: with any, the document is of no use."""
        around = Surrounding(self._environ, secrets or {})
        return _judged(self._root, self._report, around, separator, self._folder)

    @property
    def tree(self) -> Node:
        """All of it as one: fragments, overlays and templates are in it, references are as they were written."""
        return self._root

    @property
    def environ(self) -> Mapping[str, str]:
        """What its references to variables are resolved against: the environment, and the file `.env`."""
        return self._environ


def load(
    path: Path, environ: Mapping[str, str], separator: str = SEPARATOR, environment: str = ""
) -> Document:
    """Read a configuration without its secrets: whoever refers to one has a fault. Else as `draft`.

    Raises:
        ConfigError: a file cannot be read, is larger than 10 MiB, is not UTF-8, or they make a faulty document.
    """
    return draft(path, environ, environment).document(separator)


def draft(path: Path, environ: Mapping[str, str], environment: str = "") -> Draft:
    """Read a configuration: its file or folder, the fragments beside it, and what is different in an environment.

    Raises:
        ConfigError: a file cannot be read, is larger than 10 MiB, or is not UTF-8.
    """
    return drafted(read_sources(path, environment), watched(path)[0], environ)


def drafted(sources: Sequence[Source], folder: Path, environ: Mapping[str, str]) -> Draft:
    """The configuration that files would make if they had these texts; `folder` is where relative paths start.

    Raises:
        ConfigError: one of them is not in its format.
    """
    (first, root, problems), *others = _scanned(sources)
    main = next((each.file for each in sources if Path(each.file).name != APART), first.file)
    report = Report(main, problems)
    for source, over, problems in others:
        report.problems += problems
        root = overlaid(root, over, None if source.is_overlay else _telling(report))
    return _draft(root, report, environ, folder, load_dotenv(folder))


def read(
    text: str,
    file: str,
    environ: Mapping[str, str],
    separator: str = SEPARATOR,
    folder: Path | None = None,
) -> Document:
    """Read one text. `file` names it in errors, and relative paths start at `folder`, or where the file is.

    Names of servers must not have the separator in them: `separator` if environment or options ask for another one
    than the usual, else the document's own.

    Raises:
        ConfigError: with every problem of the document, in the order of the text.
    """
    root, repeated = scan(text, file)
    return _draft(root, Report(file, repeated), environ, folder or Path(file).parent).document(separator)


def _scanned(sources: Iterable[Source]) -> list[tuple[Source, Node, tuple[Problem, ...]]]:
    """The tree of each file, and what is wrong with single values.

    Raises:
        ConfigError: with what is wrong with every file that is not in its format.
    """
    found: list[tuple[Source, Node, tuple[Problem, ...]]] = []
    faults: list[Problem] = []
    for source in sources:
        try:
            found.append((source, *scan(source.text, source.file)))
        except ConfigError as error:
            faults += error.problems
    if faults:
        raise ConfigError(*faults)
    return found


def _telling(report: Report) -> Told:
    """Says of every value that a fragment replaces where it stood before: nobody may have meant that."""

    def tell(key: str, below: Member, above: Member) -> None:
        first, second = below.key, above.key
        report.notices.append(
            f"{second.file}:{second.line}: {key} stands here and in {first.file}:{first.line}; this one counts"
        )

    return tell


def _draft(
    root: Node,
    report: Report,
    environ: Mapping[str, str],
    folder: Path,
    dotenv: Mapping[str, str] | None = None,
) -> Draft:
    references = ChainMap(dict(environ), dict(dotenv or {}))
    root = instantiated(root, report.problems)
    section = Section(Item(root, ""), Report(report.file, ())).section(SECRETS)  # the top is judged later
    if section is not None:
        section = Section(section.item, report)
    secrets = read_secrets(section, environ, report, folder, references)
    return Draft(collect(root, {SECRETS}), secrets, root, report, references, folder)


def _judged(
    root: Node, report: Report, environ: Mapping[str, str], separator: str, folder: Path
) -> tuple[Document, tuple[Problem, ...]]:
    report = report.copy()
    top = Section(Item(root, ""), report)
    top.only({SERVERS, SERVERS_ALIAS, DEFAULTS, TEMPLATES, ALERTS, SECRETS, *heads()}, IGNORED)
    settings = read_settings(top, environ, report)
    defaults = _defaults(top)
    alerts = read_alerts(top.section(ALERTS), environ, report)
    around = Surroundings(environ, folder)
    servers = _servers(top, report)
    specs = tuple(
        read_entry(name, entry, defaults, around, _separator(separator, settings))
        for name, entry in (servers.sections().items() if servers is not None else ())
    )
    problems = sorted(
        dict.fromkeys(report.problems), key=lambda problem: (problem.file, problem.line, problem.column)
    )
    return Document(specs, settings, _notices(report, specs), alerts), tuple(problems)


def _separator(asked: str, settings: Mapping[str, FileValue]) -> str:
    own = settings.get("names.separator")
    return str(own.value) if own is not None and own.value and asked == SEPARATOR else asked


def _servers(top: Section, report: Report) -> Section | None:
    both = [item for name in (SERVERS, SERVERS_ALIAS) if (item := top.get(name)) is not None]
    if len(both) > 1:
        report.problems.append(both[1].problem(f"{SERVERS} and {SERVERS_ALIAS} are both here", "keep one"))
    if not both and isinstance(top.item.node.value, dict):
        report.problems.append(
            top.item.problem(f"there is no {SERVERS} in it", f'it takes {{"{SERVERS}": {{...}}}}')
        )
    return Section(both[0], report) if both else None


def _defaults(top: Section) -> Common:
    section = top.section(DEFAULTS)
    if section is None:
        return Common()
    section.only(COMMON, DEFAULTS_IGNORED)
    return read_common(section)


def _notices(report: Report, specs: tuple[UpstreamSpec, ...]) -> tuple[str, ...]:
    notices = list(dict.fromkeys(report.notices))
    if report.ignored:
        names = ", ".join(sorted(report.ignored))
        notices.append(f"{report.file}: ignored, since they have no meaning here: {names}")
    if not specs:
        notices.append(f"{report.file}: no servers are configured")
    return tuple(notices)
