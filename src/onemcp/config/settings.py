"""The settings of the gateway: the one table of them, and how their values are found.

A value comes from the environment, else from an option that was typed, else from the configuration file, else it is
the default. An empty variable is one that is not set. A value that means nothing is an error, wherever it stands,
also where another place has the last word.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from onemcp.config.interpolate import under_home
from onemcp.config.setting import Kind, Setting
from onemcp.config.variables import service_links, unknown
from onemcp.errors import ConfigError, Problem

TABLE: Final = (
    Setting(
        name="config",
        kind=Kind.PATH,
        default="",
        short="-c",
        help="the configuration file",
    ),
    Setting(
        name="transport",
        kind=Kind.CHOICE,
        default="http",
        choices=("http", "stdio"),
        key="transport",
        short="-t",
        help="how clients reach the gateway",
    ),
    Setting(
        name="host",
        kind=Kind.TEXT,
        default="127.0.0.1",
        key="host",
        help="the address to listen on",
    ),
    Setting(
        name="port",
        kind=Kind.INTEGER,
        default=3050,
        high=65535,
        key="port",
        short="-P",
        help="the port to listen on; 0 for any that is free",
    ),
    Setting(
        name="state_dir",
        kind=Kind.PATH,
        default="",
        key="stateDir",
        help="the folder for what outlives the process; one for each port if not given",
    ),
    Setting(
        name="enable_async_loading",
        kind=Kind.BOOLEAN,
        default=False,
        key="asyncLoading.enabled",
        help="answer at once and load the servers in the background",
    ),
    Setting(
        name="async_batch_delay",
        kind=Kind.MILLISECONDS,
        default=1000.0,
        unit="ms",
        high=60_000,
        key="asyncLoading.batchDelay",
        help="how long changes of lists are collected before clients are told",
    ),
    Setting(
        name="allowed_hosts",
        kind=Kind.LIST,
        default=(),
        key="allowedHosts",
        help="names in the Host header that are served beside this machine's own",
    ),
    Setting(
        name="allowed_origins",
        kind=Kind.LIST,
        default=(),
        key="allowedOrigins",
        help="origins whose web pages may use the gateway",
    ),
    Setting(
        name="allow_unauthenticated",
        kind=Kind.BOOLEAN,
        default=False,
        key="allowUnauthenticated",
        help="serve other machines although nobody has to sign in",
    ),
    Setting(
        name="strict",
        kind=Kind.BOOLEAN,
        default=False,
        key="strict",
        help="do not start if an entry of the configuration is faulty",
    ),
    Setting(
        name="log_level",
        kind=Kind.CHOICE,
        default="info",
        choices=("debug", "info", "warn", "error"),
        key="logging.level",
        help="the least serious lines that are logged",
    ),
    Setting(
        name="name_separator",
        kind=Kind.TEXT,
        default="_1mcp_",
        key="names.separator",
        help="what stands between a server's name and a tool's",
    ),
    Setting(
        name="name_policy",
        kind=Kind.CHOICE,
        default="always",
        choices=("always", "on-conflict", "never"),
        key="names.policy",
        help="when a tool's name carries its server's name in front",
    ),
    Setting(
        name="tool_name_limit",
        kind=Kind.INTEGER,
        default=64,
        unit="characters",
        low=16,
        high=1024,
        key="names.limit",
        help="the longest name of a tool; longer ones are shortened",
    ),
    Setting(
        name="page_size",
        kind=Kind.INTEGER,
        default=100,
        unit="entries",
        low=1,
        high=10_000,
        key="lists.pageSize",
        help="entries on a page for clients that ask for pages",
    ),
    Setting(
        name="max_message_bytes",
        kind=Kind.INTEGER,
        default=16 * 1024 * 1024,
        unit="bytes",
        low=1024,
        high=1024 * 1024 * 1024,
        key="limits.messageBytes",
        help="the largest message that is taken from a client or a server",
    ),
    Setting(
        name="call_wait",
        kind=Kind.MILLISECONDS,
        default=10_000.0,
        unit="ms",
        high=600_000,
        key="limits.callWait",
        help="how long a call waits for a server that is starting",
    ),
)
"""Every setting; declared here and nowhere else."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What was found for every row of the table; times in milliseconds."""

    config: str
    transport: str
    host: str
    port: int
    state_dir: str
    enable_async_loading: bool
    async_batch_delay: float
    allowed_hosts: tuple[str, ...]
    allowed_origins: tuple[str, ...]
    allow_unauthenticated: bool
    strict: bool
    log_level: str
    name_separator: str
    name_policy: str
    tool_name_limit: int
    page_size: int
    max_message_bytes: int
    call_wait: float
    origins: Mapping[str, str] = field(compare=False)
    """Where each value comes from: `default`, `flag --port`, `variable ONE_MCP_PORT`, `mcp.json:3`."""
    notices: tuple[str, ...] = field(default=(), compare=False)
    """What is worth a line at start, for a person."""


@dataclass(frozen=True, slots=True)
class FileValue:
    """The value of a setting that stands in a configuration file, and where."""

    value: object
    file: str = ""
    line: int = 0
    column: int = 0

    @property
    def origin(self) -> str:
        """As `mcp.json:3`."""
        return f"{self.file}:{self.line}"


def flags() -> tuple[Setting, ...]:
    """The settings that can be typed, in the order for a help text."""
    return tuple(setting for setting in TABLE if setting.flag)


def resolve(
    environ: Mapping[str, str],
    typed: Mapping[str, object] | None = None,
    file: Mapping[str, FileValue] | None = None,
) -> Settings:
    """The value of every setting.

    `typed` has options by attribute name, as texts or as values of the right type (None: not typed); `file` has
    values by dotted key, and only keys of the table.

    Raises:
        ConfigError: with every value that a setting does not take.
    """
    links = service_links(environ)
    own = {name: value for name, value in environ.items() if value.strip() and name not in links.names}
    finder = _Finder(own, typed or {}, file or {})
    values: dict[str, Any] = {}
    for setting in TABLE:
        values[setting.name] = finder.find(setting)
    if finder.problems:
        raise ConfigError(*finder.problems)
    variables = [setting.variable for setting in TABLE]
    notices = (*links.notices, *unknown(own, variables), *finder.notices)
    return Settings(**values, origins=finder.origins, notices=notices)


@dataclass(slots=True)
class _Found:
    """A value in one place: its origin, and what went wrong if there is a problem."""

    origin: str
    value: object = None
    problem: Problem | None = None


class _Finder:
    def __init__(
        self, environ: Mapping[str, str], typed: Mapping[str, object], file: Mapping[str, FileValue]
    ) -> None:
        self._environ = environ
        self._typed = typed
        self._file = file
        self.origins: dict[str, str] = {}
        self.problems: list[Problem] = []
        self.notices: list[str] = []

    def find(self, setting: Setting) -> object:
        """The value that counts; what is wrong in any place goes to `problems`."""
        found = list(self._places(setting))
        self.problems += [place.problem for place in found if place.problem is not None]
        first = found[0]
        self.origins[setting.name] = first.origin
        if len(found) > 1 and found[1].origin.startswith("flag") and first.value != found[1].value:
            shown = f"{setting.variable}={self._environ[setting.variable]}"
            self.notices.append(f"{shown} overrides {setting.flag}, since the environment comes first")
        return first.value

    def _places(self, setting: Setting) -> Iterator[_Found]:
        """The places that have a value, the one that counts first."""
        text = self._environ.get(setting.variable)
        if text is not None:
            yield self._spoken(setting, text, f"variable {setting.variable}", setting.variable)
        typed = self._typed.get(setting.name)
        if typed is not None and setting.flag:
            yield self._spoken(setting, typed, f"flag {setting.flag}", setting.flag)
        given = self._file.get(setting.key) if setting.key else None
        if given is not None:
            yield self._written(setting, given)
        yield _Found("default", setting.default)

    def _spoken(self, setting: Setting, given: object, origin: str, name: str) -> _Found:
        """The value of a variable or an option."""
        if setting.kind is Kind.LIST and isinstance(given, list | tuple):
            given = ",".join(map(str, given))  # an option that was typed more than once
        try:
            value = setting.from_text(given) if isinstance(given, str) else setting.from_value(given)
        except ValueError:
            return _Found(origin, problem=Problem(setting.refusal(given), key=name))
        return _Found(origin, under_home(str(value), self._environ) if setting.kind is Kind.PATH else value)

    def _written(self, setting: Setting, given: FileValue) -> _Found:
        """The value of a file, where paths start at the file's own folder."""
        try:
            value = setting.from_value(given.value)
        except ValueError:
            what = setting.refusal(given.value)
            problem = Problem(what, "", given.file, given.line, given.column, setting.key)
            return _Found(given.origin, problem=problem)
        if setting.kind is Kind.PATH and value:
            value = str(Path(given.file).parent / under_home(str(value), self._environ))
        return _Found(given.origin, value)
