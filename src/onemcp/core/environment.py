"""The environment of a child process: what it needs to be a program, and what its entry asks for."""

from collections.abc import Mapping
from typing import Final

from onemcp.core.spec import StdioTransport

ALLOWED: Final = (
    "ALL_PROXY",
    "CURL_CA_BUNDLE",
    "HOME",
    "HTTPS_PROXY",
    "HTTP_PROXY",
    "LANG",
    "LANGUAGE",
    "LC_*",
    "LOGNAME",
    "NODE_EXTRA_CA_CERTS",
    "NO_PROXY",
    "PATH",
    "REQUESTS_CA_BUNDLE",
    "SHELL",
    "SSL_CERT_DIR",
    "SSL_CERT_FILE",
    "TERM",
    "TMPDIR",
    "TZ",
    "USER",
    "XDG_*",
    "all_proxy",
    "http_proxy",
    "https_proxy",
    "no_proxy",
)
"""What every child gets of the gateway's environment: who and where it is, and how it reaches the network."""

OWN_PREFIX: Final = "ONE_MCP_"
"""The gateway's own settings, secrets among them: no child gets one unless its entry writes it out."""


def child_environment(transport: StdioTransport, parent: Mapping[str, str]) -> dict[str, str]:
    """The variables for one child; `parent` is the gateway's environment.

    From the parent: what is allowed, and what `env_filter` names. With `inherit_env` and a filter that names nothing
    but denials, everything. A denial wins over all of these. Shell functions (values that begin with `()`) are
    never handed on. The entry's own variables come on top.
    """
    named = [pattern for pattern in transport.env_filter if not pattern.startswith("!")]
    denied = [pattern[1:] for pattern in transport.env_filter if pattern.startswith("!")]
    wanted = ["*"] if transport.inherit_env and not named else [*ALLOWED, *named]
    inherited = {
        name: value
        for name, value in parent.items()
        if _any_matches(wanted, name)
        and not _any_matches(denied, name)
        and not name.startswith(OWN_PREFIX)
        and not value.startswith("()")
    }
    return {**inherited, **dict(transport.env)}


def _any_matches(patterns: list[str], name: str) -> bool:
    return any(
        name.startswith(pattern[:-1]) if pattern.endswith("*") else name == pattern for pattern in patterns
    )
