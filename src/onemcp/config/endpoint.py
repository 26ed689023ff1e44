"""The URLs of the endpoint, as the settings make them, and the names that lead to it."""

from typing import Final
from urllib.parse import urlsplit

from onemcp.config.settings import Settings

_WILDCARDS: Final = frozenset({"0.0.0.0", "::"})  # noqa: S104 - recognised, so that a client is told a usable address
_PATH: Final = "/mcp"


def local_url(settings: Settings, port: int) -> str:
    """The endpoint as this machine reaches it."""
    name = "127.0.0.1" if settings.host in _WILDCARDS else settings.host
    return f"http://{f'[{name}]' if ':' in name else name}:{port}{_PATH}"


def client_url(settings: Settings, port: int) -> str:
    """The endpoint as clients reach it: below the external URL, if there is one."""
    if not settings.external_url:
        return local_url(settings, port)
    return settings.external_url.rstrip("/").removesuffix(_PATH) + _PATH


def own_hosts(settings: Settings) -> tuple[str, ...]:
    """The names that Host may have, beside those of this machine."""
    external = urlsplit(settings.external_url).hostname or ""
    name = f"[{external}]" if ":" in external else external
    return (*settings.allowed_hosts, settings.host, *((name,) if name else ()))
