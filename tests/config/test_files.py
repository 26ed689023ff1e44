"""Files that are replaced whole or not at all."""

import os
import stat
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from onemcp.config.files import locked, replaced
from onemcp.errors import StoreError


def names(folder: Path) -> list[str]:
    """What is in a folder."""
    return sorted(each.name for each in folder.iterdir())


def test_a_new_file_is_its_owners_alone(tmp_path: Path) -> None:
    file = tmp_path / "a"
    replaced(file, b"one")
    assert (file.read_bytes(), stat.S_IMODE(file.stat().st_mode)) == (b"one", 0o600)
    assert names(tmp_path) == ["a"]


def test_mode_and_owner_are_those_of_the_file_before(tmp_path: Path) -> None:
    file = tmp_path / "a"
    file.write_text("one")
    file.chmod(0o640)
    if os.getuid() == 0:
        os.chown(file, 1234, 2345)
    before = file.stat()
    replaced(file, b"two", before)
    after = file.stat()
    assert (after.st_mode, after.st_uid, after.st_gid) == (before.st_mode, before.st_uid, before.st_gid)
    assert after.st_ino != before.st_ino
    assert file.read_bytes() == b"two"


def test_a_link_is_replaced_and_what_it_leads_to_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "other").write_text("other")
    (tmp_path / "a").symlink_to("other")
    replaced(tmp_path / "a", b"two")
    assert not (tmp_path / "a").is_symlink()
    assert (tmp_path / "other").read_text() == "other"


def test_what_the_file_held_is_in_the_backup(tmp_path: Path) -> None:
    file = tmp_path / "a"
    (tmp_path / "elsewhere").write_text("mine")
    (tmp_path / "a.bak").symlink_to("elsewhere")
    for text in ("one", "two", "three"):
        file.exists() or file.write_text("zero")
        replaced(file, text.encode(), file.stat(), tmp_path / "a.bak")
    assert (file.read_text(), (tmp_path / "a.bak").read_text()) == ("three", "two")
    assert (tmp_path / "elsewhere").read_text() == "mine"
    assert names(tmp_path) == ["a", "a.bak", "elsewhere"]


def test_what_cannot_be_written_leaves_nothing_behind(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    with pytest.raises(StoreError, match=r"a cannot be written: .*; nothing was changed$"):
        replaced(tmp_path / "a", b"two")
    assert names(tmp_path) == ["a"]


def test_of_two_writers_one_waits_for_the_other(tmp_path: Path) -> None:
    file = tmp_path / "number"
    file.write_text("0")

    def count() -> None:
        for _ in range(20):
            with locked(file):
                replaced(file, str(int(file.read_text()) + 1).encode())

    threads = [threading.Thread(target=count) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert file.read_text() == "80"
    assert names(tmp_path) == ["number"]


def test_who_waits_too_long_is_told_so(tmp_path: Path) -> None:
    with (
        locked(tmp_path / "a"),
        pytest.raises(StoreError, match=r"another process writes .*a; wait for it, or end it"),
        locked(tmp_path / "a", patience=0.05),
    ):
        raise AssertionError("both have the lock")
    with locked(tmp_path / "a"):
        pass


def test_the_lock_of_a_process_that_was_killed_is_no_lock(tmp_path: Path) -> None:
    program = (
        "import os, sys\nfrom pathlib import Path\nfrom onemcp.config.files import locked\n"
        "with locked(Path(sys.argv[1])):\n    os.kill(os.getpid(), 9)\n"
    )
    subprocess.run([sys.executable, "-c", program, tmp_path / "a"], timeout=20, check=False)
    (tmp_path / ".a.77.tmp").write_text("half")
    (tmp_path / ".a.mine.tmp").write_text("mine")
    assert names(tmp_path) == [".a.77.tmp", ".a.lock", ".a.mine.tmp"]
    with locked(tmp_path / "a"):
        assert names(tmp_path) == [".a.lock", ".a.mine.tmp"]
    assert names(tmp_path) == [".a.mine.tmp"]


def test_there_is_no_lock_where_there_is_no_folder(tmp_path: Path) -> None:
    with (
        pytest.raises(StoreError, match="cannot be written: No such file or directory"),
        locked(tmp_path / "b" / "a"),
    ):
        raise AssertionError("locked")
