"""What is asked of the machine, and refused to it, before anything starts."""

import gc
import resource
from collections.abc import Mapping
from typing import Final

from onemcp.config.document import Document
from onemcp.config.settings import Settings
from onemcp.errors import ConfigError, StartError
from onemcp.upstream.opener import unfitness

_FILES: Final = 65_536
"""Descriptors that the gateway may use, where the machine lets it."""


def refuse_open_bind(settings: Settings) -> None:
    """Serving others than this machine without authentication is only done if somebody says so."""
    host = settings.host.strip("[]")
    local = host in ("localhost", "::1") or host.startswith("127.")
    if settings.transport != "http" or settings.allow_unauthenticated or local:
        return
    raise StartError(
        f"binding {settings.host} would let everybody who reaches this machine use all servers without signing in",
        "bind 127.0.0.1 (the default), or say --allow-unauthenticated if something in front checks who comes",
    )


def refuse_faults(settings: Settings, document: Document, environ: Mapping[str, str]) -> None:
    """With --strict one entry that cannot start stops the start."""
    if settings.strict:
        faults = [fault for spec in document.specs if (fault := unfitness(spec, environ)) is not None]
        if faults:
            raise ConfigError(*faults)


def raise_file_limit() -> None:
    """A connection costs a descriptor, and the usual soft limit is a remnant of `select`."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _FILES if hard == resource.RLIM_INFINITY else min(hard, _FILES)
    if soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def calm_collector() -> None:
    """Nearly all that a call allocates dies with its last reference; looking for cycles more rarely saves a tenth."""
    gc.freeze()
    gc.set_threshold(20_000, 20, 20)
