"""The configuration file, `mcp.json`: the servers, and settings beside them.

A faulty document (not JSON, an unknown key, a wrong type, a key twice) is an error with all its problems; a faulty
entry is an upstream with a `fault`, and the others are as good as ever.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from onemcp.config.alerts import AlertsConfig, read_alerts
from onemcp.config.common import Common, read_common
from onemcp.config.entry import read_entry
from onemcp.config.jsonc import scan
from onemcp.config.keys import (
    ALERTS,
    COMMON,
    DEFAULTS,
    DEFAULTS_IGNORED,
    IGNORED,
    IGNORED_IN,
    SERVERS,
    SERVERS_ALIAS,
)
from onemcp.config.node import plain
from onemcp.config.section import Item, Report, Section
from onemcp.config.setting import Setting
from onemcp.config.settings import FileValue
from onemcp.config.table import TABLE
from onemcp.config.transport import Surroundings
from onemcp.core.readable import readable
from onemcp.core.spec import UpstreamSpec
from onemcp.errors import ConfigError, Problem

MAX_BYTES: Final = 10 * 1024 * 1024
"""The largest configuration file that is read."""
SEPARATOR: Final = "_1mcp_"
"""What stands between a server's name and a tool's if nobody says otherwise."""
_UTF16: Final = (b"\xff\xfe", b"\xfe\xff")


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


def load(path: Path, environ: Mapping[str, str], separator: str = SEPARATOR) -> Document:
    """Read a file.

    Raises:
        ConfigError: it cannot be read, is larger than 10 MiB, is not UTF-8, or is a faulty document.
    """
    file = readable(str(path))
    try:
        with path.open("rb") as stream:
            data = stream.read(MAX_BYTES + 1)
    except FileNotFoundError:
        raise _unreadable(file, "there is no such file", "name the configuration with --config") from None
    except IsADirectoryError:
        raise _unreadable(file, "this is a folder, not a file", "name the mcp.json in it") from None
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise _unreadable(file, f"the file cannot be read: {reason}") from error
    if len(data) > MAX_BYTES:
        raise _unreadable(file, "the file is larger than 10 MiB", "is this really the configuration?")
    return read(_decoded(data, file), file, environ, separator, path.parent)


def read(
    text: str,
    file: str,
    environ: Mapping[str, str],
    separator: str = SEPARATOR,
    folder: Path | None = None,
) -> Document:
    """Read a text. `file` names it in errors, and relative paths start at `folder`, or where the file is.

    Names of servers must not have the separator in them: `separator` if environment or options ask for another one
    than the usual, else the document's own.

    Raises:
        ConfigError: with every problem of the document, in the order of the text.
    """
    root, repeated = scan(text, file)
    report = Report(file, repeated)
    top = Section(Item(root, ""), report)
    top.only({SERVERS, SERVERS_ALIAS, DEFAULTS, ALERTS, *_heads()}, IGNORED)
    settings = _settings(top, report)
    defaults = _defaults(top)
    alerts = read_alerts(top.section(ALERTS), environ, report)
    around = Surroundings(environ, Path(file).parent if folder is None else folder)
    servers = _servers(top, report)
    specs = tuple(
        read_entry(name, entry, defaults, around, _separator(separator, settings))
        for name, entry in (servers.sections().items() if servers is not None else ())
    )
    if report.problems:
        problems = dict.fromkeys(report.problems)
        raise ConfigError(*sorted(problems, key=lambda problem: (problem.line, problem.column)))
    return Document(specs, settings, _notices(report, specs), alerts)


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


def _heads() -> dict[str, list[Setting]]:
    """The keys at the top of a document that have settings in them, or are one."""
    heads: dict[str, list[Setting]] = {}
    for setting in TABLE:
        if setting.key:
            heads.setdefault(setting.key.partition(".")[0], []).append(setting)
    return heads


def _settings(top: Section, report: Report) -> dict[str, FileValue]:
    found: dict[str, FileValue] = {}
    for head, settings in _heads().items():
        section: Section | None = top
        if settings[0].key != head:
            section = top.section(head)
        if section is None:
            continue
        if section is not top:
            section.only([_tail(setting) for setting in settings], IGNORED_IN.get(head, ()))
        for setting in settings:
            if (item := section.get(_tail(setting))) is not None:
                found[setting.key] = _value(setting, item, report)
    return found


def _value(setting: Setting, item: Item, report: Report) -> FileValue:
    value = plain(item.node)
    try:
        setting.from_value(value)
    except ValueError:
        report.problems.append(item.problem(setting.refusal(value)))
    return FileValue(value, item.file, item.node.line, item.node.column)


def _tail(setting: Setting) -> str:
    return setting.key.rpartition(".")[2]


def _notices(report: Report, specs: tuple[UpstreamSpec, ...]) -> tuple[str, ...]:
    notices = list(dict.fromkeys(report.notices))
    if report.ignored:
        names = ", ".join(sorted(report.ignored))
        notices.append(f"{report.file}: ignored, since they have no meaning here: {names}")
    if not specs:
        notices.append(f"{report.file}: no servers are configured")
    return tuple(notices)


def _decoded(data: bytes, file: str) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        if data.startswith(_UTF16):
            raise _unreadable(file, "the file is UTF-16", "save it as UTF-8") from None
        before = data[: error.start].decode()
        line = before.count("\n") + 1
        column = len(before) - (before.rfind("\n") + 1) + 1
        problem = Problem("the file is not UTF-8 here", "save it as UTF-8", file, line, column)
        raise ConfigError(problem) from None


def _unreadable(file: str, what: str, fix: str = "") -> ConfigError:
    return ConfigError(Problem(what, fix, file))
