"""Images without an engine: what a Dockerfile says is done in an overlay over this machine's root.

Only what stands for the base image is this machine's, with its Python as `python`; `apt-get` and `pip` run as written.
Root and Linux are needed (`CONTAINERS` of machine.py).
"""

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

BUILD_LIMIT: Final = 240
LAY_ROOT: Final = """
set -eu
mount -t overlay overlay -o "lowerdir=/,upperdir=$1/upper,workdir=$1/work" "$1/root"
mount --rbind /dev "$1/root/dev"
mount -t proc proc "$1/root/proc"
cd "$1/root"
"""
"""Lays the root of the image in the folder `$1`; for a shell in mount and process namespaces that end with it."""
UNSHARE: Final = ("unshare", "--mount", "--pid", "--fork", "--kill-child")

_PATH: Final = "/usr/local/bin:/usr/local/sbin:/usr/sbin:/usr/bin:/sbin:/bin"
_LABELS: Final = ("VOLUME", "EXPOSE", "STOPSIGNAL")


@dataclass(slots=True)
class Image:
    """What a Dockerfile makes: its files in `folder/upper`, and how it is started."""

    folder: Path
    name: str = ""
    env: dict[str, str] = field(default_factory=lambda: {"PATH": _PATH})
    user: str = "0:0"
    workdir: str = "/"
    entrypoint: list[str] = field(default_factory=list)
    cmd: list[str] = field(default_factory=list)

    def at(self, path: str) -> Path:
        """Where a path that the image brings is on this machine."""
        return self.folder / "upper" / path.lstrip("/")


def instructions(dockerfile: Path) -> list[tuple[str, str]]:
    """Keyword and rest of each instruction, continuation lines joined, comments left out."""
    lines = [line for line in dockerfile.read_text().splitlines() if line and not line.startswith("#")]
    joined = re.sub(r"\\\n\s*", "", "\n".join(lines))
    return [(line.partition(" ")[0], line.partition(" ")[2].strip()) for line in joined.splitlines()]


def build(dockerfile: Path, context: Path, folder: Path) -> Image:
    """The image of the last stage.

    Raises:
        AssertionError: a RUN failed, with what it printed; or an instruction that is not known here.
    """
    stages: list[Image] = []
    for number, (keyword, rest) in enumerate(instructions(dockerfile)):
        if keyword == "FROM":
            stages.append(_base(folder / str(number), rest.partition(" AS ")[2]))
        elif stages:
            _do(stages, keyword, rest, context)
    return stages[-1]


def _base(folder: Path, name: str) -> Image:
    for part in ("upper", "work", "root"):
        (folder / part).mkdir(parents=True)
    image = Image(folder, name)
    python = Path(getattr(sys, "_base_executable", sys.executable)).resolve()
    _run(image, f"chmod a+x {shlex.join(map(str, python.parents[:-1]))}")
    program = image.at("/usr/local/bin/python")
    program.parent.mkdir(parents=True, exist_ok=True)
    # No link: through one from another folder Python looks for its library in the wrong place.
    program.write_text(f'#!/bin/sh\nexec {shlex.quote(str(python))} "$@"\n')
    program.chmod(0o755)
    return image


def _do(stages: Sequence[Image], keyword: str, rest: str, context: Path) -> None:
    image = stages[-1]
    match keyword:
        case "RUN":
            _run(image, rest)
        case "COPY":
            _copy(image, rest.split(), {stage.name: stage for stage in stages}, context)
        case "ENV":
            image.env |= dict(word.split("=", 1) for word in shlex.split(rest))
        case "USER":
            image.user = rest
        case "WORKDIR":
            _run(image, f"mkdir -p {rest}")
            image.workdir = rest
        case "ENTRYPOINT":
            image.entrypoint = json.loads(rest)
        case "CMD":
            image.cmd = json.loads(rest)
        case _:
            assert keyword in _LABELS, f"{keyword} is not known here"


def _run(image: Image, command: str) -> None:
    script = f'{LAY_ROOT} exec chroot . sh -euc "cd $2; $3"'
    # How this machine reaches its registries of packages, as a build machine is told it, too.
    environ = {**os.environ, **image.env, "HOME": "/root", "DEBIAN_FRONTEND": "noninteractive"}
    done = subprocess.run(
        [*UNSHARE, "sh", "-c", script, "sh", str(image.folder), image.workdir, command],
        env=environ,
        capture_output=True,
        text=True,
        timeout=BUILD_LIMIT,
        check=False,
    )
    assert done.returncode == 0, f"RUN {command}\n{done.stdout}\n{done.stderr}"


def _copy(image: Image, words: Sequence[str], stages: Mapping[str, Image], context: Path) -> None:
    *sources, target = (word for word in words if not word.startswith("--"))
    stage = next((word.removeprefix("--from=") for word in words if word.startswith("--from=")), None)
    place = image.at(str(Path(image.workdir, target)))
    for source in sources:
        found = stages[stage].at(source) if stage else context / source
        if found.is_dir():
            caches = None if stage else shutil.ignore_patterns("__pycache__")
            shutil.copytree(found, place, symlinks=True, dirs_exist_ok=True, ignore=caches)
        else:
            place.mkdir(parents=True, exist_ok=True)
            shutil.copy(found, place)
