"""The settings of the gateway: what they are in one place, and how their values are found.

A value comes from the environment, else from an option that was typed, else from the configuration file, else it is
the default. An empty variable is one that is not set. A value that means nothing is an error, wherever it stands,
also where another place has the last word.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from onemcp.config.interpolate import under_home
from onemcp.config.setting import Kind, Setting
from onemcp.config.table import TABLE
from onemcp.config.variables import service_links, unknown
from onemcp.errors import ConfigError, Problem


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What was found for every row of the table; times in milliseconds."""

    config: str
    environment: str
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
    log_format: str
    log_file: str
    log_max_size: int
    log_max_files: int
    health_info_level: str
    health_unhealthy_below: float
    health_ping_interval: float
    ready_requires: tuple[str, ...]
    metrics: bool
    metrics_port: int
    feature_alerts: bool
    feature_single_server_routes: bool
    feature_sampling: bool
    feature_elicitation: bool
    feature_roots: bool
    feature_completions: bool
    feature_trace_context: bool
    trust_proxy: tuple[str, ...]
    external_url: str
    drain_min: float
    drain_timeout: float
    enable_config_reload: bool
    config_reload_debounce: float
    secrets_dir: str
    secrets_file: str
    secrets_key: str = field(repr=False)
    secrets_key_file: str
    origins: Mapping[str, str] = field(compare=False)
    """Where each value comes from: `default`, `flag --port`, `variable ONE_MCP_PORT`, `mcp.json:3`."""
    notices: tuple[str, ...] = field(default=(), compare=False)
    """What is worth a line at start, for a person."""

    @property
    def source(self) -> str:
        """What it is configured by, for a person."""
        return f"{self.config}, environment {self.environment}" if self.environment else self.config


@dataclass(frozen=True, slots=True)
class FileValue:
    """The value of a setting that stands in a configuration file, and where."""

    value: object = field(repr=False)
    """With references resolved."""
    file: str = ""
    line: int = 0
    column: int = 0
    is_spoken: bool = False
    """A text that a reference stands for, and that is read as one of a variable would be."""

    @property
    def origin(self) -> str:
        """As `mcp.json:3`."""
        return f"{self.file}:{self.line}"

    def meant_by(self, setting: Setting) -> object:
        """The value of the setting that this is.

        Raises:
            ValueError: it is none.
        """
        if self.is_spoken and isinstance(self.value, str):
            return setting.from_text(self.value)
        return setting.from_value(self.value)


def around(settings: Settings, environ: Mapping[str, str]) -> Mapping[str, str]:
    """The environment, in which what options say of where secrets are stands under the names of variables."""
    said = {
        setting.variable: str(value)
        for setting in TABLE
        if setting.name.startswith("secrets_") and (value := getattr(settings, setting.name))
    }
    return {**environ, **said}


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
            value = given.meant_by(setting)
        except ValueError:
            what = setting.refusal(given.value)
            problem = Problem(what, "", given.file, given.line, given.column, setting.key)
            return _Found(given.origin, problem=problem)
        if setting.kind is Kind.PATH and value:
            value = str(Path(given.file).parent / under_home(str(value), self._environ))
        return _Found(given.origin, value)
