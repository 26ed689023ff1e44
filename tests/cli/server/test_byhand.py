"""Files in YAML and TOML: the text to paste, and where."""

import json
import subprocess
from pathlib import Path

import pytest
from tests.support.gateway import onemcp

YAML = "mcpServers:\n    files: # ours\n        command: mcp-files\n"
TOML = '# ours\n[mcpServers.files]\ncommand = "mcp-files"\n'


@pytest.fixture(params=["yaml", "toml"])
def file(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    path = tmp_path / f"mcp.{request.param}"
    path.write_text(YAML if request.param == "yaml" else TOML)
    return path


def server(file: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return onemcp("server", arguments[0], "--config", file.name, *arguments[1:], folder=file.parent)


def servers(file: Path, text: str) -> dict[str, object]:
    """What the file says with another text, by name: command, state."""
    file.write_text(text)
    done = server(file, "list", "--json")
    return {row["name"]: (row["command"] or row["url"], row["disabled"]) for row in json.loads(done.stdout)}


def test_a_new_entry_is_printed_to_be_pasted_behind_the_last(file: Path) -> None:
    before = file.read_text()
    done = server(file, "add", "docs", "https://x/mcp", "--header", 'A: "b"')
    line = 2
    kind = file.suffix[1:].upper()
    assert (done.returncode, done.stderr) == (
        1,
        (
            f"1mcp: {file.name} is {kind}, which is changed by hand; nothing was changed\n"
            f"      put in what is printed behind files, which is at {file.name}:{line}\n"
        ),
    )
    assert file.read_text() == before
    assert servers(file, before + done.stdout) == {
        "files": ("mcp-files", False),
        "docs": ("https://x/mcp", False),
    }


def test_a_changed_entry_is_printed_to_be_pasted_in_its_place(file: Path) -> None:
    for arguments in (["disable", "files"], ["edit", "files", "--set", "disabled=true"]):
        file.write_text(YAML if file.suffix == ".yaml" else TOML)
        done = server(file, *arguments)
        assert done.returncode == 1
        assert f"in the place of files, which is at {file.name}:2\n" in done.stderr
        head = "mcpServers:\n" if file.suffix == ".yaml" else ""
        assert servers(file, head + done.stdout) == {"files": ("mcp-files", True)}


def test_where_there_is_no_server_the_key_of_all_is_printed_too(file: Path) -> None:
    file.write_text("mcpServers: {}\n" if file.suffix == ".yaml" else "mcpServers = {}\n")
    done = server(file, "add", "docs", "--", "x")
    assert done.returncode == 1
    assert servers(file, done.stdout) == {"docs": ("x", False)}


def test_what_is_to_go_is_named(file: Path) -> None:
    done = server(file, "remove", "files")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == (
        f"1mcp: {file.name} is changed by hand; nothing was changed\n      take out files, which is at {file.name}:2\n"
    )


def test_an_invalid_entry_is_refused_and_not_printed(file: Path) -> None:
    done = server(file, "add", "docs", "--set", "tags=1", "--", "x")
    assert (done.returncode, done.stdout) == (78, "")
    assert "1mcp: mcpServers.docs.tags: expected an array of strings, found 1\n" in done.stderr


def test_a_fragment_in_json_beside_it_is_changed(file: Path) -> None:
    done = server(file, "add", "docs", "--file", "10-docs.json", "--", "x")
    assert (done.returncode, done.stderr) == (0, "")
    assert servers(file, file.read_text()) == {"files": ("mcp-files", False), "docs": ("x", False)}
