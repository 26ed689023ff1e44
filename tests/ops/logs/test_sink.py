import os
from itertools import pairwise
from pathlib import Path

import pytest

from onemcp.ops.logs.sink import FIRST_PAUSE, LONGEST_PAUSE, FileSink, StreamSink


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


def test_a_file_that_cannot_be_put_aside_grows_on_and_is_tried_again_after_pauses(tmp_path: Path) -> None:
    """A folder that is not empty stands where it would go."""
    now = 100.0
    in_the_way = tmp_path / "log.1"
    (in_the_way / "x").mkdir(parents=True)
    sink = FileSink(tmp_path / "log", max_size=10, max_files=2, clock=lambda: now)
    sink.write(b"line 0\n")
    assert sink.complaint() == ""
    sink.write(b"line 1\n")
    assert "cannot be put aside and grows on" in sink.complaint()
    (in_the_way / "x").rmdir()
    in_the_way.rmdir()
    sink.write(b"line 2\n")
    assert not in_the_way.exists(), "its pause is not over"
    now += FIRST_PAUSE
    sink.write(b"line 3\n")
    sink.close()
    assert in_the_way.read_text() == "line 0\nline 1\nline 2\n"
    assert (tmp_path / "log").read_text() == "line 3\n"
    assert sink.complaint() == "", "it was said once"


def test_the_pauses_double_up_to_the_longest(tmp_path: Path) -> None:
    now = 0.0
    tried = []
    (tmp_path / "log.1" / "x").mkdir(parents=True)

    class Watched(FileSink):
        def _put_aside(self) -> None:
            tried.append(now)
            super()._put_aside()

    sink = Watched(tmp_path / "log", max_size=1, max_files=2, clock=lambda: now)
    sink.write(b"x\n")
    for second in range(2000):
        now = float(second)
        sink.write(b"x\n")
    sink.close()
    pauses = [later - earlier for earlier, later in pairwise(tried)]
    assert pauses == [1, 2, 4, 8, 16, 32, 64, 128, 256, *[LONGEST_PAUSE] * (len(pauses) - 9)]


def test_what_has_become_a_pipe_makes_nobody_wait(tmp_path: Path) -> None:
    sink = FileSink(tmp_path / "log", max_size=0, max_files=1)
    (tmp_path / "log").unlink()
    os.mkfifo(tmp_path / "log")
    with pytest.raises(OSError, match="No such device"):  # nobody reads it
        sink.reopen()
    reader = os.open(tmp_path / "log", os.O_RDONLY | os.O_NONBLOCK)
    with pytest.raises(OSError, match="no file any more"):
        sink.write(b"x\n")
    os.close(reader)
