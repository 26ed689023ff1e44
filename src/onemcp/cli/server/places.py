"""Where other programs keep the configuration that names their MCP servers, on this platform."""

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from onemcp.config.home import home

_CODE: Final = ("Code", "Code - Insiders", "VSCodium")


def usual(environ: Mapping[str, str], platform: str = sys.platform) -> dict[str, tuple[Path, ...]]:
    """The files of each program by the name that it has here, the nearest first."""
    own = home(environ)
    library = own / "Library" / "Application Support"
    base = library if platform == "darwin" else Path(environ.get("XDG_CONFIG_HOME") or own / ".config")
    users = [base / each / "User" for each in _CODE]
    return {
        "claude-desktop": (base / "Claude" / "claude_desktop_config.json",),
        "claude-code": (Path(".mcp.json"), own / ".claude.json"),
        "vscode": (
            Path(".vscode", "mcp.json"),
            *(user / name for user in users for name in ("mcp.json", "settings.json")),
        ),
        "cursor": (Path(".cursor", "mcp.json"), own / ".cursor" / "mcp.json"),
        "cline": tuple(
            user / "globalStorage" / "saoudrizwan.claude-dev" / "settings" / "cline_mcp_settings.json"
            for user in users
        ),
        "windsurf": (own / ".codeium" / "windsurf" / "mcp_config.json",),
    }


def workspace_of(file: Path) -> str:
    """The folder that is open in an editor that has this file; empty for a file of its user."""
    is_of_folder = file.parent.name in (".vscode", ".cursor") or file.name == ".mcp.json"
    if not is_of_folder:
        return ""
    folder = file.absolute().parent
    return str(folder if file.name == ".mcp.json" else folder.parent)
