"""A command as somebody who may not enter a folder; root keeps its name and loses the right to enter whatever it likes."""

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from tests.support.gateway import WAIT_LIMIT, environment

_BOUND: Final = ["setpriv", "--bounding-set=-dac_override,-dac_read_search", "--inh-caps=-all"]


def as_stranger(
    *arguments: str, folder: Path, environ: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run `1mcp ARGUMENTS` to its end, bounded, while nobody may enter `folder`."""
    extra = environment(folder, environ)
    mode = folder.stat().st_mode
    folder.chmod(0)
    try:
        return subprocess.run(
            [*(_BOUND if os.getuid() == 0 else []), sys.executable, "-m", "onemcp", *arguments],
            cwd="/",
            env=extra,
            capture_output=True,
            text=True,
            timeout=WAIT_LIMIT,
            check=False,
        )
    finally:
        folder.chmod(mode)
