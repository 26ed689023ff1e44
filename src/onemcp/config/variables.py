"""Variables that begin like ours and are none of ours: those of Kubernetes, and mistyped ones."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from onemcp.config.setting import PREFIX, nearest

_BY_NAME: Final = re.compile(
    rf"{PREFIX}(?:\w+_)?(?:SERVICE_HOST|SERVICE_PORT(?:_\w+)?|PORT_\d+_(?:TCP|UDP|SCTP)(?:_(?:PROTO|PORT|ADDR))?)"
)
_PORT: Final = re.compile(rf"{PREFIX}(?:\w+_)?PORT")
_OF_SECRETS: Final = (f"{PREFIX}SECRET_", f"{PREFIX}SECRETS_")
"""Read by `config/secrets`."""
_ADDRESS: Final = re.compile(r"(?:tcp|udp|sctp)://\S+")


@dataclass(frozen=True, slots=True)
class ServiceLinks:
    """The variables that Kubernetes made for a service whose name begins with `one-mcp`."""

    names: frozenset[str] = frozenset()

    @property
    def notices(self) -> tuple[str, ...]:
        """One sentence, if there are any."""
        if not self.names:
            return ()
        names = ", ".join(sorted(self.names))
        what = f"ignored the variables that Kubernetes made from a service's name ({names})"
        return (f"{what}; enableServiceLinks: false in the pod's spec keeps them away",)


def service_links(environ: Mapping[str, str]) -> ServiceLinks:
    """The service links among the variables.

    Source: Kubernetes, "Accessing the Service", environment variables.
    """
    return ServiceLinks(frozenset(name for name, value in environ.items() if _is_service_link(name, value)))


def _is_service_link(name: str, value: str) -> bool:
    if not name.startswith(PREFIX):
        return False
    return bool(_BY_NAME.fullmatch(name) or (_PORT.fullmatch(name) and _ADDRESS.fullmatch(value)))


def unknown(environ: Iterable[str], known: Iterable[str]) -> tuple[str, ...]:
    """A sentence for each variable that begins like a setting and is none, nor is about secrets."""
    names = [name.removeprefix(PREFIX) for name in known]
    ours = sorted(
        name.removeprefix(PREFIX)
        for name in environ
        if name.startswith(PREFIX) and not name.startswith(_OF_SECRETS)
    )
    return tuple(_unknown(name, nearest(name, names)) for name in ours if name not in names)


def _unknown(name: str, guess: str) -> str:
    hint = f"; did you mean {PREFIX}{guess}?" if guess else ""
    return f"{PREFIX}{name} is no setting and was ignored{hint}"
