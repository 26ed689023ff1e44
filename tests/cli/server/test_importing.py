"""`1mcp server import`: servers of other programs, all in one change."""

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
from tests.support.gateway import onemcp

from onemcp.cli.server.places import usual, workspace_of

CODE = """{
  // asked for once
  "inputs": [{ "id": "token", "type": "promptString", "password": true }],
  "servers": {
    "github": { "type": "http", "url": "https://x/mcp", "headers": { "Authorization": "Bearer ${input:token}" } },
    "fs": { "command": "npx", "args": ["${workspaceFolder}"], "gallery": true },
    "old": { "command": "mine" },
    "odd": { "url": "unix:///x?token=canary" },
    "both": { "command": "x", "url": "http://x" },
    "gateway": { "url": "http://localhost:3050/mcp" },
  },
}
"""


def take(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return onemcp("server", "import", *arguments, folder=folder)


def put(folder: Path, name: str, document: Any) -> Path:
    file = folder / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(document if isinstance(document, str) else json.dumps(document))
    return file


def servers(folder: Path) -> Any:
    return json.loads((folder / "mcp.json").read_text())["mcpServers"]


def test_everything_that_can_be_is_taken_in_one_change(tmp_path: Path) -> None:
    put(tmp_path, ".vscode/mcp.json", CODE)
    before = put(tmp_path, "mcp.json", {"mcpServers": {"old": {"command": "x"}}}).read_text()
    dry = take(tmp_path, "vscode", "--dry-run")
    assert (tmp_path / "mcp.json").read_text() == before
    done = take(tmp_path, "vscode")
    assert (dry.returncode, done.returncode) == (1, 1)  # some were refused
    shown = (
        "from .vscode/mcp.json:\n"
        "  take    github\n"
        "          set its secret: 1mcp secret set token\n"
        "  take    fs\n"
        f"          ${{workspaceFolder}} is {tmp_path}\n"
        "          left out, since it means nothing here: gallery\n"
        "  skip    old: there is one at mcp.json:1\n"
        "  refuse  odd: mcpServers.odd.url: unix:///x?token=*** is no usable url: it begins with neither http:// nor"
        " https://; a url is as https://mcp.example.com/mcp\n"
        "  refuse  both: mcpServers.both.url: the entry has both a command and a url; keep the one that is meant\n"
        "  skip    gateway: it is a gateway of this kind itself\n"
    )
    assert dry.stdout == shown + "nothing was changed\n"
    assert done.stdout == shown + (
        "2 servers put into mcp.json\n      mcp.json.bak has the text before this, and none older is kept\n"
    )
    assert (tmp_path / "mcp.json.bak").read_text() == before
    assert servers(tmp_path) == {
        "old": {"command": "x"},
        "github": {
            "type": "http",
            "url": "https://x/mcp",
            "headers": {"Authorization": "Bearer ${SECRET:token}"},
        },
        "fs": {"command": "npx", "args": [str(tmp_path)]},
    }


def test_each_that_would_be_faulty_is_found_among_many(tmp_path: Path) -> None:
    given: dict[str, Any] = {f"s{number}": {"command": "x"} for number in range(9)}
    bad = {"s2": {"command": 5}, "s7": {"url": "http://localhost:99999/mcp"}}
    put(tmp_path, "given.json", {"mcpServers": {**given, **bad}})
    put(tmp_path, "mcp.json", {"mcpServers": {}})
    done = take(tmp_path, "given.json")
    assert done.returncode == 1
    refused = [
        line.split(":")[0].split()[1] for line in done.stdout.splitlines() if line.startswith("  refuse")
    ]
    assert (refused, done.stderr) == (["s2", "s7"], "")
    assert list(servers(tmp_path)) == [name for name in given if name not in bad]


def test_a_foreign_name_cannot_look_like_a_line_of_ours(tmp_path: Path) -> None:
    put(tmp_path, "given.json", {"mcpServers": {"a\n  take    b": {"command": "x"}}})
    put(tmp_path, "mcp.json", {"mcpServers": {}})
    lines = take(tmp_path, "given.json").stdout.splitlines()
    assert [line[:8] for line in lines] == ["from giv", "  refuse", "there is"]


def test_those_there_are_are_replaced_when_asked(tmp_path: Path) -> None:
    put(tmp_path, "mcp.json", {"mcpServers": {"a": {"command": "x"}}})
    file = put(tmp_path, "claude.json", {"mcpServers": {"a": {"command": "y"}}})
    done = take(tmp_path, str(file))
    assert (done.returncode, done.stdout.splitlines()[-1]) == (0, "there is nothing to change")
    done = take(tmp_path, str(file), "--replace")
    assert done.returncode == 0
    assert servers(tmp_path) == {"a": {"command": "y"}}


def test_the_usual_places_of_a_program_are_known(tmp_path: Path) -> None:
    environ = {"HOME": str(tmp_path / "home")}
    for program, places in usual(environ).items():
        file = put(tmp_path, str(tmp_path / places[-1]), {"mcpServers": {program: {"command": "x"}}})
        done = take(tmp_path, program)
        assert (done.returncode, done.stderr) == (0, ""), program
        file.unlink()
    assert sorted(servers(tmp_path)) == sorted(usual(environ))


def test_the_places_are_those_of_the_platform() -> None:
    places = usual({"HOME": "/home/me", "XDG_CONFIG_HOME": "/xdg"}, "linux")
    assert places["claude-desktop"] == (Path("/xdg/Claude/claude_desktop_config.json"),)
    places = usual({"HOME": "/Users/me", "XDG_CONFIG_HOME": "/xdg"}, "darwin")
    library = Path("/Users/me/Library/Application Support")
    assert places["claude-desktop"] == (library / "Claude" / "claude_desktop_config.json",)
    assert library / "Code" / "User" / "mcp.json" in places["vscode"]


@pytest.mark.parametrize(
    ("file", "folder"),
    [
        ("/srv/p/.vscode/mcp.json", "/srv/p"),
        ("/srv/p/.cursor/mcp.json", "/srv/p"),
        ("/srv/p/.mcp.json", "/srv/p"),
        ("/srv/p/mcp.json", ""),
    ],
)
def test_the_folder_that_is_open_is_that_of_its_file(file: str, folder: str) -> None:
    assert workspace_of(Path(file)) == folder


def test_where_there_is_nothing_to_take_that_is_told(tmp_path: Path) -> None:
    done = take(tmp_path, "vscod")
    assert (done.returncode, done.stderr) == (1, "1mcp: there is no file vscod\n      did you mean vscode?\n")
    done = take(tmp_path, "claude-desktop")
    place = tmp_path / "home/.config/Claude/claude_desktop_config.json"
    assert done.stderr == f"1mcp: there is no configuration of claude-desktop\n      looked for {place}\n"
    done = take(tmp_path, str(put(tmp_path, "a.json", {"port": 1})))
    assert done.stderr == f"1mcp: there are no servers in {tmp_path / 'a.json'}\n"
    done = take(tmp_path, str(put(tmp_path, "b.json", "{")))
    assert done.returncode == 78
    assert not (tmp_path / "mcp.json").exists()


def test_a_toml_configuration_gets_text_to_paste(tmp_path: Path) -> None:
    put(tmp_path, "mcp.toml", "[mcpServers]\n")
    file = put(tmp_path, "a.json", {"mcpServers": {"a": {"command": "x"}, "b": {"command": "y"}}})
    done = take(tmp_path, str(file), "--config", "mcp.toml")
    assert done.returncode == 1
    assert done.stdout.endswith('[mcpServers.a]\ncommand = "x"\n\n[mcpServers.b]\ncommand = "y"\n')
