"""Which configuration file is meant when nobody names one, and what to paste when there is none."""

import json
import shutil
import stat
from collections.abc import Mapping
from pathlib import Path

from onemcp.config.home import home
from onemcp.errors import ConfigError, Problem

_START = """\
cat > mcp.json <<'EOF'
{{ "mcpServers": {{
    "time": {entry} }} }}
EOF
1mcp --config mcp.json --enable-async-loading"""


def candidates(environ: Mapping[str, str]) -> list[Path]:
    """Where a configuration is looked for, in this order."""
    base = Path(environ.get("XDG_CONFIG_HOME") or home(environ) / ".config")
    return [Path("mcp.json"), base / "1mcp" / "mcp.json", base / "onemcp" / "mcp.json"]


def find(environ: Mapping[str, str]) -> Path | None:
    """The first candidate that is there; None if none is.

    Raises:
        ConfigError: this user may not look at one of those that come first.
    """
    return next((place for place in candidates(environ) if _is_file(place)), None)


def _is_file(place: Path) -> bool:
    try:
        return stat.S_ISREG(place.stat().st_mode)
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError as error:
        what = f"whether there is a configuration cannot be seen: {error.strerror}"
        raise ConfigError(Problem(what, "name one with --config", file=str(place))) from error


def five_lines(environ: Mapping[str, str]) -> str:
    """What to say where there is no configuration: where it was looked for, and five lines that make and start one.

    The example runs a server from PyPI with whichever runner this machine has.
    """
    runner = ["pipx", "run"] if _has("pipx", environ) and not _has("uvx", environ) else ["uvx"]
    entry = {"command": runner[0], "args": [*runner[1:], "mcp-server-time"]}
    places = "\n".join(f"      {place}" for place in candidates(environ))
    lines = _START.format(entry=json.dumps(entry))
    needs = "" if _has(runner[0], environ) else " (uvx comes with uv: https://docs.astral.sh/uv/)"
    return (
        f"1mcp: there is no configuration; looked for\n{places}\n"
        f"      name one with --config, or paste these five lines{needs}:\n\n{lines}"
    )


def _has(command: str, environ: Mapping[str, str]) -> bool:
    return shutil.which(command, path=environ.get("PATH")) is not None
