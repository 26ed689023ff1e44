"""What is known before anything starts, and what is told once it has."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from onemcp.config.document import Document
from onemcp.config.loading import Loaded
from onemcp.config.settings import Settings
from onemcp.gateway.runtime import Runtime


@dataclass(frozen=True, slots=True)
class Plan:
    """Everything that is known before anything is started."""

    settings: Settings
    loaded: Loaded
    environ: Mapping[str, str]
    first: Settings
    """The settings without those of the configuration: where that is, and where its secrets are."""
    typed: Mapping[str, object] = field(default_factory=dict)
    """Options by attribute name, as they were typed."""

    @property
    def document(self) -> Document:
        """What the configuration said at the start."""
        return self.loaded.document


@dataclass(frozen=True, slots=True)
class Started:
    """What a running gateway tells whoever started it."""

    endpoint: str
    """The URL for clients; empty on stdio."""
    control: Path | None
    """The control socket; None where there is no state folder."""
    runtime: Runtime
    local: str = ""
    """The URL on this machine, which is another one than `endpoint` behind a proxy; empty on stdio."""


@dataclass(frozen=True, slots=True)
class Applied:
    """An event: settings and document that are in force from now on; its servers are begun with right after."""

    settings: Settings
    document: Document
