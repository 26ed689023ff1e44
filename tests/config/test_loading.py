"""What a configuration is read from, and whether that is known."""

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


def test_files_that_change_while_they_are_read_have_none(tmp_path: Path) -> None:
    file = tmp_path / "mcp.json"
    over = threading.Event()

    def write() -> None:
        for number in range(1_000_000):
            file.with_suffix(".new").write_text(f'{{"mcpServers": {{}}, "port": {number % 60_000}}}')
            file.with_suffix(".new").rename(file)
            if over.is_set():
                return

    writer = threading.Thread(target=write)
    file.write_text("{}")
    writer.start()
    try:
        seen = [read(file, {}, "")[1] for _ in range(200)]
    finally:
        over.set()
        writer.join()
    assert "" in seen
