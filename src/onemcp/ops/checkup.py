"""The checks of `1mcp doctor` that need no running gateway: each says what it found and, if that is bad, what to do."""

import os
import shutil
import stat
import time
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Final

from onemcp.config.settings import Settings
from onemcp.config.state import StateDir
from onemcp.core.spec import UpstreamSpec
from onemcp.errors import Problem, StartError
from onemcp.ops.logs.place import objection, stream_of
from onemcp.upstream.opener import unfitness

_FIRST_YEAR: Final = 2024
_LAST_YEAR: Final = 2100
_PACE: Final = 0.2
"""Seconds for which the two clocks are compared."""
_DRIFT: Final = 0.05
"""Seconds by which they may differ after that: the kernel steers the wall clock a little, a person jumps it."""
_SPACE: Final = 100 * 1024 * 1024
"""Bytes that the disk of the state folder should have left."""
_OTHERS: Final = 0o077


class Grade(StrEnum):
    """How a check ended."""

    OK = "ok"
    WARNING = "warn"
    BAD = "bad"


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the doctor."""

    about: str
    """As `configuration` or `server time`."""
    grade: Grade
    what: str
    fix: str = ""


def problem(about: str, error: Problem) -> Finding:
    """What is wrong in what a person wrote."""
    place = f"{error.file}:{error.line}:{error.column}" if error.line else error.file
    what = ": ".join(part for part in (place, error.key, error.what) if part)
    return Finding(about, Grade.BAD, what, error.fix)


def server(spec: UpstreamSpec, environ: Mapping[str, str]) -> Finding:
    """Whether an upstream could be started, as far as that is seen without doing it."""
    about = f"server {spec.name}"
    if spec.disabled:
        return Finding(about, Grade.OK, "is disabled")
    fault = spec.fault or unfitness(spec, environ)
    if fault is None:
        return Finding(about, Grade.OK, "can be started")
    what, _, fix = fault.what.partition("; ")
    return Finding(about, Grade.BAD, what, fault.fix or fix)


def state_folder(folder: StateDir) -> Finding:
    """Whether the state folder can be used, and by nobody else."""
    about, path = "state folder", folder.path
    present = path
    while not os.access(present, os.F_OK) and present != present.parent:
        present = present.parent
    if not present.is_dir():
        return Finding(about, Grade.BAD, f"{present} is not a folder", "choose another with --state-dir")
    if not os.access(present, os.W_OK | os.X_OK):
        what = f"{path} cannot be written: this user may not write to {present}"
        return Finding(
            about, Grade.BAD, what, "give this user the folder, or choose another with --state-dir"
        )
    if present == path and (found := _exposed(path)) is not None:
        return found
    if shutil.disk_usage(present).free < _SPACE:
        what = f"{path} has less than {_SPACE // 1024**2} MiB left on its disk"
        return Finding(about, Grade.WARNING, what, "make room: sessions and alerts are kept there")
    return Finding(about, Grade.OK, str(path) if present == path else f"{path} will be made")


def _exposed(path: Path) -> Finding | None:
    """What others could do in the folder, which has keys in it."""
    facts = path.stat()
    if facts.st_uid != os.getuid():
        what = f"{path} belongs to another user"
        return Finding(
            "state folder", Grade.BAD, what, "choose another with --state-dir, or run as that user"
        )
    if stat.S_IMODE(facts.st_mode) & _OTHERS:
        what = f"{path} is open to others (mode {stat.S_IMODE(facts.st_mode):04o}), and has keys in it"
        return Finding("state folder", Grade.BAD, what, f"chmod 700 {path}")
    return None


def log_file(settings: Settings) -> Finding | None:
    """Whether the log file can be written; None if there is none."""
    if not settings.log_file:
        return None
    path = Path(settings.log_file)
    if stream_of(path) is not None:
        return Finding("log file", Grade.OK, str(path))
    place = path if os.access(path, os.F_OK) else path.parent
    if not os.access(place, os.F_OK):
        return Finding("log file", Grade.BAD, f"{place} does not exist", f"mkdir -p {place}")
    if place.is_dir() is (place == path) or not os.access(place, os.W_OK):
        fix = "give this user the file and its folder, or choose another with --log-file"
        return Finding("log file", Grade.BAD, f"{path} cannot be written", fix)
    objected = objection(path)
    if objected is not None:
        return Finding("log file", Grade.BAD, f"{path} {objected[0]}", objected[1])
    return Finding("log file", Grade.OK, str(path))


def port(settings: Settings, taken: StartError | None, endpoint: str) -> Finding | None:
    """Whether the port can be had; `taken` is what binding it raised, `endpoint` where a running gateway is."""
    if settings.transport != "http":
        return None
    place = f"{settings.port} on {settings.host}"
    if taken is None:
        return Finding("port", Grade.OK, f"{place} is free")
    is_ours = endpoint.rpartition(":")[2].partition("/")[0] == str(settings.port)
    if endpoint and (is_ours or settings.external_url):
        return Finding("port", Grade.OK, f"{place} is used by the gateway that runs")
    return Finding("port", Grade.BAD, taken.what, taken.fix)


def clock() -> Finding:
    """Whether the wall clock can be believed: sessions, tokens and certificates are judged by it."""
    wall, steady = time.time(), time.monotonic()
    year = time.gmtime(wall).tm_year
    if not _FIRST_YEAR <= year <= _LAST_YEAR:
        what = f"the clock says that it is {time.strftime('%Y-%m-%d', time.gmtime(wall))}"
        return Finding("clock", Grade.BAD, what, "set it; certificates and sessions are judged by it")
    time.sleep(_PACE)
    drift = (time.time() - wall) - (time.monotonic() - steady)
    if abs(drift) > _DRIFT:
        what = f"the clock moved by {drift:+.2f} s within {_PACE:g} s"
        return Finding(
            "clock", Grade.WARNING, what, "see what sets it; sessions may end too early or too late"
        )
    return Finding("clock", Grade.OK, time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(wall)))
