"""What a configuration is read from, and whether that is known."""

import os
import threading
from pathlib import Path

from onemcp.config.document import Draft
from onemcp.config.fingerprint import fingerprint
from onemcp.config.loading import read
from onemcp.errors import ConfigError


def test_the_fingerprint_is_that_of_the_files_whether_they_are_good_or_not(tmp_path: Path) -> None:
    file = tmp_path / "mcp.json"
    file.write_text('{"mcpServers": {}}')
    found, seen = read(file, {}, "")
    assert isinstance(found, Draft)
    assert seen == fingerprint(file)
    file.write_text('{"mcpServers": {')
    found, seen = read(file, {}, "")
    assert isinstance(found, ConfigError)
    assert seen == fingerprint(file)


def test_files_that_change_all_the_time_have_the_fingerprint_of_what_was_read(tmp_path: Path) -> None:
    file = tmp_path / "mcp.json"
    over = threading.Event()

    def write() -> None:
        for number in range(1_000_000):
            file.with_suffix(".new").write_text(f'{{"mcpServers": {{}}, "port": {number % 60_000}}}')
            file.with_suffix(".new").rename(file)
            if over.is_set():
                return

    writer = threading.Thread(target=write)
    file.write_text('{"mcpServers": {}, "port": 0}')
    writer.start()
    try:
        seen = [read(file, {}, "") for _ in range(200)]
    finally:
        over.set()
        writer.join()
    for found, mark in seen:
        assert isinstance(found, Draft)
        port = found.document().settings["port"].value
        file.write_text(f'{{"mcpServers": {{}}, "port": {port}}}')
        assert mark == fingerprint(file)


def test_values_that_change_meanwhile_leave_it_unknown(tmp_path: Path) -> None:
    (tmp_path / "mcp.json").write_text('{"mcpServers": {}}')
    over = threading.Event()

    def write() -> None:
        for number in range(1_000_000):
            (tmp_path / ".new").write_text(f"A={number}")
            (tmp_path / ".new").rename(tmp_path / ".env")
            if over.is_set():
                return

    writer = threading.Thread(target=write)
    writer.start()
    try:
        seen = [read(tmp_path / "mcp.json", {}, "")[1] for _ in range(200)]
    finally:
        over.set()
        writer.join()
    assert "" in seen


def test_what_a_shell_passes_is_read_once(tmp_path: Path) -> None:
    ours, theirs = os.pipe()
    os.write(theirs, b'{"mcpServers": {"a": {"command": "a"}}}')
    os.close(theirs)
    try:
        found, _ = read(Path(f"/dev/fd/{ours}"), {}, "")
    finally:
        os.close(ours)
    assert isinstance(found, Draft)
    assert [spec.name for spec in found.document().specs] == ["a"]


def test_a_pipe_beside_it_is_not_waited_for(tmp_path: Path) -> None:
    (tmp_path / "mcp.json").write_text('{"mcpServers": {}}')
    os.mkfifo(tmp_path / ".env")
    found, _ = read(tmp_path / "mcp.json", {}, "")
    assert isinstance(found, ConfigError)
    assert ".env" in str(found)
