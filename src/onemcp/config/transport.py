"""From an entry as written to the transport that it means; what cannot be one is a fault of this entry alone."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal
from urllib.parse import SplitResult, urlsplit

from onemcp.config.common import Common
from onemcp.config.interpolate import under_home
from onemcp.config.section import Item
from onemcp.core.spec import HttpTransport, StdioTransport
from onemcp.errors import ConfigError
from onemcp.net.origin import is_host

Kind = Literal["stdio", "http", "sse"]

TYPES: Final[dict[str, Kind]] = {
    "stdio": "stdio",
    "http": "http",
    "streamablehttp": "http",
    "sse": "sse",
}
"""Words for a type of server, as they are looked up: small letters, without `-` and `_`."""
_TOKEN: Final = frozenset("!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ")
"""Characters of a header's name (RFC 9110, 5.6.2)."""


@dataclass(frozen=True, slots=True)
class Written:
    """The members of an entry that make its transport, unresolved."""

    entry: Item
    common: Common
    kinds: tuple[Item, ...]
    command: Item | None
    argv: tuple[Item, ...]
    """Program and arguments."""
    addresses: tuple[Item, ...]
    cwd: Item | None


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What an entry is resolved against."""

    environ: Mapping[str, str]
    folder: Path
    """The configuration file's; relative paths start there."""


def build(written: Written, around: Surroundings) -> StdioTransport | HttpTransport:
    """The transport that the entry means.

    Raises:
        ConfigError: it means none; one problem, with its place.
    """
    kind = _kind(written)
    if written.command is not None and written.addresses:
        raise written.addresses[0].fault(
            "the entry has both a command and a url", "keep the one that is meant"
        )
    if written.command is not None:
        if kind not in (None, "stdio"):
            raise written.kinds[0].fault("a command is not reached over HTTP", "leave the type out")
        return _stdio(written, written.command, around)
    if not written.addresses:
        raise written.entry.fault(
            "neither command nor url", "say which program to start, or which url to ask"
        )
    if len(written.addresses) > 1:
        raise written.addresses[1].fault("the entry has more than one url", "keep the one that is meant")
    if kind == "stdio":
        raise written.kinds[0].fault("stdio needs a command, and there is a url", "leave the type out")
    return _http(written, kind, around)


def _kind(written: Written) -> Kind | None:
    kinds = [_known_kind(item) for item in written.kinds]
    if len(set(kinds)) > 1:
        raise written.kinds[1].fault("type and transport say different things", "keep one of them")
    return kinds[0] if kinds else None


def _known_kind(item: Item) -> Kind:
    kind = TYPES.get(item.raw.lower().replace("-", "").replace("_", ""))
    if kind is None:
        raise item.fault("no such type of server", "there are stdio, http (or streamableHttp) and sse")
    return kind


def _stdio(written: Written, command: Item, around: Surroundings) -> StdioTransport:
    argv = [_process_text(item, item.text(around.environ)) for item in written.argv]
    if not argv or not argv[0].strip():
        raise command.fault("the command is empty", "say which program to start")
    if written.argv[0].raw.startswith("~"):
        argv[0] = under_home(argv[0], around.environ)
    common = written.common
    return StdioTransport(
        argv=tuple(argv),
        env=_env(written, around.environ),
        cwd=_cwd(written.cwd, around) if written.cwd is not None else "",
        inherit_env=bool(common.inherit_env),
        env_filter=common.env_filter,
    )


def _env(written: Written, environ: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
    """Sorted by name, so that another order in the file is no difference."""
    found: dict[str, str] = {}
    for name, item in written.common.env.items():
        if not name or "=" in name or "\0" in name:
            raise (item or written.entry).fault(
                f"{name!r} is no name of a variable", "variables are NAME=value"
            )
        if item is not None:
            found[name] = _process_text(item, item.text(environ))
        elif name in environ:
            found[name] = environ[name]
    return tuple(sorted(found.items()))


def _cwd(item: Item, around: Surroundings) -> str:
    written = _process_text(item, item.text(around.environ))
    if item.raw.startswith("~"):
        written = under_home(written, around.environ)
    path = (around.folder / written).absolute()
    if not _is_folder(path):
        raise item.fault(
            f"there is no folder {path}", "relative paths start at the configuration file's folder"
        )
    return str(path)


def _is_folder(path: Path) -> bool:
    try:
        return path.is_dir()
    except OSError:  # not to be looked at, or a name that no folder can have
        return False


def _process_text(item: Item, text: str) -> str:
    """A text that can be handed to a process."""
    if "\0" in text:
        raise item.fault("a NUL character cannot be handed to a process", "take it out")
    return text


def _http(written: Written, kind: Kind | None, around: Surroundings) -> HttpTransport:
    address = written.addresses[0]
    url = address.text(around.environ)
    parts = _url_parts(address, url)
    if kind is None:
        kind = "sse" if parts.path.rstrip("/").endswith("/sse") else "http"
    headers = [_header(name, item, around.environ) for name, item in written.common.headers.items()]
    names = {name.lower() for name, _ in headers}
    if len(names) < len(headers):
        raise written.entry.fault("a header is given twice, in different spellings", "keep one")
    return HttpTransport(url, "sse" if kind == "sse" else "http", tuple(sorted(headers)))


def _url_parts(item: Item, url: str) -> SplitResult:
    """The parts of a good URL. Errors show it as written: resolved, it may have a token in it."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise _bad_url(item, str(error)) from None
    if parts.scheme not in ("http", "https"):
        raise _bad_url(item, "it begins with neither http:// nor https://")
    if not parts.hostname or port == 0:
        raise _bad_url(item, "it names no host" if not parts.hostname else "port 0 cannot be reached")
    if not url.isascii() or not url.isprintable() or " " in url:
        raise _bad_url(item, "it has characters that must be percent-encoded")
    if not is_host(parts.hostname):
        raise _bad_url(item, "its host is no name; no part of it may be empty or too long")
    return parts


def _bad_url(item: Item, why: str) -> ConfigError:
    return item.fault(f"{item.raw} is no usable url: {why}", "a url is as https://mcp.example.com/mcp")


def _header(name: str, item: Item, environ: Mapping[str, str]) -> tuple[str, str]:
    value = item.text(environ).strip(" \t")
    if not name or not _TOKEN.issuperset(name):
        raise item.fault(f"{name!r} is no name of a header", "letters, digits and - only")
    if any(char < " " and char != "\t" for char in value) or "\x7f" in value or not value.isascii():
        raise item.fault(
            "the header has characters that cannot be sent", "a value is one line of ASCII characters"
        )
    return name, value
