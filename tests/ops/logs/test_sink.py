import os
from pathlib import Path

import pytest

from onemcp.ops.logs.sink import FileSink, StreamSink


def test_a_full_file_is_put_aside_and_the_oldest_goes(tmp_path: Path) -> None:
    sink = FileSink(tmp_path / "log", max_size=10, max_files=3)
    for number in range(5):
        sink.write(b"line %d\n" % number)
    sink.close()
    kept = {path.name: path.read_text() for path in tmp_path.iterdir()}
    assert kept == {"log": "line 4\n", "log.1": "line 3\n", "log.2": "line 2\n"}


def test_lines_are_never_split_over_two_files(tmp_path: Path) -> None:
    sink = FileSink(tmp_path / "log", max_size=8, max_files=2)
    sink.write(b"longer than the whole file\n")
    sink.write(b"short\n")
    sink.close()
    assert (tmp_path / "log.1").read_text() == "longer than the whole file\n"
    assert (tmp_path / "log").read_text() == "short\n"


def test_one_file_alone_begins_anew(tmp_path: Path) -> None:
    sink = FileSink(tmp_path / "log", max_size=8, max_files=1)
    for number in range(3):
        sink.write(b"line %d\n" % number)
    sink.close()
    assert [path.name for path in tmp_path.iterdir()] == ["log"]
    assert (tmp_path / "log").read_text() == "line 2\n"


def test_without_a_size_it_only_grows_and_what_is_there_stays(tmp_path: Path) -> None:
    (tmp_path / "log").write_text("before\n")
    sink = FileSink(tmp_path / "log", max_size=0, max_files=3)
    sink.write(b"after\n")
    sink.close()
    assert (tmp_path / "log").read_text() == "before\nafter\n"


def test_a_file_that_was_moved_away_is_opened_anew(tmp_path: Path) -> None:
    sink = FileSink(tmp_path / "log", max_size=0, max_files=1)
    sink.write(b"one\n")
    (tmp_path / "log").rename(tmp_path / "moved")
    sink.write(b"two\n")
    sink.reopen()
    sink.write(b"three\n")
    sink.close()
    assert (tmp_path / "moved").read_text() == "one\ntwo\n"
    assert (tmp_path / "log").read_text() == "three\n"


def test_a_file_that_cannot_be_opened_again_is_tried_with_the_next_line(tmp_path: Path) -> None:
    folder = tmp_path / "there"
    folder.mkdir()
    sink = FileSink(folder / "log", max_size=0, max_files=1)
    (folder / "log").unlink()
    folder.rmdir()
    with pytest.raises(FileNotFoundError):
        sink.reopen()
    with pytest.raises(FileNotFoundError):
        sink.write(b"lost\n")
    folder.mkdir()
    sink.write(b"kept\n")
    sink.close()
    assert (folder / "log").read_text() == "kept\n"


def test_others_may_not_read_it(tmp_path: Path) -> None:
    FileSink(tmp_path / "log", 0, 1).close()
    assert (tmp_path / "log").stat().st_mode & 0o007 == 0


def test_a_full_disk_is_an_error_and_no_more() -> None:
    sink = FileSink(Path("/dev/full"), 0, 1)
    with pytest.raises(OSError, match="No space left"):
        sink.write(b"x\n")
    sink.close()


def test_a_pipe_that_somebody_made_non_blocking_takes_whole_lines() -> None:
    read, write = os.pipe()
    os.set_blocking(write, False)
    sink = StreamSink(write)
    with os.fdopen(read, "rb") as reader, os.fdopen(write, "wb"):
        sink.write(b"hello\n")
        assert reader.readline() == b"hello\n"


def test_a_full_one_is_given_up_when_nobody_is_to_wait_any_more() -> None:
    read, write = os.pipe()
    os.set_blocking(write, False)
    sink = StreamSink(write)
    sink.give_up()
    with os.fdopen(read, "rb"), os.fdopen(write, "wb"), pytest.raises(TimeoutError):
        sink.write(b"x" * 10_000_000)
