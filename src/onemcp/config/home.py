"""The home folder of the user."""

import os
from collections.abc import Mapping
from pathlib import Path


def home(environ: Mapping[str, str]) -> Path:
    """The one that the environment names, else the system; `~` for a user without one, who has no files there."""
    return Path(environ.get("HOME") or os.path.expanduser("~"))  # noqa: PTH111 - Path's own fails without a home
