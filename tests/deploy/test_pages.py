"""The pages on installing, connecting, deploying and upgrading say what is printed and what is there."""

import json
import re
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Final

import pytest
from tests.support.gateway import GatewayProcess, onemcp
from tests.support.guide import DOCS, examples, free_port
from tests.support.images import instructions
from tests.support.machine import ROOT

from onemcp import __version__
from onemcp.cli.connect import clients
from onemcp.config import document
from onemcp.config.state import StateDir, default_state_dir

CLIENTS: Final = examples(DOCS / "clients.md")


@pytest.mark.parametrize("client", clients(""))
def test_connect_prints_what_the_page_has(client: str, tmp_path: Path) -> None:
    printed = onemcp("connect", client, "--port", "3050", folder=tmp_path)
    assert printed.stdout == CLIENTS[client].text


def test_the_page_names_where_each_client_keeps_it() -> None:
    page = (DOCS / "clients.md").read_text(encoding="utf-8")
    for client in clients("").values():
        places = re.findall(r"[~.][\w./]+(?:json|toml)", client.place)
        assert all(f"`{place}`" in page for place in places)
        assert client.title in page


def test_a_client_that_starts_programs_is_served(tmp_path: Path) -> None:
    (entry,) = json.loads(CLIENTS["stdio"].text)["mcpServers"].values()
    (tmp_path / "mcp.json").write_text('{"mcpServers": {}}')
    assert entry["command"] == "1mcp"
    arguments = [str(tmp_path / "mcp.json") if "/" in word else word for word in entry["args"]]
    hello = {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "c", "version": "1"}}
    line = json.dumps({"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": hello}) + "\n"
    served = onemcp(*arguments, folder=tmp_path, stdin=line)
    assert json.loads(served.stdout.splitlines()[0])["result"]["serverInfo"]


class Unnamed(GatewayProcess):
    """A gateway to which nobody names a state folder."""

    def command_line(self) -> list[str]:
        """Without the option."""
        argv = list(super().command_line())
        place = argv.index("--state-dir")
        return argv[:place] + argv[place + 2 :]


def newer_store(path: Path) -> Path:
    """The store, as if a later version had written it."""
    with closing(sqlite3.connect(path)) as raw:
        raw.execute("PRAGMA user_version = 2")
    return path


def test_a_store_of_a_newer_version_is_refused_as_the_page_says_and_not_changed(tmp_path: Path) -> None:
    gateway = GatewayProcess({"mcpServers": {}}, folder=tmp_path)
    with gateway:
        pass
    path = newer_store(StateDir(gateway.state_dir).store)
    before = path.read_bytes()
    refused = onemcp(
        "--port", "0", "--state-dir", str(gateway.state_dir), "--config", "mcp.json", folder=tmp_path
    )
    said = examples(DOCS / "upgrade.md")["newer"].text
    assert refused.returncode == 1
    assert refused.stderr.replace(f"{path.parent}/", "").endswith(said)
    assert path.read_bytes() == before


def test_where_nobody_names_the_folder_a_newer_store_is_left_alone_and_told(tmp_path: Path) -> None:
    gateway = Unnamed({"mcpServers": {}}, folder=tmp_path, port=free_port())
    with gateway:
        path = default_state_dir(gateway.port, {"HOME": str(tmp_path / "home")}) / "store.db"
    newer_store(path)
    before = path.read_bytes()
    with gateway:
        gateway.wait_for_output("written by a newer onemcp")
    assert path.read_bytes() == before


def test_what_is_in_a_state_folder_is_on_the_page(tmp_path: Path) -> None:
    with GatewayProcess({"mcpServers": {}}, folder=tmp_path) as gateway:
        there = {path.name.removesuffix("-wal").removesuffix("-shm") for path in gateway.state_dir.iterdir()}
    page = (DOCS / "upgrade.md").read_text(encoding="utf-8")
    assert [name for name in sorted(there) if f"`{name}`" not in page] == []


@pytest.mark.parametrize("page", ["install.md", "deploy.md"])
def test_files_and_versions_that_a_page_names_are_there(page: str) -> None:
    text = (
        (DOCS / page)
        .read_text(encoding="utf-8")
        .replace("deploy/onemcp --", "")
        .replace("restart deploy/onemcp", "")
    )
    for path in re.findall(r"(?<![\w/])(?:deploy|requirements|tests)/[\w./-]*\w", text):
        assert (ROOT / path).exists(), path
    assert set(re.findall(r"onemcp[:-](\d+\.\d+\.\w+)(?![\w.]*/)", text)) == {__version__}


def test_the_folders_of_the_image_are_those_of_the_page() -> None:
    said = dict(instructions(ROOT / "Dockerfile"))
    page = (DOCS / "deploy.md").read_text(encoding="utf-8")
    config = json.loads(said["CMD"])[-1]
    assert f"`{config}` is the configuration, `{said['VOLUME']}` the state" in page
    assert f"user and group {said['USER'].partition(':')[0]}" in page


def test_the_configuration_of_the_images_is_good() -> None:
    for file in (ROOT / "deploy").rglob("mcp.json"):
        assert not document.read(file.read_text(), str(file), {}).notices
