"""The section `secrets` of the configuration file: where secrets are kept, and in which order they are looked for."""

import ipaddress
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Final

from onemcp.config.interpolate import under_home
from onemcp.config.secrets.chain import CACHE
from onemcp.config.secrets.command import FIELD, PATH, CommandConfig, minimal
from onemcp.config.secrets.environment import EnvironmentConfig
from onemcp.config.secrets.folder import USUAL, FolderConfig
from onemcp.config.secrets.key import KEY, KEY_FILE
from onemcp.config.secrets.provider import TIMEOUT
from onemcp.config.secrets.reference import is_provider_name
from onemcp.config.secrets.sealed import FILE, SealedConfig
from onemcp.config.secrets.secret import Secret
from onemcp.config.secrets.vault_config import ACCOUNT, MOUNT, Kubernetes, Token, VaultConfig
from onemcp.config.section import Item, Report, Section
from onemcp.config.setting import nearest
from onemcp.core.environment import child_environment
from onemcp.core.spec import StdioTransport
from onemcp.errors import ConfigError
from onemcp.net.origin import Origin, split_url

FOLDER: Final = "ONE_MCP_SECRETS_DIR"
USUAL_NAMES: Final = ("files", "local")
"""Providers whose places variables can name."""
ORDER: Final = ("env", "files", "local")
"""The chain if the section does not say."""
_MAX_PROVIDERS: Final = 32
MAX_TIMEOUT: Final = 120_000.0
"""Milliseconds that a provider may be given for one secret."""
_MIN_CACHE: Final = 1

ProviderConfig = EnvironmentConfig | FolderConfig | SealedConfig | VaultConfig | CommandConfig


@dataclass(frozen=True, slots=True)
class SecretsConfig:
    """What the section says."""

    providers: Mapping[str, ProviderConfig] = field(default_factory=lambda: usual({}))
    order: tuple[str, ...] = ORDER
    cache: float = CACHE
    """Seconds."""


def usual(environ: Mapping[str, str]) -> Mapping[str, ProviderConfig]:
    """The providers that are there whatever the section says, unless it gives one of these names to another."""
    return MappingProxyType(
        {
            "env": EnvironmentConfig(),
            "files": FolderConfig(environ.get(FOLDER) or USUAL),
            "local": SealedConfig(),
        }
    )


def read_secrets(
    section: Section | None,
    environ: Mapping[str, str],
    report: Report,
    folder: Path,
    references: Mapping[str, str] | None = None,
) -> SecretsConfig:
    """The section, or what holds without one; mistakes go to the report. Relative paths start at `folder`.

    `references` is what references are resolved against, if that has more than the environment: nothing else of it
    counts.

    A provider that cannot be used is a mistake in the document: a gateway without it would find other secrets.
    """
    if section is None:
        return SecretsConfig(usual(environ))
    section.only({"cacheSeconds", "chain", "providers"})
    around = _Around(environ, environ if references is None else references, report, folder)
    providers = dict(usual(environ))
    declared = section.section("providers")
    sections = declared.sections() if declared is not None else {}
    if declared is not None and len(sections) > _MAX_PROVIDERS:
        report.problems.append(declared.item.problem(f"there are more than {_MAX_PROVIDERS} providers"))
    for name, inner in sections.items():
        if not is_provider_name(name):
            report.problems.append(
                inner.item.problem(
                    "no name of a provider", "use lower-case letters, digits and -, a letter first"
                )
            )
        elif (config := _Reader(inner, around, name).read()) is not None:
            providers[name] = config
    cache = section.number("cacheSeconds", _MIN_CACHE, f"a number of seconds from {_MIN_CACHE}")
    order = _order(section, {*providers, *sections}, report)
    return SecretsConfig(MappingProxyType(providers), order, CACHE if cache is None else cache)


def _order(section: Section, known: set[str], report: Report) -> tuple[str, ...]:
    if section.get("chain") is None:
        return ORDER
    names = section.texts("chain")
    for item in names:
        if item.raw not in known:
            guess = nearest(item.raw, known)
            fix = f"did you mean {guess}?" if guess else f"there are {', '.join(sorted(known))}"
            report.problems.append(item.problem(f"there is no provider {item.raw}", fix))
    return tuple(dict.fromkeys(item.raw for item in names))


@dataclass(frozen=True, slots=True)
class _Around:
    """What providers are read in."""

    environ: Mapping[str, str]
    references: Mapping[str, str]
    report: Report
    folder: Path


class _Reader:
    """Reads one provider."""

    def __init__(self, section: Section, around: _Around, name: str = "") -> None:
        self._name = name
        self._section = section
        self._around = around
        self._environ = around.environ
        self._report = around.report
        self._folder = around.folder

    def read(self) -> ProviderConfig | None:
        """The provider; None if it was refused."""
        kinds: dict[str, Callable[[], ProviderConfig | None]] = {
            "env": self._env,
            "exec": self._exec,
            "folder": self._files,
            "sealed": self._sealed,
            "vault": self._vault,
        }
        if self._section.get("type") is None:
            self._say(self._section.item, "a provider has no type", f"there are {', '.join(kinds)}")
            return None
        item = self._section.text("type")
        if item is None:
            return None
        if item.raw not in kinds:
            self._say(item, f"there is no type {item.raw} of provider", f"there are {', '.join(kinds)}")
            return None
        return kinds[item.raw]()

    def _said(self, variable: str, key: str) -> str:
        """A path of one of the usual providers, for which variable (or option) counts before the file."""
        said = self._environ.get(variable, "") if self._name in USUAL_NAMES else ""
        return said or self._path(key)

    def _env(self) -> EnvironmentConfig:
        self._only()
        return EnvironmentConfig(self._timeout())

    def _files(self) -> FolderConfig:
        self._only("path")
        path = self._said(FOLDER, "path") or self._environ.get(FOLDER) or USUAL
        return FolderConfig(path, self._timeout())

    def _sealed(self) -> SealedConfig:
        self._only("file", "keyFile")
        key = "" if self._name in USUAL_NAMES and self._environ.get(KEY) else self._said(KEY_FILE, "keyFile")
        return SealedConfig(self._said(FILE, "file"), key, self._timeout())

    def _exec(self) -> CommandConfig | None:
        self._only("command", "env", "envFilter", "missingExitCodes")
        argv = tuple(self._text(item) for item in self._section.texts("command"))
        if not argv or not argv[0] or not any(PATH in argument for argument in argv[1:]):
            example = f'["pass", "show", "{PATH}"]; {FIELD} may stand there as well'
            self._say(
                self._section.item, f"there is no command with {PATH} among its arguments", f"as {example}"
            )
            return None
        if "/" in argv[0]:
            argv = (str((self._folder / under_home(argv[0], self._environ)).absolute()), *argv[1:])
        own = {name: self._text(item) for name, item in self._section.pairs("env").items()}
        handed = tuple(item.raw for item in self._section.texts("envFilter"))
        inherited = child_environment(StdioTransport(argv, env_filter=handed), self._environ)
        folder = str(self._folder.absolute())
        return CommandConfig(argv, minimal(inherited, own), folder, self._codes(), self._timeout())

    def _codes(self) -> frozenset[int]:
        found = set()
        whole = self._section.get("missingExitCodes")
        if whole is not None and not isinstance(whole.node.value, list):
            self._section.refuse(whole, "an array of exit codes")
        for item in self._section.elements("missingExitCodes"):
            code = item.node.value
            if isinstance(code, int) and not isinstance(code, bool) and 1 <= code <= 255:
                found.add(code)
            else:
                self._section.refuse(item, "an exit code from 1 to 255")
        return frozenset(found)

    def _vault(self) -> VaultConfig | None:
        self._only("address", "allowHttp", "caFile", "kubernetes", "mount", "namespace", "token", "tokenFile")
        address = self._address()
        token = self._login()
        if not address or token is None:
            return None
        mount = self._named("mount").strip("/") or MOUNT
        namespace = self._named("namespace") or self._environ.get("VAULT_NAMESPACE", "")
        return VaultConfig(address, token, mount, namespace, self._path("caFile"), self._timeout())

    def _address(self) -> str:
        item = self._section.text("address")
        address = self._text(item) if item is not None else self._environ.get("VAULT_ADDR", "")
        place = item or self._section.item
        if not address:
            self._say(place, "there is no address of Vault", 'it takes "address": "https://..."')
            return ""
        try:
            origin, target = split_url(address)
        except ValueError as error:
            self._say(
                place, f"the address of Vault cannot be used: {error}", "as https://vault.example.com:8200"
            )
            return ""
        if target != "/":
            self._say(place, "the address of Vault has a path", "name only scheme, host and port")
            return ""
        if not self._is_safe(origin):
            self._say(
                place,
                "over http everybody on the way reads the secrets",
                'use https, or say "allowHttp": true',
            )
            return ""
        return address

    def _is_safe(self, origin: Origin) -> bool:
        allowed = self._section.boolean("allowHttp")
        return origin.scheme == "https" or _is_this_machine(origin.host) or bool(allowed)

    def _login(self) -> Token | Kubernetes | None:
        said = [name for name in ("token", "tokenFile", "kubernetes") if self._section.get(name) is not None]
        if len(said) > 1:
            self._say(self._section.item, f"there are {' and '.join(said)}", "keep the one that is meant")
            return None
        if said == ["kubernetes"]:
            return self._kubernetes()
        if said == ["tokenFile"]:
            return Token(file=self._path("tokenFile"))
        text = self._named("token") or (self._environ.get("VAULT_TOKEN", "") if not said else "")
        if not text and not said:
            fix = 'say "token": "${VAULT_TOKEN}", "tokenFile": "..." or "kubernetes": {"role": "..."}'
            self._say(self._section.item, "there is no token for Vault", fix)
        return Token(Secret(text)) if text else None

    def _kubernetes(self) -> Kubernetes | None:
        section = self._section.section("kubernetes")
        if section is None:
            return None
        section.only({"mount", "role", "tokenFile"})
        reader = _Reader(section, self._around)
        role = reader._named("role")
        if section.get("role") is None:
            self._say(section.item, "there is no role for the login", 'it takes "role": "..."')
        mount = reader._named("mount") or "kubernetes"
        return Kubernetes(role, mount, reader._path("tokenFile") or ACCOUNT) if role else None

    def _only(self, *names: str) -> None:
        self._section.only({"timeout", "type", *names})

    def _timeout(self) -> float:
        what = f"a number of milliseconds from 1 to {MAX_TIMEOUT:g}"
        timeout = self._section.number("timeout", 1, what)
        item = self._section.get("timeout")
        if item is not None and timeout is not None and timeout > MAX_TIMEOUT:
            self._section.refuse(item, what)
        return TIMEOUT if timeout is None else timeout / 1000

    def _named(self, name: str) -> str:
        """A text; empty if it is not there. One that is there has something in it: nothing else counts in its place."""
        item = self._section.text(name)
        if item is None:
            return ""
        before = len(self._report.problems)
        text = self._text(item)
        if not text and len(self._report.problems) == before:
            self._say(item, "it is empty", "say what it is, or take it out")
        return text

    def _path(self, name: str) -> str:
        text = self._named(name)
        return str((self._folder / under_home(text, self._environ)).absolute()) if text else ""

    def _text(self, item: Item) -> str:
        try:
            return item.text(self._around.references)
        except ConfigError as error:
            self._report.problems.extend(error.problems)
            return ""

    def _say(self, item: Item, what: str, fix: str = "") -> None:
        self._report.problems.append(item.problem(what, fix))


def _is_this_machine(host: str) -> bool:
    """Whether a host is an address of this machine itself; a name that only begins like one may be anybody's."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
